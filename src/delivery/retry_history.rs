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
mod tests {
    use super::*;

    fn batch(lines: usize, written: u64) -> Circumstances {
        Circumstances {
            lines,
            bytes: 100 * lines,
            written,
            failed: 0,
        }
    }

    const NONE: Refusals = Refusals {
        in_a_row: 0,
        stopped_at: None,
        others_wait: false,
    };

    fn decision(next: Next, counts: bool) -> Decision {
        Decision { next, counts }
    }

    fn sent(written: u64) -> RetryHistory {
        let mut history = RetryHistory::default();
        history.sent(written, 0);
        history
    }

    #[test]
    fn an_unavailable_server_says_nothing_of_a_batch() {
        let mut history = sent(0);
        for cause in [Cause::Unavailable, Cause::Configuration] {
            for _ in 0..9 {
                let after = history.failed(cause, batch(9, 0));
                assert_eq!(after, decision(Next::Keep, true));
            }
        }
        assert_eq!(history.failures, 0);
    }

    #[test]
    fn after_two_failures_in_a_row_a_batch_is_halved_and_its_parts_after_one_more() {
        for cause in [Cause::Unknown, Cause::Trouble] {
            let mut history = sent(0);
            assert_eq!(
                history.failed(cause, batch(8, 0)),
                decision(Next::Keep, true)
            );
            assert_eq!(
                history.failed(cause, batch(8, 0)),
                decision(Next::Halve, true)
            );
            let mut half = history.inherited();
            assert_eq!(half.failed(cause, batch(4, 0)), decision(Next::Halve, true));
        }
    }

    #[test]
    fn a_part_is_sent_at_once_and_is_no_suspect_line_yet() {
        let whole = RetryHistory {
            failures: 5,
            while_others_passed: MAX_FAILURES_OF_A_LINE,
            named_one: 3,
            not_before: Some(Instant::now()),
            ..sent(4)
        };
        let part = whole.inherited();
        assert_eq!((part.failures, part.while_others_passed), (1, 0));
        assert_eq!((part.named_one, part.written_then), (3, 4));
        assert_eq!(part.not_before, None);
    }

    #[test]
    fn failures_with_an_unavailable_server_in_between_are_not_in_a_row() {
        let mut history = sent(0);
        history.failed(Cause::Unknown, batch(8, 0));
        history.failed(Cause::Unavailable, batch(8, 0));
        let after = history.failed(Cause::Unknown, batch(8, 0));
        assert_eq!(after, decision(Next::Keep, true));
    }

    #[test]
    fn while_others_of_its_database_pass_a_failure_says_nothing_of_the_database() {
        let mut history = sent(5);
        assert!(history.failed(Cause::Unknown, batch(8, 5)).counts);
        assert!(!history.failed(Cause::Unknown, batch(8, 6)).counts);
        assert!(history.failed(Cause::Unknown, batch(8, 6)).counts);
        let mut long_under_way = sent(5);
        assert!(!long_under_way.failed(Cause::Unknown, batch(8, 6)).counts);
    }

    #[test]
    fn a_single_line_is_rejected_only_if_others_passed_between_all_its_failures() {
        let (mut alone, mut among_others, mut among_failures) = (sent(0), sent(0), sent(0));
        for time in 1..100 {
            let after = alone.failed(Cause::Unknown, batch(1, 0));
            assert_eq!(after, decision(Next::Keep, true), "{time}");
        }
        let among = |written, failed| Circumstances {
            failed,
            ..batch(1, written)
        };
        for time in 1..u64::from(MAX_FAILURES_OF_A_LINE) {
            // Its own failures are counted too.
            let after = among_others.failed(Cause::Unknown, among(time, time - 1));
            assert_eq!(after, decision(Next::Keep, false));
        }
        let after = among_others.failed(Cause::Unknown, among(99, among_others.failed_then));
        assert_eq!(after, decision(Next::Reject, false));
        for time in 1..100 {
            let after = among_failures.failed(Cause::Unknown, among(time, 2 * time));
            assert_eq!(after, decision(Next::Keep, false), "others fail as well");
        }
    }

    #[test]
    fn no_line_is_rejected_for_the_servers_own_trouble() {
        let mut history = sent(0);
        for written in 1..100 {
            let after = history.failed(Cause::Trouble, batch(1, written));
            assert_eq!(after, decision(Next::Keep, false));
        }
    }

    #[test]
    fn a_refusal_in_the_words_for_lines_is_halved_down_to_the_line() {
        let refused = |lines| sent(0).refused(true, 7, batch(lines, 0), NONE);
        assert_eq!(refused(2), decision(Next::Halve, false));
        assert_eq!(refused(1), decision(Next::Reject, false));
    }

