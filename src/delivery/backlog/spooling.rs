//! Batches that move between memory and disk, and the spool files that hold copies of them.

use std::time::Instant;

use super::{
    Backlog, LeaseId, MANY_BATCHES, Unsettled,
    queue::{Job, Queue, SubQueue},
    queue_of,
};
use crate::{Database, Overflow, batch::Batch, delivery::retry_history::RetryHistory};

/// Identifies a spool file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) u64);

/// Where a batch comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The thread buffers.
    Recorded,
    /// The thread buffers, with a copy on disk.
    WrittenAhead,
    /// A spool file, which stays until the batch is settled. Doesn't count against the quota.
    Loaded,
}

/// A sealed batch that is added to the backlog; it has passed sampling.
#[derive(Debug)]
pub(crate) struct SealedBatch {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    pub(crate) origin: Origin,
    /// Its previous number; `None` for a batch of an earlier process.
    pub(crate) number: Option<u64>,
    pub(crate) history: RetryHistory,
    /// Spool files that hold its lines, once per batch in the file.
    pub(crate) files: Vec<FileId>,
    /// When its newest line was added.
    pub(crate) newest: Instant,
}

/// A batch that was removed to be written to disk.
#[derive(Debug)]
pub(crate) struct Evicted {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    /// Whether the batch has passed sampling.
    pub(crate) passed_sampling: bool,
    pub(crate) history: RetryHistory,
    /// Spool files that hold copies of its lines, needed until it is written to disk.
    pub(crate) files: Vec<FileId>,
    pub(crate) newest: Option<Instant>,
}

/// A batch that was removed at shutdown.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) database: Database,
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    pub(crate) passed_sampling: bool,
    pub(crate) batch: Batch,
    /// When the newest line was recorded.
    pub(crate) newest: Option<Instant>,
}

impl From<Evicted> for Leftover {
    fn from(evicted: Evicted) -> Self {
        Self {
            database: evicted.database,
            number: evicted.number,
            origin: evicted.origin,
            passed_sampling: true,
            batch: evicted.batch,
            newest: evicted.newest,
        }
    }
}

impl Backlog {
    /// Returns a number for a batch of this process.
    pub(crate) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// Returns a number for a batch of an earlier process.
    pub(crate) fn take_old_number(&mut self) -> u64 {
        self.next_old_number += 1;
        self.next_old_number - 1
    }

    /// Adds a sealed batch.
    pub(crate) fn add_sealed(&mut self, sealed: SealedBatch) {
        let SealedBatch {
            database,
            batch,
            origin,
            number,
            history,
            files,
            newest,
        } = sealed;
        let number = number.unwrap_or_else(|| self.take_old_number());
        let subqueue = subqueue_of(origin);
        let many_pending = self.unsettled.len() >= MANY_BATCHES;
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        // Older lines are sent first.
        if subqueue == SubQueue::Fresh {
            queue.seal(many_pending);
        }
        let lines = self.note_unsettled(&database, number, &batch, newest, files);
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        queue.push_sealed(Job {
            origin,
            was_leased: true,
            ..Job::new(number, subqueue, batch, history)
        });
        self.change_pending(&database, |pending| pending + lines);
    }

    fn note_unsettled(
        &mut self,
        database: &Database,
        number: u64,
        batch: &Batch,
        newest: Instant,
        files: Vec<FileId>,
    ) -> usize {
        let lines = batch.lines.len();
        let unsettled = self.unsettled.entry(number).or_insert_with(|| Unsettled {
            lines: 0,
            database: database.clone(),
            began: newest,
            newest,
            files: Vec::new(),
        });
        unsettled.lines += lines;
        unsettled.files.extend(files);
        lines
    }

    /// Removes a queued batch to write it to disk: the oldest of a database that exceeds its fair
    /// share.
    pub(crate) fn evict_to_disk(&mut self) -> Option<Evicted> {
        let database = self.oldest_above_share().or_else(|| self.largest())?;
        let many_pending = self.unsettled.len() >= MANY_BATCHES;
        let queue = self.queues.get_mut(&database)?;
        queue.seal(many_pending);
        let job = queue.take(Overflow::Spool)?;
        Some(self.evicted(database, job))
    }

    /// The queued batches of a database that were loaded: the file of each, and its bytes.
    pub(crate) fn loaded(&self, database: &Database) -> impl Iterator<Item = (FileId, usize)> {
        let queue = self.queues.get(database).into_iter();
        queue.flat_map(Queue::loaded).filter_map(|job| {
            let file = self.unsettled.get(&job.number)?.files.last().copied()?;
            Some((file, job.batch.lines.byte_len()))
        })
    }

