//! What follows from the result of a POST.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{Dispatcher, Flight};
use crate::{
    Database,
    delivery::{
        backlog::{Disposition, LeaseId, PartPosition, RunResult, Settled},
        breaker::Failure,
        breakers::{Closed, Opened},
        isolation::{NamedLines, halves, runs_between},
        retry_history::{BatchContext, Next, Refusals},
        verdict::{Cause, Refusal, Retry},
    },
};

/// What followed from the result of a POST.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) settled: Vec<Settled>,
    pub(crate) opened: Opened,
    pub(crate) closed: Closed,
    /// Index of the URL; `None` if that endpoint is not in use any more.
    pub(crate) endpoint: Option<usize>,
    /// The failure counts against the database or the endpoint, not this batch alone.
    pub(crate) counts: bool,
    /// Number of lines that will be sent again.
    pub(crate) kept_lines: Option<usize>,
}

/// The inputs of a retry's delay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryTiming {
    pub(crate) now: Instant,
    /// In [0, 1).
    pub(crate) random: f64,
    pub(crate) max_delay: Duration,
}

impl Dispatcher {
    /// Notes that a writer has finished with a batch. Returns its flight, if the endpoint is still
    /// in use.
    fn end_flight(&mut self, lease: LeaseId, database: &Database) -> Option<Flight> {
        let flight = self.flights.get_mut(&lease)?;
        if std::mem::take(&mut flight.is_with_writer) {
            self.on_probation -= usize::from(flight.is_on_probation);
            self.in_flight -= flight.lines;
            self.turns.returned(database);
        }
        let flight = *flight;
        (flight.generation == self.generation).then_some(flight)
    }

    fn settle(
        &mut self,
        lease: LeaseId,
        runs: impl IntoIterator<Item = (Range<usize>, RunResult)>,
        place: PartPosition,
    ) -> Vec<Settled> {
        self.flights.remove(&lease);
        self.backlog.settle(lease, runs, place)
    }

    /// Handles a success that took less than `timeout`.
    pub(crate) fn written(&mut self, lease: LeaseId, now: Instant, timeout: Duration) -> Outcome {
        let Some((database, lines)) = self.leased(lease) else {
            return Outcome::default();
        };
        let mut outcome = Outcome::default();
        let most = self.limits.bytes;
        let flight = self.end_flight(lease, &database);
        let record = self.records.written(&database);
        if let Some(flight) = flight {
            let took = now.saturating_duration_since(flight.began);
            record.pace.written(flight.bytes, took, timeout, most);
            outcome.closed = self.breakers.succeed(&database, flight.attempt, now);
            outcome.endpoint = Some(flight.attempt.endpoint);
        }
        let written = RunResult::Ended(Disposition::Written);
        outcome.settled = self.settle(lease, [(0..lines, written)], PartPosition::Behind);
        self.finish(&database, outcome, now)
    }

    /// Handles a response that says that lines are bad, before they are found.
    pub(crate) fn answered(&mut self, lease: LeaseId, now: Instant) -> Outcome {
        let Some((database, _)) = self.leased(lease) else {
            return Outcome::default();
        };
        let mut outcome = Outcome::default();
        if let Some(flight) = self.end_flight(lease, &database) {
            outcome.closed = self.breakers.succeed(&database, flight.attempt, now);
            outcome.endpoint = Some(flight.attempt.endpoint);
        }
        self.finish(&database, outcome, now)
    }

    /// Rejects the lines that a response names, after [`answered`](Self::answered); `refusal` is
    /// about lines.
    pub(crate) fn named(
        &mut self,
        lease: LeaseId,
        named: NamedLines,
        refusal: &Refusal,
        now: Instant,
    ) -> Outcome {
        let Some((database, lines)) = self.leased(lease) else {
            return Outcome::default();
        };
        let rejected = |reason: &str| {
            let reason = reason.to_owned();
            RunResult::Ended(Disposition::Rejected { reason })
        };
        let one_by_one = match (&named, self.backlog.history(lease)) {
            (NamedLines::Some(bad), Some(history)) => history.named(bad.len()),
            _ => false,
        };
        let runs = match named {
            NamedLines::Some(bad) => runs_between(lines, bad, one_by_one),
            NamedLines::All { reason } => vec![(0..lines, rejected(&reason))],
            NamedLines::None if lines == 1 => vec![(0..1, rejected(&refusal.reason))],
            NamedLines::None => halves(lines),
        };
        let settled = self.settle(lease, runs, PartPosition::Behind);
        let outcome = Outcome {
            settled,
            ..Outcome::default()
        };
        self.finish(&database, outcome, now)
    }

