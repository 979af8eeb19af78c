//! Batches in flight: leased from the backlog, then settled, or returned to a queue.

use std::{ops::Range, time::Instant};

use super::{
    Backlog, Disposition, MANY_BATCHES, Settled,
    queue::{Job, Queue, SubQueue},
};
use crate::{
    Database,
    batch::{Batch, BatchLimits, Lines},
    delivery::retry_history::RetryHistory,
};

/// Identifies a batch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaseId(pub(super) u64);

/// A batch in flight, as its writer sees it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) lines: Lines,
    /// Whether the batch is sent for the first time.
    pub(crate) is_first: bool,
}

/// What to do with a run of lines of a batch that was in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunResult {
    Ended(Disposition),
    /// Sent again, separately from the other runs.
    ResendApart,
    /// Sent again, in one batch with the other such runs.
    ResendTogether,
}

/// Position of parts that are sent again, among the parts of other batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartPosition {
    Behind,
    /// In front, beginning with the first part or with the last one.
    Before {
        last_first: bool,
    },
}

impl Backlog {
    /// Leases the next batch of a database, of at most `max_bytes`. `written` and `failed` count
    /// the database's POSTs so far.
    pub(crate) fn lease(
        &mut self,
        database: &Database,
        max_bytes: usize,
        (written, failed): (u64, u64),
        now: Instant,
    ) -> Option<Lease> {
        let limits = BatchLimits {
            bytes: self.limits.bytes.min(max_bytes),
            ..self.limits
        };
        let many_pending = self.unsettled.len() >= MANY_BATCHES;
        let mut job = self
            .queues
            .get_mut(database)?
            .next(limits, many_pending, now)?;
        job.history.sent(written, failed);
        let is_first = !std::mem::replace(&mut job.was_leased, true);
        let id = LeaseId(self.next_lease);
        self.next_lease += 1;
        let lines = job.batch.lines.clone();
        self.leased.insert(id, (database.clone(), job));
        Some(Lease {
            id,
            lines,
            is_first,
        })
    }

    /// Database of a batch in flight.
    pub(crate) fn database(&self, id: LeaseId) -> Option<&Database> {
        self.leased.get(&id).map(|(database, _)| database)
    }

    /// Lines of a batch in flight.
    pub(crate) fn lines(&self, id: LeaseId) -> Option<&Lines> {
        self.leased.get(&id).map(|(_, job)| &job.batch.lines)
    }

    /// Retry history of a batch in flight.
    pub(crate) fn history(&mut self, id: LeaseId) -> Option<&mut RetryHistory> {
        self.leased.get_mut(&id).map(|(_, job)| &mut job.history)
    }

    /// Puts a batch in flight back at the head of its queue, unchanged.
    pub(crate) fn requeue(&mut self, id: LeaseId) {
        if let Some((queue, job)) = self.end_lease(id) {
            queue.push_front(job);
        }
    }

    /// Moves a batch in flight to the suspects, so that others of its database don't wait for it.
    pub(crate) fn make_suspect(&mut self, id: LeaseId) {
        if let Some((queue, job)) = self.end_lease(id) {
            queue.push_suspect(job);
        }
    }

    fn end_lease(&mut self, id: LeaseId) -> Option<(&mut Queue, Job)> {
        let (database, job) = self.leased.remove(&id)?;
        let queue = self.queues.get_mut(&database)?;
        queue.returned(&job);
        Some((queue, job))
    }

    /// Settles or requeues the lines of a batch in flight; `runs` cover it in order.
    pub(crate) fn settle(
        &mut self,
        id: LeaseId,
        runs: impl IntoIterator<Item = (Range<usize>, RunResult)>,
        place: PartPosition,
    ) -> Vec<Settled> {
        let Some((database, job)) = self.leased.remove(&id) else {
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
                RunResult::ResendApart => apart.push(batch),
                RunResult::ResendTogether => together.push(batch),
                RunResult::Ended(disposition) => settled.push(Settled {
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
            ..Job::new(number, SubQueue::Parts, batch.compacted(), history)
        };
        let inherited = history.inherited();
        let jobs = apart.into_iter().map(|batch| part(batch, inherited));
        // These lines are still the same batch: its history goes on.
        queue.push_parts(jobs.chain(joined.map(|batch| part(batch, history))), place);
        let lines = settled.iter().map(|run| run.batch.lines.len()).sum();
        self.remove_lines(&database, number, lines);
        settled
    }
}
