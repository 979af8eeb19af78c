//! What has happened to one batch so far, and what follows from that. Pure.

use std::time::{Duration, Instant};

use super::verdict::Cause;

/// A single line is rejected after this many failures, if meanwhile more POSTs of its database were
/// written than failed. With [`FIRST_DELAY`] and its doubling that takes a minute and a half on
/// average, longer than a restart or failover of the server. Where three of ten POSTs fail for
/// other reasons, fewer than one line in a hundred thousand is rejected wrongly.
pub(crate) const MAX_FAILURES_OF_A_LINE: u32 = 10;

/// In bytes. No server finds a line of this size too large: one that says so has another fault.
const SMALL_LINE: usize = 1 << 10;

/// After this many responses that name a single bad line, many bad lines are expected.
const ONE_BY_ONE: u32 = 8;

/// Upper bound of a suspect's first delay; doubles with every failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The failures of a batch so far. Its parts inherit them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RetryHistory {
    /// Failures in a row that the batch may have caused.
    failures: u32,
    /// Number of these failures that came while more POSTs of its database were written than failed.
    while_others_passed: u32,
    /// POSTs of its database written when this batch was last sent or failed.
    written_then: u64,
    /// POSTs of its database failed by then.
    failed_then: u64,
    /// Hash of the text of the last refusal.
    refused_as: Option<u64>,
    /// Responses in a row that named a single line of it.
    named_one: u32,
    /// Earliest time to send it again; others of its database are sent meanwhile.
    pub(crate) not_before: Option<Instant>,
}

/// What to do with an unsettled batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send it again as it is.
    Keep,
    /// Send its halves.
    Halve,
    /// Reject its only line.
    Reject,
}

/// What to do, and whether the database is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) next: Next,
    /// Whether the failure counts against the database. Not if others of it pass.
    pub(crate) counts: bool,
}

/// An unsettled batch, and its database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchContext {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
    /// POSTs of its database that were written so far.
    pub(crate) written: u64,
    /// POSTs of its database that failed, without this one.
    pub(crate) failed: u64,
}

/// Refusals of a database so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusals {
    /// Refusals in a row that named no line and whose text is not known to be about lines.
    pub(crate) in_a_row: u32,
    /// Hash of the text for which halving has stopped.
    pub(crate) halving_stopped_for: Option<u64>,
    /// Whether other parts are still to be sent, which may tell more.
    pub(crate) others_wait: bool,
}

/// After this many unknown refusals in a row, isolation slows down to one POST per backoff: enough
/// for the way to a single line (14 POSTs for 10,000) and as many beside it.
const MAX_REFUSALS: u32 = 32;

impl RetryHistory {
    /// Notes that the batch is sent, with the counts of its database.
    pub(crate) fn sent(&mut self, written: u64, failed: u64) {
        if self.failures == 0 && self.refused_as.is_none() {
            self.written_then = written;
            self.failed_then = failed;
        }
        self.not_before = None;
    }

    /// Handles a failure of the server, or a missing response.
    pub(crate) fn failed(&mut self, cause: Cause, batch: BatchContext) -> Decision {
        let keep = |counts| Decision {
            next: Next::Keep,
            counts,
        };
        if matches!(cause, Cause::Unavailable | Cause::Configuration) {
            self.failures = 0;
            return keep(true);
        }
        let others_pass = batch.written > self.written_then;
        // POSTs of the database since then.
        let passed = batch.written.saturating_sub(self.written_then);
        let failed = batch.failed.saturating_sub(self.failed_then);
        self.written_then = batch.written;
        self.failed_then = batch.failed + 1;
        self.failures += 1;
        if passed > failed && cause == Cause::Unknown {
            self.while_others_passed += 1;
        }
        let counts = !others_pass;
        if batch.lines > 1 {
            return match self.failures {
                1 => keep(counts),
                _ => Decision {
                    next: Next::Halve,
                    counts,
                },
            };
        }
        match self.while_others_passed >= MAX_FAILURES_OF_A_LINE {
            true => Decision {
                next: Next::Reject,
                counts: false,
            },
            false => keep(counts),
        }
    }

    /// Handles a refusal that names no line.
    pub(crate) fn refused(
        &mut self,
        is_about_lines: bool,
        text_hash: u64,
        batch: BatchContext,
        refusals: Refusals,
    ) -> Decision {
        let is_single = batch.lines == 1;
        let decision = |next, counts| Decision { next, counts };
        if is_about_lines {
            self.failures = 0;
            return match is_single {
                true => decision(Next::Reject, false),
                false => decision(Next::Halve, false),
            };
        }
        let others_pass = batch.written > self.written_then;
        let before = self.refused_as.replace(text_hash);
        self.written_then = batch.written;
        if is_single {
            return match before.is_some() && others_pass {
                true => decision(Next::Reject, false),
                false => decision(Next::Keep, !others_pass && !refusals.others_wait),
            };
        }
        let says_the_same =
            before == Some(text_hash) || refusals.halving_stopped_for == Some(text_hash);
        match batch.written == 0 && says_the_same {
            true => decision(Next::Keep, !refusals.others_wait),
            false => decision(Next::Halve, refusals.in_a_row > MAX_REFUSALS),
        }
    }

    /// Handles a response that calls the batch too large.
    pub(crate) fn too_large(&mut self, batch: BatchContext) -> Decision {
        let others_pass = batch.written > self.written_then;
        let before = self.refused_as.replace(0);
        self.written_then = batch.written;
        let is_evident = batch.bytes > SMALL_LINE || (before.is_some() && others_pass);
        let next = match batch.lines {
            1 if is_evident => Next::Reject,
            1 => Next::Keep,
            _ => Next::Halve,
        };
        if next == Next::Halve {
            self.refused_as = before;
        }
        Decision {
            next,
            counts: next == Next::Keep && !others_pass,
        }
    }

    /// Notes that the server named `lines` bad lines. Does it name them one by one, and are there
    /// many?
    pub(crate) fn named(&mut self, lines: usize) -> bool {
        self.named_one = match lines {
            1 => self.named_one + 1,
            _ => 0,
        };
        self.failures = 0;
        self.refused_as = None;
        self.named_one >= ONE_BY_ONE
    }

    /// The history with which a part of the batch begins.
    pub(crate) fn inherited(self) -> Self {
        Self {
            // The next failure halves it again.
            failures: self.failures.min(1),
            while_others_passed: 0,
            not_before: None,
            ..self
        }
    }

    /// Sets the earliest time to send it again, with full jitter; `random` is in [0, 1).
    pub(crate) fn wait(&mut self, now: Instant, random: f64, max_delay: Duration) {
        let doublings = self.failures.saturating_sub(1).min(16);
        let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(max_delay);
        self.not_before = Some(now + delay.mul_f64(random));
    }
}

#[cfg(test)]
mod tests;
