//! What is sent next, and what follows from what came of it: the backlog, the breakers, the turns
//! and what is known of each database, put together. Pure.
//!
//! What is done per event costs the same for one database and for a hundred thousand: nothing here
//! looks through all of them but a change of settings, a flush and the end.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use foldhash::HashMap;

use super::{
    backlog::{Backlog, Disposition, Due, LoanId, Part, PartsPlace, Settled},
    breaker::Failure,
    breakers::{Attempt, Breakers, Closed, Opened, State},
    isolation::{Named, halves, runs_between},
    records::Records,
    retry_history::{Circumstances, Next, Refusals},
    round_robin::{RoundRobin, Standing},
    verdict::{Cause, Refusal, Retry},
};
use crate::{
    Database, Overflow,
    batch::{Batch, BatchLimits, Lines, OpenBatch},
    stats::reason::GivenUp,
};

#[derive(Debug)]
pub(crate) struct Dispatcher {
    backlog: Backlog,
    breakers: Breakers,
    records: Records,
    turns: RoundRobin,
    /// What each batch that is lent was sent under.
    flights: HashMap<LoanId, Flight>,
    /// How many of those are probes, or of databases that have proved nothing while others fail.
    guarded: usize,
    /// Lines of the batches that are out.
    in_flight: usize,
    /// Counts the changes of endpoints: what was sent before the last says nothing of the new ones.
    generation: u32,
    limits: BatchLimits,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    attempt: Attempt,
    is_guarded: bool,
    generation: u32,
    began: Instant,
    bytes: usize,
    /// Is it out? Not once the server has answered, while its lines are looked into.
    is_out: bool,
    lines: usize,
}

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) loan: LoanId,
    pub(crate) database: Database,
    /// By number.
    pub(crate) endpoint: usize,
    pub(crate) lines: Lines,
}

#[derive(Debug)]
pub(crate) enum NextUp {
    Send(Dispatch),
    /// It was not drawn.
    Sampled(Vec<Settled>),
}

/// What followed from an answer, or from none.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) settled: Vec<Settled>,
    pub(crate) opened: Opened,
    pub(crate) closed: Closed,
    /// Where it was sent to; `None` if that endpoint is not in use any more.
    pub(crate) endpoint: Option<usize>,
    /// The fault is the database's or the endpoint's, and not that of this batch alone.
    pub(crate) counts: bool,
    /// How many lines will be sent again.
    pub(crate) is_kept: Option<usize>,
}

/// What a failure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) now: Instant,
    /// In [0, 1).
    pub(crate) random: f64,
    pub(crate) max_delay: Duration,
}

impl Dispatcher {
    pub(crate) fn new(endpoints: usize, limits: BatchLimits, max_age: Option<Duration>) -> Self {
        let mut backlog = Backlog::new(limits);
        backlog.set_limits(limits, max_age);
        Self {
            backlog,
            breakers: Breakers::new(endpoints),
            records: Records::default(),
            turns: RoundRobin::default(),
            flights: HashMap::default(),
            guarded: 0,
            in_flight: 0,
            generation: 0,
            limits,
        }
    }

    pub(crate) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    pub(crate) fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// How many lines are being sent.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// For the next batch on, also of what waits.
    pub(crate) fn set_limits(&mut self, limits: BatchLimits, max_age: Option<Duration>) {
        self.limits = limits;
        self.backlog.set_limits(limits, max_age);
    }

    /// Other endpoints, or the same with other credentials: nothing is known against them.
    pub(crate) fn set_endpoints(&mut self, endpoints: usize, now: Instant) {
        self.breakers = Breakers::new(endpoints);
        self.generation += 1;
        self.replace_all(now);
    }

    /// Takes in what came from a thread buffer.
    pub(crate) fn add(&mut self, database: Database, batch: OpenBatch, now: Instant) {
        if batch.is_empty() {
            return;
        }
        self.backlog.add(database.clone(), batch, now);
        self.place(&database, now);
    }

    /// Puts a database where it belongs, after anything about it has changed.
    fn place(&mut self, database: &Database, now: Instant) {
        let written = self
            .records
            .get(database)
            .map_or(0, |record| record.last_written);
        let is_proven = written > 0;
        let due = self.backlog.due(database, now);
        let standing = due.and_then(|due| {
            let at = match due {
                Due::Now => now,
                Due::At(at) => at,
            };
            match (self.breakers.state(database), due) {
                (State::Ready, Due::Now) => Some(Standing::Ready { is_proven }),
                (State::Ready, Due::At(at)) => Some(Standing::Later { at, is_proven }),
                (State::Waits { until }, _) => Some(Standing::Probe {
                    at: until.max(at),
                    written,
                }),
                // Its answer tells.
                (State::Probed, _) => None,
            }
        });
        self.turns.set(database, standing);
        if due.is_none() && !self.backlog.has(database) {
            self.breakers.forget(database);
            self.records.is_idle(database);
        }
    }

    fn replace_all(&mut self, now: Instant) {
        let all: Vec<_> = self
            .backlog
            .databases()
            .map(|(name, _)| name.clone())
            .collect();
        all.iter().for_each(|database| self.place(database, now));
    }

