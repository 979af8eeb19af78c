use std::collections::{BTreeSet, HashMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::batch::OpenBatch;

fn lines(texts: &[&str]) -> Lines {
    let mut batch = OpenBatch::default();
    for text in texts {
        batch.push(format!("{text}\n").as_bytes());
    }
    batch.seal(true).lines
}

fn lines_of(count: usize) -> Lines {
    lines(&vec!["m f=1"; count])
}

fn rejected(reason: &str) -> Fate {
    let reason = reason.to_owned();
    Fate::Rejected { reason }
}

fn isolated(texts: &[&str], reason: &str) -> Vec<(Range<usize>, Fate)> {
    let reason = reason.to_owned();
    isolate(&lines(texts), Fault::Rejected { reason })
}

#[test]
fn the_lines_that_the_server_quotes_are_bad_and_the_rest_is_sent_together() {
    let texts = [
        "good f=1", "bad", "good f=2", "good f=3", "worse f", "good f=4",
    ];
    // As 1.6.7 says it.
    let reason = "status 400: partial write: unable to parse 'bad': missing fields\n\
                  unable to parse 'worse f': invalid field format dropped=0";
    assert_eq!(
        isolated(&texts, reason),
        [
            (0..1, Fate::Remains),
            (1..2, rejected("unable to parse: missing fields")),
            (2..4, Fate::Remains),
            (4..5, rejected("unable to parse: invalid field format")),
            (5..6, Fate::Remains),
        ]
    );
}

#[test]
fn a_quoted_line_may_hold_newlines_quotes_and_the_words_around_it() {
    let nasty = "m s=\"a': b\nunable to parse 'good f=1': no\" x";
    let texts = ["good f=1", nasty];
    let reason = format!("status 400: unable to parse '{nasty}': bad timestamp dropped=0");
    assert_eq!(
        isolated(&texts, &reason),
        [
            (0..1, Fate::Remains),
            (1..2, rejected("unable to parse: bad timestamp"))
        ]
    );
}

#[test]
fn a_quote_that_is_no_line_of_the_batch_rejects_nothing() {
    let texts = ["good f=1", "bad"];
    for reason in [
        "status 400: unable to parse 'other': missing fields",
        "status 400: unable to parse 'bad",
        "status 400: partial write: field type conflict: input field \"f\" dropped=1",
    ] {
        let halves = [(0..1, Fate::Unknown), (1..2, Fate::Unknown)];
        assert_eq!(isolated(&texts, reason), halves);
    }
}

#[test]
fn of_a_text_that_is_cut_short_the_quotes_that_are_whole_count() {
    let texts = ["bad", "worse", "good f=1"];
    let reason = "status 400: unable to parse 'bad': missing fields\nunable to parse 'wor";
    assert_eq!(
        isolated(&texts, reason),
        [
            (0..1, rejected("unable to parse: missing fields")),
            (1..3, Fate::Remains)
        ]
    );
}

#[test]
fn a_line_that_stands_twice_is_bad_twice() {
    let reason = "status 400: unable to parse 'bad': missing fields";
    let bad = || rejected("unable to parse: missing fields");
    assert_eq!(
        isolated(&["bad", "bad"], reason),
        [(0..1, bad()), (1..2, bad())]
    );
}

#[test]
fn what_is_odd_again_and_again_may_be_the_batchs_own_fault() {
    let suspect = |oddity, times, lines, bytes| {
        suspect(Odd {
            oddity,
            times,
            server_answers: true,
            lines,
            bytes,
            reason: "r",
        })
    };
    let mib = 1 << 20;
    assert_eq!(suspect(Oddity::CutOff, 1, 9, mib + 1), None);
    let reason = || "r".to_owned();
    assert_eq!(
        suspect(Oddity::CutOff, 2, 9, mib + 1),
        Some(Fault::TooLarge { reason: reason() })
    );
    assert_eq!(suspect(Oddity::CutOff, 4, 9, mib), None);
    assert!(suspect(Oddity::CutOff, 5, 9, mib).is_some());
    assert_eq!(suspect(Oddity::CutOff, 9, 1, mib), None);
    assert_eq!(suspect(Oddity::CutOff, 9, 9, 64 << 10), None);
    let rejected = Some(Fault::Rejected { reason: reason() });
    assert_eq!(suspect(Oddity::NotReadable, 1, 9, 9), None);
    assert_eq!(suspect(Oddity::NotReadable, 2, 9, 9), rejected);
    assert_eq!(suspect(Oddity::NotReadable, 2, 1, 9), None);
    assert_eq!(suspect(Oddity::NotReadable, 3, 1, 9), rejected);
    assert_eq!(suspect(Oddity::CutOff, 2, 1, mib + 1), None);
    assert!(suspect(Oddity::CutOff, 3, 1, mib + 1).is_some());
}

/// Plays a server that refuses every slice with a bad line: what is rejected, after how many
/// POSTs.
fn play(lines: usize, bad: &BTreeSet<usize>) -> (BTreeSet<usize>, usize) {
    let mut posts = 0;
    let mut rejected = BTreeSet::new();
    let mut to_send = VecDeque::new();
    to_send.push_back(0..lines);
    while let Some(slice) = to_send.pop_front() {
        posts += 1;
        if bad.range(slice.clone()).next().is_none() {
            continue;
        }
        let reason = "bad".to_owned();
        for (run, fate) in isolate(&lines_of(slice.len()), Fault::Rejected { reason }) {
            let run = slice.start + run.start..slice.start + run.end;
            match fate {
                Fate::Unknown => to_send.push_back(run),
                Fate::Rejected { .. } => rejected.extend(run),
                other => unreachable!("{other:?}"),
            }
        }
    }
    (rejected, posts)
}

fn bound(lines: usize, bad: usize) -> f64 {
    let (n, k) = (lines as f64, bad as f64);
    2.0 * k * ((n / k).log2() + 1.0) + 1.0
}

proptest! {
    #[test]
    fn exactly_the_bad_lines_are_rejected_within_the_bound(
        lines in 1_usize..3_000,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let bad: BTreeSet<_> = picks.iter().map(|pick| pick.index(lines)).collect();
        let (rejected, posts) = play(lines, &bad);
        prop_assert!(posts as f64 <= bound(lines, bad.len()), "{posts} POSTs");
        prop_assert_eq!(rejected, bad);
    }
}

/// The most POSTs that any `bad` lines of `lines` can cost.
fn worst(lines: usize, bad: usize, known: &mut HashMap<(usize, usize), usize>) -> usize {
    if bad == 0 || lines == 1 {
        return 1;
    }
    if let Some(posts) = known.get(&(lines, bad)) {
        return *posts;
    }
    let reason = String::new();
    let halves = isolate(&lines_of(lines), Fault::Rejected { reason });
    let (first, second) = (halves[0].0.len(), halves[1].0.len());
    let in_first = bad.saturating_sub(second)..=bad.min(first);
    let posts = in_first
        .map(|in_first| worst(first, in_first, known) + worst(second, bad - in_first, known))
        .max();
    let posts = 1 + posts.unwrap_or_default();
    known.insert((lines, bad), posts);
    posts
}

#[test]
fn the_bound_holds_wherever_the_bad_lines_are() {
    let mut known = HashMap::new();
    for lines in 1..=200 {
        for bad in 1..=lines {
            let posts = worst(lines, bad, &mut known);
            assert!(
                posts as f64 <= bound(lines, bad),
                "{bad} of {lines}: {posts} POSTs"
            );
        }
    }
    // For two of 5,000 it is 50.1.
    assert_eq!(worst(5_000, 2, &mut known), 49);
}

#[test]
fn a_single_line_that_is_too_large_is_rejected() {
    let reason = "status 413".to_owned();
    let fault = Fault::TooLarge {
        reason: reason.clone(),
    };
    assert_eq!(
        isolate(&lines_of(1), fault),
        [(0..1, Fate::Rejected { reason })]
    );
}

#[test]
fn a_single_line_is_not_at_fault_where_nothing_is_answered_readably() {
    let odd = |lines, server_answers| Odd {
        oddity: Oddity::NotReadable,
        times: 99,
        server_answers,
        lines,
        bytes: 9,
        reason: "r",
    };
    assert_eq!(suspect(odd(1, false)), None);
    assert!(suspect(odd(1, true)).is_some());
    assert!(suspect(odd(2, false)).is_some(), "it is only split");
}
