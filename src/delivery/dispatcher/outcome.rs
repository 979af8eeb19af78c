//! What follows from the result of a POST.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{Dispatcher, Flight};
use crate::{
    Database,
    delivery::{
        backlog::{Disposition, LoanId, Part, PartsPlace, Settled},
        breaker::Failure,
        breakers::{Closed, Opened},
        isolation::{Named, halves, runs_between},
        retry_history::{Circumstances, Next, Refusals},
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
    pub(crate) is_kept: Option<usize>,
}

/// The inputs of a retry's delay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) now: Instant,
    /// In [0, 1).
    pub(crate) random: f64,
    pub(crate) max_delay: Duration,
}

impl Dispatcher {
    /// Notes that a writer has finished with a batch. Returns its flight, if the endpoint is still
    /// in use.
    fn land(&mut self, loan: LoanId, database: &Database) -> Option<Flight> {
        let flight = self.flights.get_mut(&loan)?;
        if std::mem::take(&mut flight.is_out) {
            self.guarded -= usize::from(flight.is_guarded);
            self.in_flight -= flight.lines;
            self.turns.returned(database);
        }
        let flight = *flight;
        (flight.generation == self.generation).then_some(flight)
    }

    fn conclude(
        &mut self,
        loan: LoanId,
        runs: impl IntoIterator<Item = (Range<usize>, Part)>,
        place: PartsPlace,
    ) -> Vec<Settled> {
        self.flights.remove(&loan);
        self.backlog.conclude(loan, runs, place)
    }

    /// Handles a success that took less than `timeout`.
    pub(crate) fn written(&mut self, loan: LoanId, now: Instant, timeout: Duration) -> Outcome {
        let Some((database, lines)) = self.lent(loan) else {
            return Outcome::default();
        };
        let mut outcome = Outcome::default();
        let most = self.limits.bytes;
        let flight = self.land(loan, &database);
        let record = self.records.written(&database);
        if let Some(flight) = flight {
            let took = now.saturating_duration_since(flight.began);
            record.pace.written(flight.bytes, took, timeout, most);
            outcome.closed = self.breakers.succeed(&database, flight.attempt, now);
            outcome.endpoint = Some(flight.attempt.endpoint);
        }
        let written = Part::Ended(Disposition::Written);
        outcome.settled = self.conclude(loan, [(0..lines, written)], PartsPlace::Behind);
        self.finish(&database, outcome, now)
    }

    /// Handles a response that says that lines are bad, before they are found.
    pub(crate) fn answered(&mut self, loan: LoanId, now: Instant) -> Outcome {
        let Some((database, _)) = self.lent(loan) else {
            return Outcome::default();
        };
        let mut outcome = Outcome::default();
        if let Some(flight) = self.land(loan, &database) {
            outcome.closed = self.breakers.succeed(&database, flight.attempt, now);
            outcome.endpoint = Some(flight.attempt.endpoint);
        }
        self.finish(&database, outcome, now)
    }

    /// Rejects the lines that a response names, after [`answered`](Self::answered); `refusal` is
    /// about lines.
    pub(crate) fn named(
        &mut self,
        loan: LoanId,
        named: Named,
        refusal: &Refusal,
        now: Instant,
    ) -> Outcome {
        let Some((database, lines)) = self.lent(loan) else {
            return Outcome::default();
        };
        let rejected = |reason: &str| {
            let reason = reason.to_owned();
            Part::Ended(Disposition::Rejected { reason })
        };
        let one_by_one = match (&named, self.backlog.history(loan)) {
            (Named::Some(bad), Some(history)) => history.named(bad.len()),
            _ => false,
        };
        let runs = match named {
            Named::Some(bad) => runs_between(lines, bad, one_by_one),
            Named::All { reason } => vec![(0..lines, rejected(&reason))],
            Named::None if lines == 1 => vec![(0..1, rejected(&refusal.reason))],
            Named::None => halves(lines),
        };
        let settled = self.conclude(loan, runs, PartsPlace::Behind);
        let outcome = Outcome {
            settled,
            ..Outcome::default()
        };
        self.finish(&database, outcome, now)
    }

    /// Handles a refusal whose text is not known to be about lines.
    pub(crate) fn refused(&mut self, loan: LoanId, refusal: &Refusal, terms: Terms) -> Outcome {
        let words = {
            use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
            BuildHasherDefault::<DefaultHasher>::default().hash_one(&refusal.words)
        };
        let Some((circumstances, database)) = self.circumstances(loan) else {
            return Outcome::default();
        };
        let others_wait = self.backlog.has_parts(&database);
        let record = self.records.of(&database);
        record.refusals += 1;
        let refusals = Refusals {
            in_a_row: record.refusals,
            stopped_at: record.stopped_at,
            others_wait,
        };
        let Some(history) = self.backlog.history(loan) else {
            return Outcome::default();
        };
        let decision = history.refused(false, words, circumstances, refusals);
        let is_single = circumstances.lines == 1;
        if decision.next == Next::Keep && !is_single {
            self.records.of(&database).stopped_at = Some(words);
        }
        let retry = Retry::refused(refusal);
        // A random half first: bad lines often stand together.
        let last_first = terms.random < 0.5;
        let place = PartsPlace::Before { last_first };
        let mut outcome = self.account(loan, &database, &retry, decision.counts, terms);
        outcome.is_kept = (decision.next != Next::Reject).then_some(circumstances.lines);
        match decision.next {
            Next::Halve => {
                outcome.settled = self.conclude(loan, halves(circumstances.lines), place);
            }
            Next::Reject => outcome.settled = self.reject(loan, &refusal.reason),
            Next::Keep => {
                self.set_apart(loan, decision.counts, terms);
                if is_single {
                    self.backlog.turn_parts(&database);
                }
            }
        }
        self.finish(&database, outcome, terms.now)
    }