    /// Handles a refusal whose text is not known to be about lines.
    pub(crate) fn refused(
        &mut self,
        lease: LeaseId,
        refusal: &Refusal,
        timing: RetryTiming,
    ) -> Outcome {
        let normalized = {
            use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
            BuildHasherDefault::<DefaultHasher>::default().hash_one(&refusal.normalized)
        };
        let Some((batch_context, database)) = self.batch_context(lease) else {
            return Outcome::default();
        };
        let others_wait = self.backlog.has_parts(&database);
        let record = self.records.of(&database);
        record.refusals += 1;
        let refusals = Refusals {
            in_a_row: record.refusals,
            halving_stopped_for: record.halving_stopped_for,
            others_wait,
        };
        let Some(history) = self.backlog.history(lease) else {
            return Outcome::default();
        };
        let decision = history.refused(false, normalized, batch_context, refusals);
        let is_single = batch_context.lines == 1;
        if decision.next == Next::Keep && !is_single {
            self.records.of(&database).halving_stopped_for = Some(normalized);
        }
        let retry = Retry::refused(refusal);
        // A random half first: bad lines often stand together.
        let last_first = timing.random < 0.5;
        let place = PartPosition::Before { last_first };
        let mut outcome = self.account(lease, &database, &retry, decision.counts, timing);
        outcome.kept_lines = (decision.next != Next::Reject).then_some(batch_context.lines);
        match decision.next {
            Next::Halve => {
                outcome.settled = self.settle(lease, halves(batch_context.lines), place);
            }
            Next::Reject => outcome.settled = self.reject(lease, &refusal.reason),
            Next::Keep => {
                self.make_suspect(lease, decision.counts, timing);
                if is_single {
                    self.backlog.rotate_parts(&database);
                }
            }
        }
        self.finish(&database, outcome, timing.now)
    }

    /// Handles a response that calls the batch too large.
    pub(crate) fn too_large(
        &mut self,
        lease: LeaseId,
        reason: &str,
        timing: RetryTiming,
    ) -> Outcome {
        let Some((batch_context, database)) = self.batch_context(lease) else {
            return Outcome::default();
        };
        let Some(history) = self.backlog.history(lease) else {
            return Outcome::default();
        };
        let decision = history.too_large(batch_context);
        let retry = Retry::too_large(reason);
        let mut outcome = match decision.next {
            Next::Keep => self.account(lease, &database, &retry, decision.counts, timing),
            // The server works: it has answered.
            Next::Halve | Next::Reject => self.answered(lease, timing.now),
        };
        match decision.next {
            Next::Halve => {
                let pace = &mut self.records.of(&database).pace;
                pace.lower(batch_context.bytes, false);
                let halves = halves(batch_context.lines);
                outcome.settled = self.settle(lease, halves, PartPosition::Behind);
            }
            Next::Reject => outcome.settled = self.reject(lease, reason),
            Next::Keep => self.make_suspect(lease, decision.counts, timing),
        }
        self.finish(&database, outcome, timing.now)
    }

