//! Isolation of bad lines: which lines of a refused batch the server names, and what to send again.
//! Pure.

mod numbered;
mod quoted;
mod rest;

use std::{collections::BTreeMap, ops::Range};

use self::{numbered::numbered_lines, quoted::quoted_lines, rest::first_of_rest};
use super::{
    backlog::{Disposition, RunResult},
    verdict::{Refusal, unquoted},
};
use crate::batch::Lines;

/// The lines that a refusal names as bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamedLines {
    /// Some lines, by index, with their reasons.
    Some(BTreeMap<usize, String>),
    /// All lines.
    All { reason: String },
    /// No line.
    None,
}

/// Finds the lines that a refusal quotes, numbers or counts. Lines that the server has stored
/// already may be sent again: the timestamp makes that idempotent.
pub(crate) fn named_lines(lines: &Lines, refusal: &Refusal) -> NamedLines {
    if !refusal.is_about_lines {
        return NamedLines::None;
    }
    let Refusal { text, json, .. } = refusal;
    let some = [
        quoted_lines(lines, text),
        numbered_lines(lines, text, json.as_ref()),
        first_of_rest(lines, text),
    ];
    if let Some(bad) = some.into_iter().find(|bad| !bad.is_empty()) {
        return NamedLines::Some(bad);
    }
    match dropped(text) {
        Some(dropped) if dropped == lines.len() => NamedLines::All {
            reason: refusal.reason.clone(),
        },
        _ => NamedLines::None,
    }
}

/// Number of points that InfluxDB 1.x and 2.x say they have dropped: `… dropped=3`, sometimes
/// followed by ` for database: …`.
fn dropped(text: &str) -> Option<usize> {
    let text = unquoted(text);
    let (_, after) = text.rsplit_once(" dropped=")?;
    let digits = after.split(|char: char| !char.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The halves of a batch, each to be sent again. `k` unnamed bad lines of `n` cost at most
/// `2k·(log2(n/k)+1)+1` POSTs. The first half is the largest power of two below `n`: equal halves
/// miss that bound by a few POSTs.
pub(crate) fn halves(lines: usize) -> Vec<(Range<usize>, RunResult)> {
    match lines {
        0 | 1 => vec![(0..lines, RunResult::ResendApart)],
        _ => {
            let half = lines.next_power_of_two() / 2;
            vec![
                (0..half, RunResult::ResendApart),
                (half..lines, RunResult::ResendApart),
            ]
        }
    }
}

/// Rejects the named lines and sends the rest again as one batch; in halves if `one_by_one` (the
/// server names one bad line per response, and there seem to be many), so that it doesn't get a
/// long batch once for each of them.
pub(crate) fn runs_between(
    lines: usize,
    bad: BTreeMap<usize, String>,
    one_by_one: bool,
) -> Vec<(Range<usize>, RunResult)> {
    let mut runs = Vec::with_capacity(2 * bad.len() + 1);
    let mut push = |range: Range<usize>| match one_by_one {
        false => runs_push(&mut runs, range, RunResult::ResendTogether),
        true => {
            for (half, part) in halves(range.len()) {
                let half = range.start + half.start..range.start + half.end;
                runs_push(&mut runs, half, part);
            }
        }
    };
    let mut next = 0;
    let mut rejected = Vec::with_capacity(bad.len());
    for (at, reason) in bad {
        push(next..at);
        rejected.push((
            at..at + 1,
            RunResult::Ended(Disposition::Rejected { reason }),
        ));
        next = at + 1;
    }
    push(next..lines);
    runs.extend(rejected);
    runs.sort_by_key(|(range, _)| range.start);
    runs
}

fn runs_push(runs: &mut Vec<(Range<usize>, RunResult)>, range: Range<usize>, part: RunResult) {
    if !range.is_empty() {
        runs.push((range, part));
    }
}

#[cfg(test)]
mod tests;
