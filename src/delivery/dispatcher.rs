//! Decides what is sent next, and what follows from each result, with the backlog, the breakers,
//! the round robin and the history of each database. Pure.
//!
//! The cost per event doesn't depend on the number of databases; only a change of settings, a flush
//! and shutdown iterate over all.

mod outcome;

use std::time::{Duration, Instant};

use foldhash::HashMap;

pub(crate) use self::outcome::{Outcome, RetryTiming};
use super::{
    backlog::{
        Backlog, Disposition, Due, Evicted, FileId, LeaseId, Leftover, PartPosition, RunResult,
        SealedBatch, Settled,
    },
    breakers::{Attempt, Breakers, State},
    database_records::DatabaseRecords,
    round_robin::{RoundRobin, Standing},
};
use crate::{
    Database, Overflow,
    batch::{BatchLimits, Lines, OpenBatch},
    stats::reason::LossReason,
};

#[derive(Debug)]
pub(crate) struct Dispatcher {
    backlog: Backlog,
    breakers: Breakers,
    records: DatabaseRecords,
    turns: RoundRobin,
    /// The state of the breakers when each batch in flight was sent.
    flights: HashMap<LeaseId, Flight>,
    /// Number of batches in flight that are probes, or of unproven databases while others fail.
    on_probation: usize,
    /// Number of lines in flight.
    in_flight: usize,
    /// Counts changes of the endpoints: results from before the last change say nothing of the new
    /// ones.
    generation: u32,
    limits: BatchLimits,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    attempt: Attempt,
    is_on_probation: bool,
    generation: u32,
    began: Instant,
    bytes: usize,
    /// Whether the batch is still with a writer. `false` once the server has answered, while bad lines are
    /// isolated.
    is_with_writer: bool,
    lines: usize,
}

/// A batch to be sent.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) lease: LeaseId,
    pub(crate) database: Database,
    /// Index of the URL.
    pub(crate) endpoint: usize,
    pub(crate) lines: Lines,
}

#[derive(Debug)]
pub(crate) enum NextUp {
    Send(Dispatch),
    /// The batch did not pass sampling.
    Sampled(Vec<Settled>),
}

