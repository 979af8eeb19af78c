//! A rejected batch: which of its lines are bad, and what to send again. Pure.

use std::ops::Range;

use crate::backlog::Fate;

/// Why a batch is looked at line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Some line of it is bad.
    Rejected { reason: String },
    /// There is too much of it.
    TooLarge { reason: String },
}

/// What is known of the `lines` lines of a batch that the server did not take: a single one is
/// bad; of more, each half is to be sent again. So `k` bad lines of `n` cost at most
/// `2k·(log2(n/k)+1)+1` POSTs. (The first half is the largest power of two that leaves a second:
/// with halves of equal size the bound is missed by some POSTs between powers of two.)
///
/// Lines that the server has stored already are stored once more when their half is sent: that
/// changes nothing, because every line has its timestamp.
pub(crate) fn isolate(lines: usize, fault: Fault) -> Vec<(Range<usize>, Fate)> {
    if lines > 1 {
        let half = lines.next_power_of_two() / 2;
        return vec![(0..half, Fate::Unknown), (half..lines, Fate::Unknown)];
    }
    let (Fault::Rejected { reason } | Fault::TooLarge { reason }) = fault;
    vec![(0..lines, Fate::Rejected { reason })]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

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
            for (run, fate) in isolate(slice.len(), Fault::Rejected { reason }) {
                let run = slice.start + run.start..slice.start + run.end;
                match fate {
                    Fate::Unknown => to_send.push_back(run),
                    Fate::Rejected { .. } => rejected.extend(run),
                    Fate::Written => unreachable!(),
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
        let halves = isolate(lines, Fault::Rejected { reason });
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
        assert_eq!(isolate(1, fault), [(0..1, Fate::Rejected { reason })]);
    }
}
