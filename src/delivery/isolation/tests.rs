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

fn rejected(reason: &str) -> RunResult {
    let reason = reason.to_owned();
    RunResult::Ended(Disposition::Rejected { reason })
}

fn refusal(text: &str, json: Option<serde_json::Value>) -> Refusal {
    Refusal {
        status: 400,
        reason: format!("status 400: {text}"),
        text: text.to_owned(),
        json,
        is_about_lines: true,
        normalized: String::new(),
    }
}

fn named_in(texts: &[&str], refusal: &Refusal) -> NamedLines {
    named_lines(&lines(texts), refusal)
}

fn isolated(texts: &[&str], text: &str) -> Vec<(Range<usize>, RunResult)> {
    match named_in(texts, &refusal(text, None)) {
        NamedLines::Some(bad) => runs_between(texts.len(), bad, false),
        other => panic!("{other:?}"),
    }
}

fn some(bad: &[(usize, &str)]) -> NamedLines {
    let bad = bad.iter();
    NamedLines::Some(
        bad.map(|(line, reason)| (*line, (*reason).to_owned()))
            .collect(),
    )
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
            (0..1, RunResult::ResendTogether),
            (1..2, rejected("unable to parse: missing fields")),
            (2..4, RunResult::ResendTogether),
            (4..5, rejected("unable to parse: invalid field format")),
            (5..6, RunResult::ResendTogether),
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
            (0..1, RunResult::ResendTogether),
            (1..2, rejected("unable to parse: bad timestamp"))
        ]
    );
}

