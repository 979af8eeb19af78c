//! A rejected batch: which of its lines are bad, and what to send again. Pure.

mod quoted;

use std::{collections::BTreeMap, ops::Range};

use self::quoted::quoted_lines;
use super::{backlog::Fate, verdict::Oddity};
use crate::batch::Lines;

/// Why a batch is looked at line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Some line of it is bad.
    Rejected { reason: String },
    /// There is too much of it.
    TooLarge { reason: String },
}

/// What is known of the lines of a batch that the server did not take.
///
/// Lines that the server quotes as bad are bad, and the rest is to be sent again. If it quotes
/// none, a single line is bad; of more, each half is to be sent again. So `k` bad lines of `n` cost
/// at most `2k·(log2(n/k)+1)+1` POSTs. (The first half is the largest power of two that leaves a
/// second: with halves of equal size the bound is missed by some POSTs between powers of two.)
///
/// Lines that the server has stored already are stored once more when they are sent again: that
/// changes nothing, because every line has its timestamp.
pub(crate) fn isolate(lines: &Lines, fault: Fault) -> Vec<(Range<usize>, Fate)> {
    let count = lines.len();
    if count > 1 {
        if let Fault::Rejected { reason } = &fault {
            let quoted = quoted_lines(lines, reason);
            if !quoted.is_empty() {
                return runs_between(count, quoted);
            }
        }
        let half = count.next_power_of_two() / 2;
        return vec![(0..half, Fate::Unknown), (half..count, Fate::Unknown)];
    }
    let (Fault::Rejected { reason } | Fault::TooLarge { reason }) = fault;
    vec![(0..count, Fate::Rejected { reason })]
}

/// The bad lines, by number, and what is between them.
fn runs_between(count: usize, bad: BTreeMap<usize, String>) -> Vec<(Range<usize>, Fate)> {
    let mut runs = Vec::with_capacity(2 * bad.len() + 1);
    let mut next = 0;
    for (at, reason) in bad {
        if next < at {
            runs.push((next..at, Fate::Remains));
        }
        runs.push((at..at + 1, Fate::Rejected { reason }));
        next = at + 1;
    }
    if next < count {
        runs.push((next..count, Fate::Remains));
    }
    runs
}

/// A body larger than this, in bytes, may be cut off for its size.
const LARGE: usize = 1 << 20;

/// So may one larger than this, where less of it fits the buffers on its way to the server; but
/// then only to be sent in smaller parts, which costs nothing if it was for another reason.
const NOT_SMALL: usize = 64 << 10;

/// A batch that came back in an odd way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odd<'a> {
    pub(crate) oddity: Oddity,
    /// How many times running.
    pub(crate) times: u32,
    /// Has the server answered anything else readably meanwhile?
    pub(crate) server_answers: bool,
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
    pub(crate) reason: &'a str,
}

/// What to make of it: nothing yet, or look at its parts. A single line has one more try, because
/// for it that is the end; and it is not at fault where the server answers nothing readably.
pub(crate) fn suspect(odd: Odd<'_>) -> Option<Fault> {
    let Odd {
        oddity,
        times,
        server_answers,
        lines,
        bytes,
        reason,
    } = odd;
    let reason = reason.to_owned();
    let is_enough = times >= if lines > 1 { 2 } else { 3 };
    match oddity {
        Oddity::CutOff => {
            let is_large = is_enough && bytes > LARGE;
            let may_be_split = times >= 5 && bytes > NOT_SMALL && lines > 1;
            (is_large || may_be_split).then_some(Fault::TooLarge { reason })
        }
        Oddity::NotReadable => {
            let may_be_at_fault = lines > 1 || server_answers;
            (is_enough && may_be_at_fault).then_some(Fault::Rejected { reason })
        }
    }
}

#[cfg(test)]
mod tests;
