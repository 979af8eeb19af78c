//! Queues of all measurements that have left the thread buffers and are not settled. Pure.
//!
//! A database has an open batch, sealed batches, parts of batches that are being isolated, and
//! suspects. A batch in flight is *leased*: it stays in the backlog until each of its lines is
//! settled.

mod eviction;
mod leases;
mod queue;
mod spooling;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use foldhash::HashMap;

use self::queue::{Job, Queue};
pub(crate) use self::{
    leases::{LeaseId, PartPosition, RunResult},
    queue::Due,
    spooling::{Evicted, FileId, Leftover, Origin, SealedBatch},
};
use crate::{
    Database,
    batch::{Batch, BatchLimits, OpenBatch},
    stats::reason::LossReason,
};

/// How a pending line ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Written,
    Rejected { reason: String },
    Dropped(LossReason),
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
    leased: HashMap<LeaseId, (Database, Job)>,
    next_queue: u64,
    next_lease: u64,
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
const MANY_BATCHES: usize = 16;

/// Fraction of `max_age` that the lines of one batch may be apart: a batch expires as a whole, with
/// its newest line.
pub(crate) const MAX_AGE_DIVISOR: u32 = 8;

impl Backlog {
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            max_span: None,
            queues: HashMap::default(),
            by_pending: BTreeMap::new(),
            pending: 0,
            leased: HashMap::default(),
            next_queue: 0,
            next_lease: 0,
            next_number: FIRST_NUMBER,
            next_old_number: 0,
            unsettled: BTreeMap::new(),
            released: Vec::new(),
        }
    }

    /// Sets the limits of batches; sealed batches are cut to them when they are leased.
    pub(crate) fn set_limits(&mut self, limits: BatchLimits, max_age: Option<Duration>) {
        self.limits = limits;
        self.max_span = max_age.map(|age| age / MAX_AGE_DIVISOR);
    }

    /// Adds lines drained from a thread buffer.
    pub(crate) fn add(&mut self, database: Database, batch: OpenBatch, now: Instant) {
        if batch.is_empty() {
            return;
        }
        let many_pending = self.unsettled.len() >= MANY_BATCHES;
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
                queue.seal(many_pending);
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

    /// Whether the database has parts of batches that were not sent yet.
    pub(crate) fn has_parts(&self, database: &Database) -> bool {
        self.queues.get(database).is_some_and(Queue::has_parts)
    }

    /// Makes the oldest part the next one, because the part just sent led nowhere.
    pub(crate) fn rotate_parts(&mut self, database: &Database) {
        if let Some(queue) = self.queues.get_mut(database) {
            queue.rotate_parts();
        }
    }

    /// Number of unsettled lines of the database.
    pub(crate) fn pending(&self, database: &Database) -> usize {
        self.queues.get(database).map_or(0, |queue| queue.pending)
    }

    /// Removes `lines` lines of the batch `number` from the totals.
    fn remove_lines(&mut self, database: &Database, number: u64, lines: usize) {
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
        let many_pending = self.unsettled.len() >= MANY_BATCHES;
        for queue in self.queues.values_mut() {
            queue.seal(many_pending);
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

    /// Whether all batches below the mark are settled.
    pub(crate) fn is_settled_below(&self, mark: u64) -> bool {
        self.unsettled.range(..mark).next().is_none()
    }

    /// Whether the database has unsettled lines.
    pub(crate) fn has_unsettled(&self, database: &Database) -> bool {
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