impl Dispatcher {
    pub(crate) fn new(endpoints: usize, limits: BatchLimits, max_age: Option<Duration>) -> Self {
        let mut backlog = Backlog::new(limits);
        backlog.set_limits(limits, max_age);
        Self {
            backlog,
            breakers: Breakers::new(endpoints),
            records: DatabaseRecords::default(),
            turns: RoundRobin::default(),
            flights: HashMap::default(),
            on_probation: 0,
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

    /// Whether nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    /// Whether nothing is in flight but probes of databases that have failed before.
    pub(crate) fn only_probes(&self) -> bool {
        let mut flights = self.flights.values();
        flights.all(|flight| flight.attempt.is_probe && flight.is_with_writer)
    }

    /// Number of lines in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Sets the limits, from the next batch on, also for queued batches.
    pub(crate) fn set_limits(&mut self, limits: BatchLimits, max_age: Option<Duration>) {
        self.limits = limits;
        self.backlog.set_limits(limits, max_age);
    }

    /// Closes all breakers, for other endpoints or other credentials.
    pub(crate) fn set_endpoints(&mut self, endpoints: usize, now: Instant) {
        self.breakers = Breakers::new(endpoints);
        self.generation += 1;
        self.update_all_standings(now);
    }

    /// Adds lines drained from a thread buffer.
    pub(crate) fn add(&mut self, database: Database, batch: OpenBatch, now: Instant) {
        if batch.is_empty() {
            return;
        }
        self.backlog.add(database.clone(), batch, now);
        self.update_standing(&database, now);
    }

    /// Updates a database's place in the round robin, after any change.
    fn update_standing(&mut self, database: &Database, now: Instant) {
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
                // Its probe decides.
                (State::Probed, _) => None,
            }
        });
        self.turns.set(database, standing);
        if due.is_none() && !self.backlog.has_unsettled(database) {
            self.breakers.forget(database);
            self.records.is_idle(database);
        }
    }

    fn update_all_standings(&mut self, now: Instant) {
        let all: Vec<_> = self
            .backlog
            .databases()
            .map(|(name, _)| name.clone())
            .collect();
        all.iter()
            .for_each(|database| self.update_standing(database, now));
    }

    /// The next batch that may be sent, if any, with at most `writers` in flight. `draw` returns
    /// whether the batch passes sampling.
    pub(crate) fn next(
        &mut self,
        writers: usize,
        now: Instant,
        draw: impl FnOnce() -> bool,
    ) -> Option<NextUp> {
        self.turns.advance(now);
        let (database, endpoint, is_on_probation) = self.choose(writers, now)?;
        let record = self.records.of(&database);
        let max_bytes = record.pace.limit();
        let so_far = (record.written, record.failed);
        let Some(leased) = self.backlog.lease(&database, max_bytes, so_far, now) else {
            self.update_standing(&database, now);
            return None;
        };
        if leased.is_first && !draw() {
            let all = 0..leased.lines.len();
            let sampled = RunResult::Ended(Disposition::Dropped(LossReason::Sampled));
            let settled = self
                .backlog
                .settle(leased.id, [(all, sampled)], PartPosition::Behind);
            self.update_standing(&database, now);
            return Some(NextUp::Sampled(settled));
        }
        let attempt = self.breakers.send(&database, endpoint, now);
        let is_on_probation = is_on_probation || attempt.is_probe;
        self.on_probation += usize::from(is_on_probation);
        let flight = Flight {
            attempt,
            is_on_probation,
            generation: self.generation,
            began: now,
            bytes: leased.lines.byte_len(),
            is_with_writer: true,
            lines: leased.lines.len(),
        };
        self.in_flight += flight.lines;
        self.flights.insert(leased.id, flight);
        self.turns.sent(&database);
        self.update_standing(&database, now);
        Some(NextUp::Send(Dispatch {
            lease: leased.id,
            database,
            endpoint,
            lines: leased.lines,
        }))
    }

    /// Chooses the next database, its endpoint, and whether it is on probation. Databases that have
    /// not failed go first; probes, and unproven databases while others fail, hold at most half of
    /// the writers. So databases that fail never hold up those that work.
    fn choose(&self, writers: usize, now: Instant) -> Option<(Database, usize, bool)> {
        if !self.breakers.admits_any(now) {
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
            let is_on_probation = is_limited && !is_proven;
            if is_on_probation && (in_flight > 0 || self.on_probation >= half) {
                return None;
            }
            Some((database.clone(), endpoint, is_on_probation))
        };
        // Databases with batches in flight are skipped; there are at most as many as writers.
        let enough = writers + 1;
        let next = match is_limited && self.on_probation >= half {
            true => self.turns.ready_and_proven().take(enough).find_map(ready),
            false => self.turns.ready().take(enough).find_map(ready),
        };
        if next.is_some() || self.on_probation >= half {
            return next;
        }
        let mut probes = self.turns.probes().take(enough);
        let probe = probes.find(|database| self.turns.in_flight(database) < share)?;
        let endpoint = self.breakers.endpoint(probe, false, now)?;
        Some((probe.clone(), endpoint, true))
    }

    /// When something can be sent that can't be sent `now`, if only time prevents it.
    pub(crate) fn next_send_at(&self, now: Instant) -> Option<Instant> {
        let next = self
            .turns
            .next_at()
            .filter(|_| self.breakers.admits_any(now));
        let endpoint = self
            .breakers
            .next_probe_at()
            .filter(|_| self.backlog.oldest().is_some());
        [next, endpoint]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// Prefers an endpoint again that answers pings.
    pub(crate) fn fail_back(&mut self, endpoint: usize, now: Instant) {
        self.breakers.fail_back(endpoint, now);
    }

    /// Lets everything be tried at once.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        self.breakers.retry_now(now);
        self.backlog.release_suspects();
        self.update_all_standings(now);
    }

    /// Lets this database be tried at once.
    pub(crate) fn retry_database_now(&mut self, database: &Database, now: Instant) {
        self.breakers.retry_database_now(database, now);
        self.update_standing(database, now);
    }

    /// Removes a queued batch to make room.
    pub(crate) fn evict(&mut self, overflow: Overflow, now: Instant) -> Option<Settled> {
        let evicted = self.backlog.evict(overflow)?;
        self.update_standing(&evicted.database, now);
        Some(evicted)
    }

    /// Removes queued lines older than `limit`.
    pub(crate) fn expire(&mut self, limit: Instant, now: Instant) -> Vec<Settled> {
        let expired = self.backlog.expire(limit);
        for settled in &expired {
            self.update_standing(&settled.database, now);
        }
        expired
    }

    /// Seals all open batches. Returns a mark: all batches present now have lower numbers.
    pub(crate) fn seal_all(&mut self) -> u64 {
        self.backlog.seal_all()
    }

    /// Adds a sealed batch.
    pub(crate) fn add_sealed(&mut self, sealed: SealedBatch, now: Instant) {
        let database = sealed.database.clone();
        self.backlog.add_sealed(sealed);
        self.update_standing(&database, now);
    }

    /// Removes a queued batch to write it to disk.
    pub(crate) fn evict_to_disk(&mut self, now: Instant) -> Option<Evicted> {
        let evicted = self.backlog.evict_to_disk()?;
        self.update_standing(&evicted.database, now);
        Some(evicted)
    }

    /// Removes the queued batches of a database that were loaded from files that `is_wanted`
    /// accepts.
    pub(crate) fn take_loaded(
        &mut self,
        database: &Database,
        is_wanted: impl Fn(FileId) -> bool,
        now: Instant,
    ) -> Vec<Evicted> {
        let taken = self.backlog.take_loaded(database, is_wanted);
        self.update_standing(database, now);
        taken
    }

    /// Puts a batch back that could not be written to disk.
    pub(crate) fn put_back(&mut self, evicted: Evicted, now: Instant) {
        let database = evicted.database.clone();
        self.backlog.put_back(evicted, now);
        self.update_standing(&database, now);
    }

    /// Returns a number for a batch of this process, or of an earlier one.
    pub(crate) fn take_number(&mut self, is_old: bool) -> u64 {
        match is_old {
            true => self.backlog.take_old_number(),
            false => self.backlog.take_number(),
        }
    }

    /// Spool files of batches that were settled since the last call, once per batch.
    pub(crate) fn take_released(&mut self) -> Vec<FileId> {
        self.backlog.take_released()
    }

    /// Removes all unsettled batches.
    pub(crate) fn take_all(&mut self) -> Vec<Leftover> {
        self.flights.clear();
        (self.on_probation, self.in_flight) = (0, 0);
        self.turns.clear();
        self.backlog.take_all()
    }
}

#[cfg(test)]
mod tests;
