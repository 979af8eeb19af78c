//! Queues of all measurements that have left the thread buffers and are not settled. Pure.
//!
//! A database has an open batch, sealed batches, parts of batches that are being isolated, and
//! suspects. A batch in flight is *leased*: it stays in the backlog until each of its lines is
//! settled.

mod eviction;
mod queue;
mod spooling;

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use foldhash::HashMap;

use self::queue::{Job, Queue, Source};
pub(crate) use self::{
    queue::Due,
    spooling::{Evicted, FileId, Origin, Sealed, Taken},
};
use super::retry_history::RetryHistory;
use crate::{
    Database,
    batch::{Batch, BatchLimits, Lines, OpenBatch},
    stats::reason::GivenUp,
};

/// Identifies a batch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoanId(u64);

/// A batch in flight, as its writer sees it.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) id: LoanId,
    pub(crate) lines: Lines,
    /// Is this the first time that it is sent?
    pub(crate) is_first: bool,
}

/// How a pending line ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Written,
    Rejected { reason: String },
    Dropped(GivenUp),
}

/// What to do with a run of lines of a batch that was in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Ended(Disposition),
    /// Sent again, separately from the other runs.
    Apart,
    /// Sent again, in one batch with the other such runs.
    Together,
}

/// Position of parts that are sent again, among the parts of other batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartsPlace {
    Behind,
    /// In front, beginning with the first part or with the last one.
    Before {
        last_first: bool,
    },
}

/// A run of lines that has ended and left the backlog.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    /// Number of its batch: see [`Backlog::seal_all`].
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    pub(crate) disposition: Disposition,
}

/// A batch that has unsettled lines.
#[derive(Debug)]
struct Unsettled {
    lines: usize,
    database: Database,
    /// When its first and its newest line were added.
    began: Instant,
    newest: Instant,
    /// Spool files that hold lines of it.
    files: Vec<FileId>,
}

#[derive(Debug)]
pub(crate) struct Backlog {
    limits: BatchLimits,
    /// Maximum time between the first and the last line of an open batch.
    max_span: Option<Duration>,
    queues: HashMap<Database, Queue>,
    /// The databases by their number of pending lines.
    by_pending: BTreeMap<(usize, u64), Database>,
    pending: usize,
    lent: HashMap<LoanId, (Database, Job)>,
    next_queue: u64,
    next_loan: u64,
    /// Number of the next batch: batches are numbered in the order in which they began.
    next_number: u64,
    /// Number of the next batch of an earlier process.
    next_old_number: u64,
    unsettled: BTreeMap<u64, Unsettled>,
    /// Spool files of settled batches, once per batch.
    released: Vec<FileId>,
}

/// First batch number of this process; batches of earlier processes have lower ones.
const FIRST_NUMBER: u64 = 1 << 40;

/// With this many batches pending, a newly sealed one is not sent soon.
const MANY: usize = 16;

/// Fraction of `max_age` that the lines of one batch may be apart: a batch expires as a whole, with
/// its newest line.
const AGE_PART: u32 = 8;