    /// The next batch that may be sent, if there is one, with `writers` at the most being out. `draw`
    /// says whether a batch is sent at all, or left out for sampling.
    pub(crate) fn next(
        &mut self,
        writers: usize,
        now: Instant,
        draw: impl FnOnce() -> bool,
    ) -> Option<NextUp> {
        self.turns.advance(now);
        let (database, endpoint, is_guarded) = self.choose(writers, now)?;
        let record = self.records.of(&database);
        let max_bytes = record.pace.limit();
        let so_far = (record.written, record.failed);
        let Some(lent) = self.backlog.lend(&database, max_bytes, so_far, now) else {
            self.place(&database, now);
            return None;
        };
        if lent.is_first && !draw() {
            let all = 0..lent.lines.len();
            let sampled = Part::Ended(Disposition::Dropped(GivenUp::Sampled));
            let settled = self
                .backlog
                .conclude(lent.id, [(all, sampled)], PartsPlace::Behind);
            self.place(&database, now);
            return Some(NextUp::Sampled(settled));
        }
        let attempt = self.breakers.send(&database, endpoint, now);
        let is_guarded = is_guarded || attempt.is_probe;
        self.guarded += usize::from(is_guarded);
        let flight = Flight {
            attempt,
            is_guarded,
            generation: self.generation,
            began: now,
            bytes: lent.lines.byte_len(),
            is_out: true,
            lines: lent.lines.len(),
        };
        self.in_flight += flight.lines;
        self.flights.insert(lent.id, flight);
        self.turns.sent(&database);
        self.place(&database, now);
        Some(NextUp::Send(Dispatch {
            loan: lent.id,
            database,
            endpoint,
            lines: lent.lines,
        }))
    }

    /// The database whose turn it is, where its batch goes to, and whether it has to prove itself
    /// first. Those that have not failed come before those that have; probes, and databases that
    /// have proved nothing while others fail, hold at most half of the writers. So what works is
    /// never held up by what doesn't.
    fn choose(&self, writers: usize, now: Instant) -> Option<(Database, usize, bool)> {
        if !self.breakers.passes_any(now) {
            return None;
        }
        let half = (writers / 2).max(1);
        let is_limited = self.breakers.any_fails();
        let share = self.turns.share(writers, is_limited);
        let ready = |database: &Database| {
            let in_flight = self.turns.in_flight(database);
            let record = self.records.get(database);
            let may_have = record.map_or(share, |record| share.min(record.pace.writers()));
            if in_flight >= may_have {
                return None;
            }
            let endpoint = self.breakers.endpoint(database, true, now)?;
            let is_proven = record.is_some_and(|record| record.written > 0);
            let is_guarded = is_limited && !is_proven;
            if is_guarded && (in_flight > 0 || self.guarded >= half) {
                return None;
            }
            Some((database.clone(), endpoint, is_guarded))
        };
        // Whoever has batches out already is passed over: these are at most as many as the writers.
        let enough = writers + 1;
        let next = match is_limited && self.guarded >= half {
            true => self.turns.ready_and_proven().take(enough).find_map(ready),
            false => self.turns.ready().take(enough).find_map(ready),
        };
        if next.is_some() || self.guarded >= half {
            return next;
        }
        let mut probes = self.turns.probes().take(enough);
        let probe = probes.find(|database| self.turns.in_flight(database) < share)?;
        let endpoint = self.breakers.endpoint(probe, false, now)?;
        Some((probe.clone(), endpoint, true))
    }

    /// When something may be sent that may not be `now`, if only time keeps it from that.
    pub(crate) fn opens_at(&self, now: Instant) -> Option<Instant> {
        let next = self
            .turns
            .next_at()
            .filter(|_| self.breakers.passes_any(now));
        let endpoint = self
            .breakers
            .opens_at()
            .filter(|_| self.backlog.oldest().is_some());
        [next, endpoint]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// A writer has done with a batch. What it was sent under, if that endpoint is still in use.
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

    /// The server has taken it, within the `timeout` for a request.
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

    /// The server has said what is wrong with some of its lines: which, is to be found.
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

    /// What the answer names of its lines. `refusal` is about lines, and was [answered](Self::answered).
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

    /// The server has refused it in words that no server is known to use for lines.
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
        // Which part is looked into first is left to chance: bad lines often stand together.
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

    /// The server finds it too large.
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
            // It works, and says so.
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

    /// It could not be delivered, for now.
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
            // The next probe is of something else, if there is anything.
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

    /// Nothing is known of it: the one who had it is no more.
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

    /// Does the failure count against the database and the endpoint?
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

    /// Where a batch was sent to, if that endpoint is still in use.
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

    /// Something has changed: try everything at once.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        self.breakers.retry_now(now);
        self.backlog.release_suspects();
        self.replace_all(now);
    }

    /// Something has changed for this database: try it at once.
    pub(crate) fn retry_database_now(&mut self, database: &Database, now: Instant) {
        self.breakers.retry_database_now(database, now);
        self.place(database, now);
    }

    /// Gives up a batch that is not lent, because there is too much.
    pub(crate) fn evict(&mut self, overflow: Overflow, now: Instant) -> Option<Settled> {
        let evicted = self.backlog.evict(overflow)?;
        self.place(&evicted.database, now);
        Some(evicted)
    }

    /// Gives up what came before `limit`.
    pub(crate) fn expire(&mut self, limit: Instant, now: Instant) -> Vec<Settled> {
        let expired = self.backlog.expire(limit);
        for settled in &expired {
            self.place(&settled.database, now);
        }
        expired
    }

    /// Seals what still grows. Returns a mark: all that is here now is numbered below it.
    pub(crate) fn seal_all(&mut self) -> u64 {
        self.backlog.seal_all()
    }

    /// All that is not settled, out of the books.
    pub(crate) fn take_all(&mut self) -> Vec<(Database, u64, Batch)> {
        self.flights.clear();
        (self.guarded, self.in_flight) = (0, 0);
        self.turns.clear();
        self.backlog.take_all()
    }
}

#[cfg(test)]
mod tests;