    /// Handles a response that calls the batch too large.
    pub(crate) fn too_large(&mut self, loan: LoanId, reason: &str, terms: Terms) -> Outcome {
        let Some((circumstances, database)) = self.circumstances(loan) else {
            return Outcome::default();
        };
        let Some(history) = self.backlog.history(loan) else {
            return Outcome::default();
        };
        let decision = history.too_large(circumstances);
        let retry = Retry::too_large(reason);
        let mut outcome = match decision.next {
            Next::Keep => self.account(loan, &database, &retry, decision.counts, terms),
            // The server works: it has answered.
            Next::Halve | Next::Reject => self.answered(loan, terms.now),
        };
        match decision.next {
            Next::Halve => {
                let pace = &mut self.records.of(&database).pace;
                pace.lower(circumstances.bytes, false);
                let halves = halves(circumstances.lines);
                outcome.settled = self.conclude(loan, halves, PartsPlace::Behind);
            }
            Next::Reject => outcome.settled = self.reject(loan, reason),
            Next::Keep => self.set_apart(loan, decision.counts, terms),
        }
        self.finish(&database, outcome, terms.now)
    }

    /// Handles a failure to deliver the batch.
    pub(crate) fn failed(&mut self, loan: LoanId, retry: &Retry, terms: Terms) -> Outcome {
        let Some((circumstances, database)) = self.circumstances(loan) else {
            return Outcome::default();
        };
        let Some(history) = self.backlog.history(loan) else {
            return Outcome::default();
        };
        let decision = history.failed(retry.cause, circumstances);
        if matches!(retry.cause, Cause::Unknown | Cause::Trouble) {
            self.records.of(&database).failed += 1;
        }
        let mut outcome = self.account(loan, &database, retry, decision.counts, terms);
        outcome.is_kept = (decision.next != Next::Reject).then_some(circumstances.lines);
        match decision.next {
            Next::Halve => {
                let pace = &mut self.records.of(&database).pace;
                pace.lower(circumstances.bytes, retry.is_timeout);
                let halves = halves(circumstances.lines);
                let last_first = terms.random < 0.5;
                let place = PartsPlace::Before { last_first };
                outcome.settled = self.conclude(loan, halves, place);
            }
            Next::Reject => outcome.settled = self.reject(loan, &retry.reason),
            // The next probe is another batch, if there is one.
            Next::Keep if matches!(retry.cause, Cause::Unknown | Cause::Trouble) => {
                self.set_apart(loan, decision.counts, terms);
            }
            Next::Keep => {
                self.flights.remove(&loan);
                self.backlog.give_back(loan);
            }
        }
        self.finish(&database, outcome, terms.now)
    }

    /// Returns a batch whose writer has died to its queue.
    pub(crate) fn give_back(&mut self, loan: LoanId, now: Instant) {
        let Some((database, _)) = self.lent(loan) else {
            return;
        };
        if let Some(flight) = self.land(loan, &database) {
            self.breakers.fail_alone(&database, flight.attempt, now);
        }
        self.flights.remove(&loan);
        self.backlog.give_back(loan);
        self.place(&database, now);
    }

    /// Counts the failure against the database and the endpoint, if `counts`.
    fn account(
        &mut self,
        loan: LoanId,
        database: &Database,
        retry: &Retry,
        counts: bool,
        terms: Terms,
    ) -> Outcome {
        let Some(flight) = self.land(loan, database) else {
            return Outcome::default();
        };
        let mut outcome = Outcome {
            endpoint: Some(flight.attempt.endpoint),
            counts,
            ..Outcome::default()
        };
        if counts {
            let Terms {
                now,
                random,
                max_delay,
            } = terms;
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
                .fail_alone(database, flight.attempt, terms.now);
        }
        outcome
    }

    fn set_apart(&mut self, loan: LoanId, counts: bool, terms: Terms) {
        if !counts && let Some(history) = self.backlog.history(loan) {
            history.wait(terms.now, terms.random, terms.max_delay);
        }
        self.flights.remove(&loan);
        self.backlog.set_apart(loan);
    }

    fn reject(&mut self, loan: LoanId, reason: &str) -> Vec<Settled> {
        let lines = self.lent(loan).map_or(0, |(_, lines)| lines);
        let reason = reason.to_owned();
        let rejected = Part::Ended(Disposition::Rejected { reason });
        self.conclude(loan, [(0..lines, rejected)], PartsPlace::Behind)
    }

    /// Index of the URL that a batch was sent to, if that endpoint is still in use.
    pub(crate) fn endpoint(&self, loan: LoanId) -> Option<usize> {
        let flight = self.flights.get(&loan)?;
        (flight.generation == self.generation).then_some(flight.attempt.endpoint)
    }

    fn lent(&self, loan: LoanId) -> Option<(Database, usize)> {
        let database = self.backlog.database(loan)?.clone();
        Some((database, self.backlog.lines(loan)?.len()))
    }

    fn circumstances(&mut self, loan: LoanId) -> Option<(Circumstances, Database)> {
        let database = self.backlog.database(loan)?.clone();
        let lines = self.backlog.lines(loan)?;
        let (lines, bytes) = (lines.len(), lines.byte_len());
        let record = self.records.of(&database);
        let circumstances = Circumstances {
            lines,
            bytes,
            written: record.written,
            failed: record.failed,
        };
        Some((circumstances, database))
    }

    fn finish(&mut self, database: &Database, outcome: Outcome, now: Instant) -> Outcome {
        for freed in &outcome.closed.freed {
            self.place(freed, now);
        }
        self.place(database, now);
        outcome
    }
}