#[test]
fn a_quote_that_is_no_line_of_the_batch_names_nothing() {
    for text in [
        "unable to parse 'other': missing fields",
        "unable to parse 'bad",
        "partial write: field type conflict: input field \"f\" dropped=1",
    ] {
        let named_lines = named_in(&["good f=1", "bad"], &refusal(text, None));
        assert_eq!(named_lines, NamedLines::None, "{text}");
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
            (1..3, RunResult::ResendTogether)
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
fn a_single_line_is_not_halved() {
    assert_eq!(halves(1), [(0..1, RunResult::ResendApart)]);
    assert_eq!(
        halves(2),
        [
            (0..1, RunResult::ResendApart),
            (1..2, RunResult::ResendApart)
        ]
    );
}

#[test]
fn the_lines_that_the_server_numbers_are_bad_if_the_numbers_can_be_trusted() {
    let item = |line: u64, why: &str| serde_json::json!({ "line_number": line, "error_message": why, "original_line": "x" });
    let list = |items: Vec<serde_json::Value>| {
        let json = serde_json::json!({ "error": "partial write of line protocol occurred", "data": items });
        refusal("partial write of line protocol occurred", Some(json))
    };
    let texts = ["a f=1", "b f=1", "c f=1", "d f=1", "e f=1"];
    let bad = list(vec![item(2, "invalid x"), item(5, "invalid y")]);
    assert_eq!(
        named_in(&texts, &bad),
        some(&[(1, "invalid x"), (4, "invalid y")])
    );
    // One of them is no line of this batch: all are counted in another way.
    for strange in [0, 6] {
        let strange = list(vec![item(2, "invalid x"), item(strange, "invalid y")]);
        assert_eq!(named_in(&texts, &strange), NamedLines::None);
    }
    let with_newline = ["a s=\"1\n2\"", "b"];
    let second = list(vec![item(2, "invalid x")]);
    assert_eq!(named_in(&with_newline, &second), NamedLines::None);
    let trouble = list(vec![item(1, "error from wal: x"), item(2, "invalid x")]);
    assert_eq!(named_in(&texts, &trouble), some(&[(1, "invalid x")]));
    let object = serde_json::json!({ "data": item(3, "invalid z") });
    let object = refusal("parsing failed for write_lp endpoint", Some(object));
    assert_eq!(named_in(&texts, &object), some(&[(2, "invalid z")]));
}

#[test]
fn numbers_in_a_text_count_at_the_start_of_its_lines() {
    let texts = ["a", "b", "c", "d"];
    let cloud = "failed to parse line protocol:\n  errors encountered on line(s):\n  error parsing line 2 (1-based): no field in 'error parsing line 1 (1-based): x'\n  error parsing line 4 (1-based): bad";
    assert_eq!(
        named_in(&texts, &refusal(cloud, None)),
        some(&[
            (1, "no field in 'error parsing line 1 (1-based): x'"),
            (3, "bad")
        ])
    );
    let quest = "failed to parse line protocol:errors encountered on line(s):\nerror in line 3: table: m; column: f; cast error";
    let json = serde_json::json!({ "code": "invalid", "message": quest, "line": 3 });
    assert_eq!(
        named_in(&texts, &refusal(quest, Some(json))),
        some(&[(2, "table: m; column: f; cast error")])
    );
    let only_the_number = serde_json::json!({ "message": "cast error", "line": 1 });
    let named_lines = named_in(&texts, &refusal("cast error", Some(only_the_number)));
    assert_eq!(named_lines, some(&[(0, "cast error")]));
}

#[test]
fn a_name_in_a_reason_is_not_taken_for_the_servers_own_trouble() {
    let texts = ["a", "b"].map(|name| format!("{name} f=1 1"));
    let texts = texts.each_ref().map(String::as_str);
    for why in [
        "table: timeout, column: read-only; cast error from protocol type: STRING to column type: DOUBLE",
        "Could not parse entire line, field value is invalid. Field: disk full; value: no space left",
        "Could not parse timestamp: timeout",
    ] {
        let text = format!(
            "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: {why}"
        );
        let quest = refusal(&text, Some(serde_json::json!({ "line": 2 })));
        assert_eq!(named_in(&texts, &quest), some(&[(1, why)]));
    }
    let why = "Could not parse entire line. Found trailing content: 'x' timeout 'y'";
    let data = serde_json::json!({ "data": [{ "line_number": 1, "error_message": why }] });
    let v3 = refusal("partial write of line protocol occurred", Some(data));
    assert_eq!(named_in(&texts, &v3), some(&[(0, why)]));
    // But a trouble of its own is none of the line's.
    let trouble = serde_json::json!({ "line_number": 1, "error_message": "error from wal: full" });
    let v3 = refusal(
        "partial write of line protocol occurred",
        Some(serde_json::json!({ "data": [trouble] })),
    );
    assert_eq!(named_in(&texts, &v3), NamedLines::None);
}

#[test]
fn the_rest_of_a_body_begins_with_its_first_bad_line() {
    let texts = ["a f=1", "b\\ \"é\u{1}", "c", "c"];
    let whole = "cannot process influx line protocol data: incorrect influx line \"b\\\\ \\\"é\\x01\\nc\\nc\\n\": missing field value; see https://docs";
    assert_eq!(
        named_in(&texts, &refusal(whole, None)),
        some(&[(1, "incorrect influx line: missing field value")])
    );
    let cut = "incorrect influx line \"c\\nc\\nand mo";
    let named_lines = named_in(&texts, &refusal(cut, None));
    assert_eq!(
        named_lines,
        some(&[(2, "incorrect influx line"), (3, "incorrect influx line")])
    );
    for nothing in [
        "incorrect influx line \"c",
        "incorrect influx line \"other\\n\": x",
    ] {
        assert_eq!(
            named_in(&texts, &refusal(nothing, None)),
            NamedLines::None,
            "{nothing}"
        );
    }
}

#[test]
fn the_rest_of_a_body_is_read_as_go_quotes_it() {
    let texts = ["a", "m,t=\x07\x08\x0c\r\t\x0b'\x7fé🦀 f=1"];
    let text = concat!(
        r#"incorrect influx line "m,t=\a\b\f\r\t\v\'\x7f\u00e9\U0001f980 f=1\na\n""#,
        ": why; see x"
    );
    assert_eq!(
        named_in(&texts, &refusal(text, None)),
        some(&[(1, "incorrect influx line: why")])
    );
}

#[test]
fn a_line_that_holds_what_ends_a_quoted_one_is_found_whole() {
    let texts = ["m", "a': b"];
    let text = "unable to parse 'a': b': why dropped=0";
    assert_eq!(
        named_in(&texts, &refusal(text, None)),
        some(&[(1, "unable to parse: why")])
    );
}

#[test]
fn if_as_many_were_dropped_as_there_are_all_are_bad() {
    let texts = ["a", "b", "c"];
    let dropped = |text: &str| named_in(&texts, &refusal(text, None));
    for text in [
        "partial write: points beyond retention policy dropped=3",
        "partial write: dropped 3 points outside retention policy of duration 1h0m0s dropped=3 for database: x dropped=1",
    ] {
        let reason = format!("status 400: {text}");
        assert_eq!(dropped(text), NamedLines::All { reason }, "{text}");
    }
    for text in [
        "partial write: points beyond retention policy dropped=2",
        "partial write: points beyond retention policy",
        "partial write: input field \" dropped=3 \" on measurement \"m\" dropped=1",
    ] {
        assert_eq!(dropped(text), NamedLines::None, "{text}");
    }
}

#[test]
fn what_is_not_about_lines_names_none() {
    let text = "unable to parse 'bad': missing fields dropped=1";
    let other = Refusal {
        is_about_lines: false,
        ..refusal(text, None)
    };
    assert_eq!(named_in(&["bad"], &other), NamedLines::None);
}

#[test]
fn where_bad_lines_are_named_one_by_one_what_is_left_is_halved() {
    let bad = BTreeMap::from([(2, "r".to_owned())]);
    assert_eq!(
        runs_between(8, bad, true),
        [
            (0..1, RunResult::ResendApart),
            (1..2, RunResult::ResendApart),
            (2..3, rejected("r")),
            (3..7, RunResult::ResendApart),
            (7..8, RunResult::ResendApart),
        ]
    );
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
        if slice.len() == 1 {
            rejected.extend(slice);
            continue;
        }
        let halves = halves(slice.len()).into_iter();
        to_send.extend(halves.map(|(run, _)| slice.start + run.start..slice.start + run.end));
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
    let halves = halves(lines);
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