    /// Removes the queued batches of a database that were loaded from files that `is_wanted`
    /// accepts, to move them to another file.
    pub(crate) fn take_loaded(
        &mut self,
        database: &Database,
        is_wanted: impl Fn(FileId) -> bool,
    ) -> Vec<Evicted> {
        let unsettled = &self.unsettled;
        let is_from_it = |number: u64| {
            let about = unsettled.get(&number);
            about.is_some_and(|about| about.files.iter().copied().any(&is_wanted))
        };
        let queue = self.queues.get_mut(database);
        let jobs = queue.map_or_else(Vec::new, |queue| queue.take_loaded(is_from_it));
        let evicted = |job| self.evicted(database.clone(), job);
        jobs.into_iter().map(evicted).collect()
    }

    fn evicted(&mut self, database: Database, job: Job) -> Evicted {
        let about = self.unsettled.get(&job.number);
        let (files, newest) = match about {
            Some(about) => (about.files.clone(), Some(about.newest)),
            None => (Vec::new(), None),
        };
        self.remove_lines(&database, job.number, job.batch.lines.len());
        Evicted {
            database,
            batch: job.batch,
            number: job.number,
            origin: job.origin,
            passed_sampling: job.was_leased,
            history: job.history,
            files,
            newest,
        }
    }

    /// Puts a batch that could not be written to disk back at the head of its queue.
    pub(crate) fn put_back(&mut self, evicted: Evicted, now: Instant) {
        let Evicted {
            database,
            batch,
            number,
            origin,
            passed_sampling,
            history,
            files,
            newest,
        } = evicted;
        let subqueue = subqueue_of(origin);
        let newest = newest.unwrap_or(now);
        let lines = self.note_unsettled(&database, number, &batch, newest, files);
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        queue.push_front(Job {
            origin,
            was_leased: passed_sampling,
            ..Job::new(number, subqueue, batch, history)
        });
        self.change_pending(&database, |pending| pending + lines);
    }

    /// Spool files of batches that were settled since the last call, once per batch.
    pub(crate) fn take_released(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.released)
    }

    /// The spool file that a batch in flight was loaded from, if any.
    pub(crate) fn loaded_from(&self, id: LeaseId) -> Option<FileId> {
        let (_, job) = self.leased.get(&id)?;
        let unsettled = self.unsettled.get(&job.number)?;
        let file = unsettled.files.last().copied();
        file.filter(|_| job.origin == Origin::Loaded)
    }

    /// Removes all unsettled batches, also those in flight.
    pub(crate) fn take_all(&mut self) -> Vec<Leftover> {
        let mut all: Vec<_> = self.leased.drain().map(|(_, leased)| leased).collect();
        for (database, queue) in self.queues.drain() {
            all.extend(queue.into_jobs().map(|job| (database.clone(), job)));
        }
        self.by_pending.clear();
        self.pending = 0;
        let unsettled = std::mem::take(&mut self.unsettled);
        all.sort_by(|(a, x), (b, y)| (a, x.number).cmp(&(b, y.number)));
        let taken = |(database, job): (Database, Job)| Leftover {
            newest: unsettled.get(&job.number).map(|about| about.newest),
            database,
            number: job.number,
            origin: job.origin,
            passed_sampling: job.was_leased,
            batch: job.batch,
        };
        all.into_iter().map(taken).collect()
    }
}