impl Backlog {
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            max_span: None,
            queues: HashMap::default(),
            by_pending: BTreeMap::new(),
            pending: 0,
            lent: HashMap::default(),
            next_queue: 0,
            next_loan: 0,
            next_number: FIRST_NUMBER,
            next_old_number: 0,
            unsettled: BTreeMap::new(),
            released: Vec::new(),
        }
    }

    /// Sets the limits of batches; sealed batches are cut to them when they are leased.
    pub(crate) fn set_limits(&mut self, limits: BatchLimits, max_age: Option<Duration>) {
        self.limits = limits;
        self.max_span = max_age.map(|age| age / AGE_PART);
    }

    /// Adds lines drained from a thread buffer.
    pub(crate) fn add(&mut self, database: Database, batch: OpenBatch, now: Instant) {
        if batch.is_empty() {
            return;
        }
        let many_wait = self.unsettled.len() >= MANY;
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        let (lines, bytes) = (batch.len(), batch.byte_len());
        if !queue.open.is_empty() {
            let began = self
                .unsettled
                .get(&queue.open_number)
                .map(|open| open.began);
            let is_long_ago = began.is_some_and(|began| {
                let span = now.saturating_duration_since(began);
                self.max_span.is_some_and(|max| span > max)
            });
            if is_long_ago || !queue.open.has_room(lines, bytes, self.limits) {
                queue.seal(many_wait);
            }
        }
        if queue.open.is_empty() {
            queue.open_number = self.next_number;
            self.next_number += 1;
        }
        let unsettled = self
            .unsettled
            .entry(queue.open_number)
            .or_insert_with(|| Unsettled {
                lines: 0,
                database: database.clone(),
                began: now,
                newest: now,
                files: Vec::new(),
            });
        unsettled.lines += lines;
        unsettled.newest = now;
        queue.open.append(batch);
        self.change_pending(&database, |pending| pending + lines);
    }

    fn change_pending(&mut self, database: &Database, change: impl Fn(usize) -> usize) {
        let Some(queue) = self.queues.get_mut(database) else {
            return;
        };
        let name = self.by_pending.remove(&(queue.pending, queue.id));
        self.pending -= queue.pending;
        queue.pending = change(queue.pending);
        self.pending += queue.pending;
        let name = name.unwrap_or_else(|| database.clone());
        self.by_pending.insert((queue.pending, queue.id), name);
    }

    /// When the database has something to send; `None` if nothing is queued.
    pub(crate) fn due(&self, database: &Database, now: Instant) -> Option<Due> {
        self.queues.get(database)?.due(now)
    }

    /// Leases the next batch of a database, of at most `max_bytes`. `written` and `failed` count
    /// the database's POSTs so far.
    pub(crate) fn lend(
        &mut self,
        database: &Database,
        max_bytes: usize,
        (written, failed): (u64, u64),
        now: Instant,
    ) -> Option<Lent> {
        let limits = BatchLimits {
            bytes: self.limits.bytes.min(max_bytes),
            ..self.limits
        };
        let many_wait = self.unsettled.len() >= MANY;
        let mut job = self
            .queues
            .get_mut(database)?
            .next(limits, many_wait, now)?;
        job.history.sent(written, failed);
        let is_first = !std::mem::replace(&mut job.was_lent, true);
        let id = LoanId(self.next_loan);
        self.next_loan += 1;
        let lines = job.batch.lines.clone();
        self.lent.insert(id, (database.clone(), job));
        Some(Lent {
            id,
            lines,
            is_first,
        })
    }

    /// Database of a batch in flight.
    pub(crate) fn database(&self, id: LoanId) -> Option<&Database> {
        self.lent.get(&id).map(|(database, _)| database)
    }

    /// Lines of a batch in flight.
    pub(crate) fn lines(&self, id: LoanId) -> Option<&Lines> {
        self.lent.get(&id).map(|(_, job)| &job.batch.lines)
    }

    /// Retry history of a batch in flight.
    pub(crate) fn history(&mut self, id: LoanId) -> Option<&mut RetryHistory> {
        self.lent.get_mut(&id).map(|(_, job)| &mut job.history)
    }

    /// Does the database have parts of batches that were not sent yet?
    pub(crate) fn has_parts(&self, database: &Database) -> bool {
        self.queues.get(database).is_some_and(Queue::has_parts)
    }

    /// Puts a batch in flight back at the head of its queue, unchanged.
    pub(crate) fn give_back(&mut self, id: LoanId) {
        if let Some((queue, job)) = self.take_back(id) {
            queue.push_front(job);
        }
    }

    /// Moves a batch in flight to the suspects, so that others of its database don't wait for it.
    pub(crate) fn set_apart(&mut self, id: LoanId) {
        if let Some((queue, job)) = self.take_back(id) {
            queue.push_suspect(job);
        }
    }

    fn take_back(&mut self, id: LoanId) -> Option<(&mut Queue, Job)> {
        let (database, job) = self.lent.remove(&id)?;
        let queue = self.queues.get_mut(&database)?;
        queue.returned(&job);
        Some((queue, job))
    }

    /// Makes the oldest part the next one, because the part just sent led nowhere.
    pub(crate) fn turn_parts(&mut self, database: &Database) {
        if let Some(queue) = self.queues.get_mut(database) {
            queue.turn_parts();
        }
    }

    /// Settles or requeues the lines of a batch in flight; `runs` cover it in order.
    pub(crate) fn conclude(
        &mut self,
        id: LoanId,
        runs: impl IntoIterator<Item = (Range<usize>, Part)>,
        place: PartsPlace,
    ) -> Vec<Settled> {
        let Some((database, job)) = self.lent.remove(&id) else {
            return Vec::new();
        };
        let Some(queue) = self.queues.get_mut(&database) else {
            return Vec::new();
        };
        queue.returned(&job);
        let Job {
            number,
            origin,
            history,
            batch,
            ..
        } = job;
        let (ranges, parts): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let (mut settled, mut apart, mut together) = (Vec::new(), Vec::new(), Vec::new());
        for (batch, part) in batch.split(&ranges).into_iter().zip(parts) {
            match part {
                Part::Apart => apart.push(batch),
                Part::Together => together.push(batch),
                Part::Ended(disposition) => settled.push(Settled {
                    database: database.clone(),
                    batch,
                    number,
                    origin,
                    disposition,
                }),
            }
        }
        let joined = Batch::join(together);
        let part = |batch: Batch, history| Job {
            origin,
            ..Job::new(number, Source::Parts, batch.compacted(), history)
        };
        let inherited = history.inherited();
        let jobs = apart.into_iter().map(|batch| part(batch, inherited));
        // These lines are still the same batch: its history goes on.
        queue.push_parts(jobs.chain(joined.map(|batch| part(batch, history))), place);
        let lines = settled.iter().map(|run| run.batch.lines.len()).sum();
        self.leave(&database, number, lines);
        settled
    }

    /// Number of unsettled lines of the database.
    pub(crate) fn pending(&self, database: &Database) -> usize {
        self.queues.get(database).map_or(0, |queue| queue.pending)
    }

    /// Removes `lines` lines of the batch `number` from the totals.
    fn leave(&mut self, database: &Database, number: u64, lines: usize) {
        self.change_pending(database, |pending| pending - lines);
        if let Some(queue) = self.queues.get(database)
            && queue.is_idle()
        {
            self.by_pending.remove(&(queue.pending, queue.id));
            self.queues.remove(database);
        }
        if let Some(batch) = self.unsettled.get_mut(&number) {
            batch.lines -= lines;
            if batch.lines == 0
                && let Some(settled) = self.unsettled.remove(&number)
            {
                self.released.extend(settled.files);
            }
        }
    }

    /// Seals all open batches. Returns a mark: all batches present now have lower numbers.
    pub(crate) fn seal_all(&mut self) -> u64 {
        let many_wait = self.unsettled.len() >= MANY;
        for queue in self.queues.values_mut() {
            queue.seal(many_wait);
        }
        self.next_number
    }

    /// Number of unsettled lines in batches below a mark.
    pub(crate) fn unsettled_below(&self, mark: u64) -> usize {
        self.unsettled
            .range(..mark)
            .map(|(_, batch)| batch.lines)
            .sum()
    }

    /// Are all batches below the mark settled?
    pub(crate) fn is_settled_below(&self, mark: u64) -> bool {
        self.unsettled.range(..mark).next().is_none()
    }

    /// Does the database have unsettled lines?
    pub(crate) fn has(&self, database: &Database) -> bool {
        self.queues.contains_key(database)
    }

    /// Databases with pending lines, those with the most first.
    pub(crate) fn databases(&self) -> impl Iterator<Item = (&Database, usize)> {
        let all = self.by_pending.iter().rev();
        all.map(|((pending, _), database)| (database, *pending))
    }

    /// Lets all suspects be sent at once.
    pub(crate) fn release_suspects(&mut self) {
        self.queues.values_mut().for_each(Queue::release_suspects);
    }
}

fn queue_of<'a>(
    queues: &'a mut HashMap<Database, Queue>,
    next_queue: &mut u64,
    database: &Database,
) -> &'a mut Queue {
    queues.entry(database.clone()).or_insert_with(|| {
        *next_queue += 1;
        Queue::new(*next_queue)
    })
}

#[cfg(test)]
mod tests;
