//! What has happened to one batch so far, and what follows from that. Pure.

use std::time::{Duration, Instant};

use super::verdict::Cause;

/// So many times must a single line have failed, while of the others of its database more were
/// written than failed, before it counts as the reason. With [`FIRST_DELAY`] and its doubling that
/// takes a minute and a half on average: a restart or a failover of the server is over by then. And
/// where a POST fails in three of ten cases for reasons of its own, fewer than one line in a hundred
/// thousand is taken for bad.
pub(crate) const MAX_FAILURES_OF_A_LINE: u32 = 10;

/// A line of at most this many bytes is too large for no server: one that says so of everything has
/// another fault.
const SMALL_LINE: usize = 1 << 10;

/// From here on, lines that are named one by one are taken for many.
const ONE_BY_ONE: u32 = 8;

/// The upper end of the first delay of a suspect batch; it doubles with every failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// What is known of a batch that was not settled by its last POSTs. A part of it inherits that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RetryHistory {
    /// Failures in a row that the batch may have caused itself.
    failures: u32,
    /// How many of these came while of the others of its database more were written than failed.
    while_others_passed: u32,
    /// How many POSTs its database had had written when this one was last sent, or failed.
    written_then: u64,
    /// And how many had failed.
    failed_then: u64,
    /// The words in which it was refused last, hashed.
    refused_as: Option<u64>,
    /// How many answers in a row have named a single line of it.
    named_one: u32,
    /// Don't send it before: others of its database go on meanwhile.
    pub(crate) not_before: Option<Instant>,
}

/// What to do with a batch that was not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send it again as it is.
    Keep,
    /// Send its halves.
    Halve,
    /// Reject its only line.
    Reject,
}

/// What to do, and with whom the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) next: Next,
    /// Does the failure tell something of its database? Not if others of it pass.
    pub(crate) counts: bool,
}

/// The batch that was not settled, and its database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
    /// How many POSTs of its database were written so far.
    pub(crate) written: u64,
    /// How many have failed, this one not counted.
    pub(crate) failed: u64,
}

/// What is known of its database's refusals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusals {
    /// Those in a row that named nothing, in words that no server is known to use for lines.
    pub(crate) in_a_row: u32,
    /// The words, hashed, for which halving has stopped.
    pub(crate) stopped_at: Option<u64>,
    /// Are there other parts still to be sent, that may tell more?
    pub(crate) others_wait: bool,
}

/// So many unknown refusals in a row are looked into at full speed, and then one per backoff: enough
/// for the way down to a single line (14 POSTs for 10,000) and for as many beside it.
const MAX_REFUSALS: u32 = 32;

impl RetryHistory {
    /// It is sent, when so many POSTs of its database were written and so many had failed.
    pub(crate) fn sent(&mut self, written: u64, failed: u64) {
        if self.failures == 0 && self.refused_as.is_none() {
            self.written_then = written;
            self.failed_then = failed;
        }
        self.not_before = None;
    }

    /// There was no answer, or the server failed.
    pub(crate) fn failed(&mut self, cause: Cause, batch: Circumstances) -> Decision {
        let keep = |counts| Decision {
            next: Next::Keep,
            counts,
        };
        if matches!(cause, Cause::Unavailable | Cause::Configuration) {
            self.failures = 0;
            return keep(true);
        }
        let others_pass = batch.written > self.written_then;
        // Of the others more pass than fail.
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

    /// The server refused it, and named no line of it.
    pub(crate) fn refused(
        &mut self,
        is_about_lines: bool,
        words: u64,
        batch: Circumstances,
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
        let before = self.refused_as.replace(words);
        self.written_then = batch.written;
        if is_single {
            return match before.is_some() && others_pass {
                true => decision(Next::Reject, false),
                false => decision(Next::Keep, !others_pass && !refusals.others_wait),
            };
        }
        let says_the_same = before == Some(words) || refusals.stopped_at == Some(words);
        match batch.written == 0 && says_the_same {
            true => decision(Next::Keep, !refusals.others_wait),
            false => decision(Next::Halve, refusals.in_a_row > MAX_REFUSALS),
        }
    }

    /// The server finds it too large.
    pub(crate) fn too_large(&mut self, batch: Circumstances) -> Decision {
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

    /// The server named so many bad lines. Does it name them one by one, and are there many?
    pub(crate) fn named(&mut self, lines: usize) -> bool {
        self.named_one = match lines {
            1 => self.named_one + 1,
            _ => 0,
        };
        self.failures = 0;
        self.refused_as = None;
        self.named_one >= ONE_BY_ONE
    }

    /// What a part of it starts with.
    pub(crate) fn inherited(self) -> Self {
        Self {
            // One failure more, and it is halved again.
            failures: self.failures.min(1),
            while_others_passed: 0,
            not_before: None,
            ..self
        }
    }

    /// Others go on, it waits: with full jitter, `random` being in [0, 1).
    pub(crate) fn wait(&mut self, now: Instant, random: f64, max_delay: Duration) {
        let doublings = self.failures.saturating_sub(1).min(16);
        let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(max_delay);
        self.not_before = Some(now + delay.mul_f64(random));
    }
}

#[cfg(test)]
mod tests;