fn subqueue_of(origin: Origin) -> SubQueue {
    match origin {
        Origin::Recorded | Origin::WrittenAhead => SubQueue::Fresh,
        Origin::Loaded => SubQueue::Loaded,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::batch::{BatchLimits, OpenBatch};

    const LIMITS: BatchLimits = BatchLimits {
        lines: 10,
        bytes: 1_000,
    };

    fn open(lines: usize) -> OpenBatch {
        let mut batch = OpenBatch::default();
        (0..lines).for_each(|_| batch.push(b"m f=1i 1\n"));
        batch
    }

    fn loaded(database: &'static str, lines: usize, file: u64, now: Instant) -> SealedBatch {
        SealedBatch {
            database: database.into(),
            batch: open(lines).seal(true),
            origin: Origin::Loaded,
            number: None,
            history: RetryHistory::default(),
            files: vec![FileId(file)],
            newest: now,
        }
    }

    #[test]
    fn the_oldest_goes_to_disk_and_never_what_was_loaded_from_there() {
        let (mut backlog, now) = (Backlog::new(LIMITS), Instant::now());
        backlog.add_sealed(loaded("db", 3, 7, now));
        backlog.add("db".into(), open(10), now);
        backlog.add("db".into(), open(10), now);
        let mark = backlog.seal_all();
        let first = backlog.evict_to_disk().unwrap();
        let second = backlog.evict_to_disk().unwrap();
        assert!(first.number < second.number);
        assert!(
            !first.passed_sampling && first.origin == Origin::Recorded && first.files.is_empty()
        );
        assert!(backlog.evict_to_disk().is_none());
        assert_eq!(backlog.unsettled_below(mark), 3);
        // A batch that could not be stored is the first one again.
        let number = first.number;
        backlog.put_back(second, now);
        backlog.put_back(first, now);
        assert_eq!(backlog.unsettled_below(mark), 23);
        assert_eq!(backlog.evict_to_disk().unwrap().number, number);
    }

    #[test]
    fn recorded_and_loaded_batches_take_turns_and_a_file_is_released_once_for_each_batch() {
        let (mut backlog, now) = (Backlog::new(LIMITS), Instant::now());
        let database = Database::from("db");
        backlog.add_sealed(loaded("db", 1, 7, now));
        backlog.add_sealed(loaded("db", 2, 7, now));
        backlog.add("db".into(), open(10), now);
        backlog.add("db".into(), open(10), now);
        let mut order = Vec::new();
        while let Some(leased) = backlog.lease(&database, usize::MAX, (0, 0), now) {
            assert!(
                backlog
                    .loaded_from(leased.id)
                    .is_none_or(|file| file == FileId(7))
            );
            order.push((leased.lines.len(), leased.is_first));
            let written = super::super::RunResult::Ended(super::super::Disposition::Written);
            let all = 0..leased.lines.len();
            backlog.settle(
                leased.id,
                [(all, written)],
                super::super::PartPosition::Behind,
            );
        }
        assert_eq!(order, [(10, true), (1, false), (10, true), (2, false)]);
        assert_eq!(backlog.take_released(), [FileId(7), FileId(7)]);
        assert!(backlog.take_released().is_empty());
    }

    #[test]
    fn a_copy_is_needed_until_the_last_line_of_its_batch_is_settled() {
        let (mut backlog, now) = (Backlog::new(LIMITS), Instant::now());
        let number = Some(backlog.take_number());
        backlog.add_sealed(SealedBatch {
            origin: Origin::WrittenAhead,
            number,
            files: vec![FileId(1), FileId(2)],
            ..loaded("db", 4, 0, now)
        });
        let leased = backlog
            .lease(&"db".into(), usize::MAX, (0, 0), now)
            .unwrap();
        use super::super::{Disposition, PartPosition, RunResult};
        let written = RunResult::Ended(Disposition::Written);
        let runs = [(0..2, written.clone()), (2..4, RunResult::ResendTogether)];
        backlog.settle(leased.id, runs, PartPosition::Behind);
        assert!(backlog.take_released().is_empty());
        let evicted = backlog.evict_to_disk().unwrap();
        assert_eq!(evicted.files, [FileId(1), FileId(2)]);
        assert_eq!(
            (evicted.origin, evicted.batch.lines.len()),
            (Origin::WrittenAhead, 2)
        );
        assert_eq!(backlog.take_released().len(), 2);
    }

    #[test]
    fn what_was_loaded_for_one_database_can_be_taken_out_but_not_what_is_sent() {
        let (mut backlog, now) = (Backlog::new(LIMITS), Instant::now());
        for (database, file) in [("a", 1), ("b", 1), ("a", 2), ("a", 1)] {
            backlog.add_sealed(loaded(database, 1, file, now));
        }
        let leased = backlog.lease(&"a".into(), usize::MAX, (0, 0), now).unwrap();
        let waiting: Vec<_> = backlog.loaded(&"a".into()).collect();
        assert_eq!(waiting, [(FileId(2), 9), (FileId(1), 9)]);
        let taken = backlog.take_loaded(&"a".into(), |file| file == FileId(1));
        assert_eq!(taken.len(), 1);
        backlog.requeue(leased.id);
        let taken = backlog.take_loaded(&"a".into(), |file| file == FileId(1));
        assert_eq!(taken.len(), 1);
        assert_eq!(backlog.pending(&"a".into()), 1);
        assert_eq!(backlog.pending(&"b".into()), 1);
    }

    #[test]
    fn what_is_loaded_expires_and_is_older_than_all_that_is_recorded() {
        let (mut backlog, now) = (Backlog::new(LIMITS), Instant::now());
        let later = now + Duration::from_secs(9);
        backlog.add("db".into(), open(1), later);
        let mark = backlog.seal_all();
        backlog.add_sealed(loaded("db", 2, 7, now));
        assert_eq!(backlog.unsettled_below(mark), 3);
        let expired = backlog.expire(later);
        assert_eq!(expired.len(), 1);
        assert_eq!(
            (expired[0].origin, expired[0].batch.lines.len()),
            (Origin::Loaded, 2)
        );
        assert_eq!(backlog.take_released(), [FileId(7)]);
    }
}
