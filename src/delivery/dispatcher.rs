//! What is sent next, and what follows from what came of it: the backlog, the breakers, the turns
//! and what is known of each database, put together. Pure.
//!
//! What is done per event costs the same for one database and for a hundred thousand: nothing here
//! looks through all of them but a change of settings, a flush and the end.

mod outcome;

use std::time::{Duration, Instant};

use foldhash::HashMap;

pub(crate) use self::outcome::{Outcome, Terms};
use super::{
    backlog::{
        Backlog, Disposition, Due, Evicted, FileId, LoanId, Part, PartsPlace, Sealed, Settled,
        Taken,
    },
    breakers::{Attempt, Breakers, State},
    records::Records,
    round_robin::{RoundRobin, Standing},
};
use crate::{
    Database, Overflow,
    batch::{BatchLimits, Lines, OpenBatch},
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

    /// Is nothing sent, and nothing looked into?
    pub(crate) fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    /// Is nothing sent but probes of databases that have failed before?
    pub(crate) fn only_probes(&self) -> bool {
        let mut flights = self.flights.values();
        flights.all(|flight| flight.attempt.is_probe && flight.is_out)
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

    /// An endpoint before the one in use answers pings again.
    pub(crate) fn is_back(&mut self, endpoint: usize, now: Instant) {
        self.breakers.is_back(endpoint, now);
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

    /// Takes in a batch that is sealed.
    pub(crate) fn add_sealed(&mut self, sealed: Sealed, now: Instant) {
        let database = sealed.database.clone();
        self.backlog.add_sealed(sealed);
        self.place(&database, now);
    }

    /// Takes out a batch that is not lent, to be put on disk.
    pub(crate) fn evict_to_disk(&mut self, now: Instant) -> Option<Evicted> {
        let evicted = self.backlog.evict_to_disk()?;
        self.place(&evicted.database, now);
        Some(evicted)
    }

    /// Takes out what is not lent of a database and was loaded from such files.
    pub(crate) fn take_loaded(
        &mut self,
        database: &Database,
        is_wanted: impl Fn(FileId) -> bool,
        now: Instant,
    ) -> Vec<Evicted> {
        let taken = self.backlog.take_loaded(database, is_wanted);
        self.place(database, now);
        taken
    }

    /// A batch could not be put on disk.
    pub(crate) fn put_back(&mut self, evicted: Evicted, now: Instant) {
        let database = evicted.database.clone();
        self.backlog.put_back(evicted, now);
        self.place(&database, now);
    }

    /// A number for a batch of this process, or of an earlier one.
    pub(crate) fn take_number(&mut self, is_old: bool) -> u64 {
        match is_old {
            true => self.backlog.take_old_number(),
            false => self.backlog.take_number(),
        }
    }

    /// The files of batches that were settled since the last call, each once for each batch.
    pub(crate) fn take_released(&mut self) -> Vec<FileId> {
        self.backlog.take_released()
    }

    /// All that is not settled, out of the books.
    pub(crate) fn take_all(&mut self) -> Vec<Taken> {
        self.flights.clear();
        (self.guarded, self.in_flight) = (0, 0);
        self.turns.clear();
        self.backlog.take_all()
    }
}

#[cfg(test)]
mod tests;