    /// Handles a failure to deliver the batch.
    pub(crate) fn failed(&mut self, lease: LeaseId, retry: &Retry, timing: RetryTiming) -> Outcome {
        let Some((batch_context, database)) = self.batch_context(lease) else {
            return Outcome::default();
        };
        let Some(history) = self.backlog.history(lease) else {
            return Outcome::default();
        };
        let decision = history.failed(retry.cause, batch_context);
        if matches!(retry.cause, Cause::Unknown | Cause::ServerFault) {
            self.records.of(&database).failed += 1;
        }
        let mut outcome = self.account(lease, &database, retry, decision.counts, timing);
        outcome.kept_lines = (decision.next != Next::Reject).then_some(batch_context.lines);
        match decision.next {
            Next::Halve => {
                let pace = &mut self.records.of(&database).pace;
                pace.lower(batch_context.bytes, retry.is_timeout);
                let halves = halves(batch_context.lines);
                let last_first = timing.random < 0.5;
                let place = PartPosition::Before { last_first };
                outcome.settled = self.settle(lease, halves, place);
            }
            Next::Reject => outcome.settled = self.reject(lease, &retry.reason),
            // The next probe is another batch, if there is one.
            Next::Keep if matches!(retry.cause, Cause::Unknown | Cause::ServerFault) => {
                self.make_suspect(lease, decision.counts, timing);
            }
            Next::Keep => {
                self.flights.remove(&lease);
                self.backlog.requeue(lease);
            }
        }
        self.finish(&database, outcome, timing.now)
    }

    /// Returns a batch whose writer has died to its queue.
    pub(crate) fn requeue(&mut self, lease: LeaseId, now: Instant) {
        let Some((database, _)) = self.leased(lease) else {
            return;
        };
        if let Some(flight) = self.end_flight(lease, &database) {
            self.breakers.fail_alone(&database, flight.attempt, now);
        }
        self.flights.remove(&lease);
        self.backlog.requeue(lease);
        self.update_standing(&database, now);
    }

    /// Counts the failure against the database and the endpoint, if `counts`.
    fn account(
        &mut self,
        lease: LeaseId,
        database: &Database,
        retry: &Retry,
        counts: bool,
        timing: RetryTiming,
    ) -> Outcome {
        let Some(flight) = self.end_flight(lease, database) else {
            return Outcome::default();
        };
        let mut outcome = Outcome {
            endpoint: Some(flight.attempt.endpoint),
            counts,
            ..Outcome::default()
        };
        if counts {
            let RetryTiming {
                now,
                random,
                max_delay,
            } = timing;
            let failure = Failure {
                now,
                random,
                max_delay,
                not_before: retry.not_before,
            };
            let (opened, closed) = self.breakers.fail(database, flight.attempt, retry, failure);
            (outcome.opened, outcome.closed) = (opened, closed);
        } else {
            self.breakers
                .fail_alone(database, flight.attempt, timing.now);
        }
        outcome
    }

    fn make_suspect(&mut self, lease: LeaseId, counts: bool, timing: RetryTiming) {
        if !counts && let Some(history) = self.backlog.history(lease) {
            history.wait(timing.now, timing.random, timing.max_delay);
        }
        self.flights.remove(&lease);
        self.backlog.make_suspect(lease);
    }

    fn reject(&mut self, lease: LeaseId, reason: &str) -> Vec<Settled> {
        let lines = self.leased(lease).map_or(0, |(_, lines)| lines);
        let reason = reason.to_owned();
        let rejected = RunResult::Ended(Disposition::Rejected { reason });
        self.settle(lease, [(0..lines, rejected)], PartPosition::Behind)
    }

    /// Index of the URL that a batch was sent to, if that endpoint is still in use.
    pub(crate) fn endpoint(&self, lease: LeaseId) -> Option<usize> {
        let flight = self.flights.get(&lease)?;
        (flight.generation == self.generation).then_some(flight.attempt.endpoint)
    }

    fn leased(&self, lease: LeaseId) -> Option<(Database, usize)> {
        let database = self.backlog.database(lease)?.clone();
        Some((database, self.backlog.lines(lease)?.len()))
    }

    fn batch_context(&mut self, lease: LeaseId) -> Option<(BatchContext, Database)> {
        let database = self.backlog.database(lease)?.clone();
        let lines = self.backlog.lines(lease)?;
        let (lines, bytes) = (lines.len(), lines.byte_len());
        let record = self.records.of(&database);
        let batch_context = BatchContext {
            lines,
            bytes,
            written: record.written,
            failed: record.failed,
        };
        Some((batch_context, database))
    }

    fn finish(&mut self, database: &Database, outcome: Outcome, now: Instant) -> Outcome {
        for freed in &outcome.closed.freed {
            self.update_standing(freed, now);
        }
        self.update_standing(database, now);
        outcome
    }
}
