//! All that has left the thread buffers and is not settled: the buffer actor's books. Pure.
//!
//! Per database: a batch that still grows, sealed batches, parts of batches that are looked into, and
//! suspects. What is sent is *lent*: it stays here until it is settled, line by line.

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

/// Names a batch that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoanId(u64);

/// What a borrower gets to see.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) id: LoanId,
    pub(crate) lines: Lines,
    /// Was it never lent before?
    pub(crate) is_first: bool,
}

/// How a pending line ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Written,
    Rejected { reason: String },
    Dropped(GivenUp),
}

/// What is known of a run of lines of a batch that was lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Ended(Disposition),
    /// To be sent again, apart from the other runs.
    Apart,
    /// To be sent again, together with the other such runs.
    Together,
}

/// Where parts that are to be sent again go among those of other batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartsPlace {
    Behind,
    /// Before them, the first part or the last one first.
    Before {
        last_first: bool,
    },
}

/// A run of lines that has ended, out of the books.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    /// For [`Backlog::seal_all`]'s marks.
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    pub(crate) disposition: Disposition,
}

/// A batch that is not settled as a whole.
#[derive(Debug)]
struct Unsettled {
    lines: usize,
    database: Database,
    /// When the first line came, and the last one.
    began: Instant,
    newest: Instant,
    /// Files of the spool that hold lines of it.
    files: Vec<FileId>,
}

#[derive(Debug)]
pub(crate) struct Backlog {
    limits: BatchLimits,
    /// How long lines may come into a batch that grows.
    max_span: Option<Duration>,
    queues: HashMap<Database, Queue>,
    /// The queues by how much they have pending.
    by_pending: BTreeMap<(usize, u64), Database>,
    pending: usize,
    lent: HashMap<LoanId, (Database, Job)>,
    next_queue: u64,
    next_loan: u64,
    /// Counts the batches, in the order in which they began.
    next_number: u64,
    /// The same, for batches of earlier processes.
    next_old_number: u64,
    unsettled: BTreeMap<u64, Unsettled>,
    /// Files of batches that are settled, once for each batch.
    released: Vec<FileId>,
}

/// The first number of a batch of this process: those of earlier ones have lower numbers.
const FIRST_NUMBER: u64 = 1 << 40;

/// So many batches, of all databases, are more than are about to be sent.
const MANY: usize = 16;

/// Of the time after which measurements expire, the part that those of one batch may be apart: they
/// expire together, with the newest.
pub(crate) const AGE_PART: u32 = 8;

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

    /// What waits is cut anew when it is lent.
    pub(crate) fn set_limits(&mut self, limits: BatchLimits, max_age: Option<Duration>) {
        self.limits = limits;
        self.max_span = max_age.map(|age| age / AGE_PART);
    }

    /// Takes in what came from a thread buffer.
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

    /// When the database has something to send, if it has anything that is not lent.
    pub(crate) fn due(&self, database: &Database, now: Instant) -> Option<Due> {
        self.queues.get(database)?.due(now)
    }

    /// Lends the next batch of a database, of at most `max_bytes`. So many POSTs of it were written
    /// so far, and so many failed.
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

    /// Whose batch is lent, if it still is.
    pub(crate) fn database(&self, id: LoanId) -> Option<&Database> {
        self.lent.get(&id).map(|(database, _)| database)
    }

    /// The lines of a batch that is lent.
    pub(crate) fn lines(&self, id: LoanId) -> Option<&Lines> {
        self.lent.get(&id).map(|(_, job)| &job.batch.lines)
    }

    /// What has happened to a batch that is lent.
    pub(crate) fn history(&mut self, id: LoanId) -> Option<&mut RetryHistory> {
        self.lent.get_mut(&id).map(|(_, job)| &mut job.history)
    }

    /// Are there parts of batches of this database that were not sent yet?
    pub(crate) fn has_parts(&self, database: &Database) -> bool {
        self.queues.get(database).is_some_and(Queue::has_parts)
    }

    /// Nothing became of it: it goes back to the head of its queue.
    pub(crate) fn give_back(&mut self, id: LoanId) {
        if let Some((queue, job)) = self.take_back(id) {
            queue.push_front(job);
        }
    }

    /// Nothing became of it, and others of its database are not to wait for it.
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

    /// The part that was made first is the next one: that on hand leads nowhere.
    pub(crate) fn turn_parts(&mut self, database: &Database) {
        if let Some(queue) = self.queues.get_mut(database) {
            queue.turn_parts();
        }
    }

    /// What is known of the lines of a batch that was lent: the runs cover it in order.
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
        // What is left together is the batch as it was: its history goes on.
        queue.push_parts(jobs.chain(joined.map(|batch| part(batch, history))), place);
        let lines = settled.iter().map(|run| run.batch.lines.len()).sum();
        self.leave(&database, number, lines);
        settled
    }

    /// How many lines of the database are not settled.
    pub(crate) fn pending(&self, database: &Database) -> usize {
        self.queues.get(database).map_or(0, |queue| queue.pending)
    }

    /// Lines of a database, from the batch `number`, have left the books.
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

    /// Seals what still grows. Returns a mark: all that is here now is numbered below it.
    pub(crate) fn seal_all(&mut self) -> u64 {
        let many_wait = self.unsettled.len() >= MANY;
        for queue in self.queues.values_mut() {
            queue.seal(many_wait);
        }
        self.next_number
    }

    /// The lines below a mark that are not settled.
    pub(crate) fn unsettled_below(&self, mark: u64) -> usize {
        self.unsettled
            .range(..mark)
            .map(|(_, batch)| batch.lines)
            .sum()
    }

    /// Is nothing below the mark unsettled?
    pub(crate) fn is_settled_below(&self, mark: u64) -> bool {
        self.unsettled.range(..mark).next().is_none()
    }

    /// Has the database anything that is not settled?
    pub(crate) fn has(&self, database: &Database) -> bool {
        self.queues.contains_key(database)
    }

    /// The databases that have something pending, those with the most first.
    pub(crate) fn databases(&self) -> impl Iterator<Item = (&Database, usize)> {
        let all = self.by_pending.iter().rev();
        all.map(|((pending, _), database)| (database, *pending))
    }

    /// Nothing that is kept apart waits any longer.
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
