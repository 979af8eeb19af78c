//! What goes to disk and comes back: which batches, and which files hold a copy of what.

use std::time::Instant;

use super::{
    Backlog, LoanId, MANY, Unsettled,
    queue::{Job, Source},
    queue_of,
};
use crate::{Database, Overflow, batch::Batch, delivery::retry_history::RetryHistory};

/// Names a file of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) u64);

/// Where a batch comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the thread buffers.
    Recorded,
    /// The same, and a copy is on disk.
    WrittenAhead,
    /// From a file, which stays until the batch is settled. It takes no room under the quota.
    Loaded,
}

/// A batch that comes sealed into the backlog, and was drawn for sending.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    pub(crate) origin: Origin,
    /// The number that it had before; `None` for a batch of an earlier process.
    pub(crate) number: Option<u64>,
    pub(crate) history: RetryHistory,
    /// The files that hold its lines, each as often as it holds a batch of them.
    pub(crate) files: Vec<FileId>,
    /// When its newest line came.
    pub(crate) newest: Instant,
}

/// A batch that was taken out, to be put on disk.
#[derive(Debug)]
pub(crate) struct Evicted {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    /// Was it drawn for sending?
    pub(crate) was_drawn: bool,
    pub(crate) history: RetryHistory,
    /// Files that hold copies of its lines: they are needed until it is on disk.
    pub(crate) files: Vec<FileId>,
    pub(crate) newest: Option<Instant>,
}

/// A batch that was taken out at the end.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) database: Database,
    pub(crate) number: u64,
    pub(crate) origin: Origin,
    pub(crate) was_drawn: bool,
    pub(crate) batch: Batch,
}

impl Backlog {
    /// A number for a batch of this process.
    pub(crate) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// A number for a batch of an earlier process.
    pub(crate) fn take_old_number(&mut self) -> u64 {
        self.next_old_number += 1;
        self.next_old_number - 1
    }

    /// Takes in a batch that is sealed.
    pub(crate) fn add_sealed(&mut self, sealed: Sealed) {
        let Sealed {
            database,
            batch,
            origin,
            number,
            history,
            files,
            newest,
        } = sealed;
        let number = number.unwrap_or_else(|| self.take_old_number());
        let source = source_of(origin);
        let many_wait = self.unsettled.len() >= MANY;
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        // What came before goes before.
        if source == Source::Fresh {
            queue.seal(many_wait);
        }
        let lines = self.note_unsettled(&database, number, &batch, newest, files);
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        queue.push_sealed(Job {
            origin,
            was_lent: true,
            ..Job::new(number, source, batch, history)
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

    /// Takes out a batch that is not lent, to be put on disk: the oldest one of those databases that
    /// hold more than their share.
    pub(crate) fn evict_to_disk(&mut self) -> Option<Evicted> {
        let database = self.oldest_above_share().or_else(|| self.largest())?;
        let many_wait = self.unsettled.len() >= MANY;
        let queue = self.queues.get_mut(&database)?;
        queue.seal(many_wait);
        let job = queue.take(Overflow::Spool)?;
        Some(self.evicted(database, job))
    }

    /// Takes out what is not lent of a database and was loaded from a file, to be put into another.
    pub(crate) fn take_loaded(&mut self, database: &Database, file: FileId) -> Vec<Evicted> {
        let unsettled = &self.unsettled;
        let is_from_it = |number: u64| {
            let about = unsettled.get(&number);
            about.is_some_and(|about| about.files.contains(&file))
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
        self.leave(&database, job.number, job.batch.lines.len());
        Evicted {
            database,
            batch: job.batch,
            number: job.number,
            origin: job.origin,
            was_drawn: job.was_lent,
            history: job.history,
            files,
            newest,
        }
    }

    /// A batch could not be put on disk: it is the first of its database again.
    pub(crate) fn put_back(&mut self, evicted: Evicted, now: Instant) {
        let Evicted {
            database,
            batch,
            number,
            origin,
            was_drawn,
            history,
            files,
            newest,
        } = evicted;
        let source = source_of(origin);
        let newest = newest.unwrap_or(now);
        let lines = self.note_unsettled(&database, number, &batch, newest, files);
        let queue = queue_of(&mut self.queues, &mut self.next_queue, &database);
        queue.push_front(Job {
            origin,
            was_lent: was_drawn,
            ..Job::new(number, source, batch, history)
        });
        self.change_pending(&database, |pending| pending + lines);
    }

    /// The files of batches that were settled since the last call, each once for each batch.
    pub(crate) fn take_released(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.released)
    }

    /// The file that a batch which is lent was loaded from, if it was.
    pub(crate) fn loaded_from(&self, id: LoanId) -> Option<FileId> {
        let (_, job) = self.lent.get(&id)?;
        let unsettled = self.unsettled.get(&job.number)?;
        let file = unsettled.files.last().copied();
        file.filter(|_| job.origin == Origin::Loaded)
    }

    /// All that is not settled, also what is lent, out of the books.
    pub(crate) fn take_all(&mut self) -> Vec<Taken> {
        let mut all: Vec<_> = self.lent.drain().map(|(_, lent)| lent).collect();
        for (database, queue) in self.queues.drain() {
            all.extend(queue.into_jobs().map(|job| (database.clone(), job)));
        }
        self.by_pending.clear();
        self.pending = 0;
        self.unsettled.clear();
        all.sort_by(|(a, x), (b, y)| (a, x.number).cmp(&(b, y.number)));
        let taken = |(database, job): (Database, Job)| Taken {
            database,
            number: job.number,
            origin: job.origin,
            was_drawn: job.was_lent,
            batch: job.batch,
        };
        all.into_iter().map(taken).collect()
    }
}

fn source_of(origin: Origin) -> Source {
    match origin {
        Origin::Recorded | Origin::WrittenAhead => Source::Fresh,
        Origin::Loaded => Source::Loaded,
    }
}
