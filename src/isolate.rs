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
/// `2k·(log2(n/k)+1)+1` POSTs.
///
/// Lines that the server has stored already are stored once more when their half is sent: that
/// changes nothing, because every line has its timestamp.
pub(crate) fn isolate(lines: usize, fault: Fault) -> Vec<(Range<usize>, Fate)> {
    if lines > 1 {
        let half = lines.div_ceil(2);
        return vec![(0..half, Fate::Unknown), (half..lines, Fate::Unknown)];
    }
    let (Fault::Rejected { reason } | Fault::TooLarge { reason }) = fault;
    vec![(0..lines, Fate::Rejected { reason })]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, VecDeque};

    use proptest::prelude::*;

    use super::*;

    /// Plays a server that refuses every slice with a bad line: what is rejected, after how many
    /// POSTs.
    fn play(lines: usize, bad: &BTreeSet<usize>) -> (BTreeSet<usize>, usize) {
        let mut posts = 0;
        let mut rejected = BTreeSet::new();
        let mut to_send = VecDeque::from([0..lines]);
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

    #[test]
    fn two_bad_lines_of_5_000_cost_at_most_50_posts() {
        let bad = BTreeSet::from([17, 4_321]);
        let (rejected, posts) = play(5_000, &bad);
        assert_eq!(rejected, bad);
        assert!(posts <= 50, "{posts}");
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