    #[test]
    fn a_single_line_refused_in_unknown_words_is_rejected_once_another_was_taken_since() {
        let mut history = sent(3);
        let refused = |history: &mut RetryHistory, written| {
            history.refused(false, 7, batch(1, written), NONE)
        };
        assert_eq!(refused(&mut history, 3), decision(Next::Keep, true));
        history.sent(3, 0);
        assert_eq!(refused(&mut history, 3), decision(Next::Keep, true));
        history.sent(4, 0);
        assert_eq!(refused(&mut history, 4), decision(Next::Reject, false));
    }

    #[test]
    fn a_refused_line_says_nothing_of_its_database_if_others_passed_or_may_still_pass() {
        let others_passed = sent(3).refused(false, 7, batch(1, 4), NONE);
        assert_eq!(others_passed, decision(Next::Keep, false));
        let others_wait = Refusals {
            others_wait: true,
            ..NONE
        };
        let others_may_pass = sent(3).refused(false, 7, batch(1, 3), others_wait);
        assert_eq!(others_may_pass, decision(Next::Keep, false));
    }

    #[test]
    fn halving_stops_if_a_half_is_refused_in_the_same_words_and_nothing_was_ever_taken() {
        let mut whole = sent(0);
        let after = whole.refused(false, 7, batch(8, 0), NONE);
        assert_eq!(after, decision(Next::Halve, false));
        let others_wait = Refusals {
            others_wait: true,
            ..NONE
        };
        let half = || whole.inherited();
        let first = half().refused(false, 7, batch(4, 0), others_wait);
        assert_eq!(
            first,
            decision(Next::Keep, false),
            "the other half may pass"
        );
        let second = half().refused(false, 7, batch(4, 0), NONE);
        assert_eq!(second, decision(Next::Keep, true));
        let in_other_words = half().refused(false, 8, batch(4, 0), NONE);
        assert_eq!(in_other_words.next, Next::Halve);
        let after_a_success = half().refused(false, 7, batch(4, 1), NONE);
        assert_eq!(after_a_success.next, Next::Halve);
        let stopped = Refusals {
            stopped_at: Some(7),
            ..NONE
        };
        let another = sent(0).refused(false, 7, batch(8, 0), stopped);
        assert_eq!(
            another,
            decision(Next::Keep, true),
            "the next batch is not halved"
        );
    }

    #[test]
    fn endless_unknown_refusals_of_a_database_that_worked_once_slow_down() {
        let refused = |in_a_row| {
            let refusals = Refusals { in_a_row, ..NONE };
            sent(3).refused(false, 7, batch(8, 3), refusals)
        };
        assert_eq!(refused(MAX_REFUSALS), decision(Next::Halve, false));
        assert_eq!(refused(MAX_REFUSALS + 1), decision(Next::Halve, true));
    }

    #[test]
    fn a_line_that_is_too_large_is_rejected_unless_it_is_small() {
        let too_large = |lines, bytes| {
            let batch = Circumstances {
                lines,
                bytes,
                written: 0,
                failed: 0,
            };
            sent(0).too_large(batch)
        };
        assert_eq!(too_large(2, 100), decision(Next::Halve, false));
        assert_eq!(too_large(1, SMALL_LINE + 1), decision(Next::Reject, false));
        assert_eq!(too_large(1, SMALL_LINE), decision(Next::Keep, true));
        assert_eq!(too_large(1, 1_000), decision(Next::Keep, true));
        let mut small = sent(0);
        let before_others = small.too_large(batch(1, 0));
        assert_eq!(before_others, decision(Next::Keep, true));
        assert_eq!(small.too_large(batch(1, 0)).next, Next::Keep);
        assert_eq!(small.too_large(batch(1, 1)).next, Next::Reject);
        let after_others = sent(0).too_large(batch(1, 1));
        assert_eq!(after_others, decision(Next::Keep, false));
    }

    #[test]
    fn lines_that_are_named_one_by_one_are_soon_taken_for_many() {
        let mut history = sent(0);
        for _ in 1..ONE_BY_ONE {
            assert!(!history.named(1));
        }
        assert!(history.named(1));
        assert!(!history.named(2));
    }

    #[test]
    fn a_suspect_waits_longer_and_longer_up_to_the_limit() {
        let now = Instant::now();
        let max = Duration::from_secs(2);
        let mut history = sent(0);
        let seconds = [0.5, 1.0, 2.0, 2.0];
        for wanted in seconds {
            history.failed(Cause::Unknown, batch(1, 0));
            history.wait(now, 1.0, max);
            let wanted = Duration::from_secs_f64(wanted);
            assert_eq!(history.not_before, Some(now + wanted));
        }
        for _ in 0..1_000 {
            history.failed(Cause::Unknown, batch(1, 0));
        }
        history.wait(now, 0.5, max);
        assert_eq!(history.not_before, Some(now + max / 2));
    }
}
