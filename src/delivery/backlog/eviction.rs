//! Eviction of batches that exceed the limits, and of those that are too old.

use std::time::Instant;

use super::{Backlog, Disposition, MANY_BATCHES, Settled, queue::Job};
use crate::{Database, Overflow, stats::reason::LossReason};

/// Number of the oldest batches that are searched for one whose database exceeds its fair share.
const OLDEST: usize = 64;

impl Backlog {
    /// Removes a queued batch to make room: the oldest or the newest of a database that exceeds its
    /// fair share.
    pub(crate) fn evict(&mut self, overflow: Overflow) -> Option<Settled> {
        let databases = self.queues.len();
        if overflow == Overflow::DropNewest && databases < 2 {
            return None;
        }
        let database = match overflow {
            Overflow::DropOldest | Overflow::Spool => {
                self.oldest_above_share().or_else(|| self.largest())
            }
            Overflow::DropNewest => self.largest(),
        }?;
        let many_pending = self.unsettled.len() >= MANY_BATCHES;
        let queue = self.queues.get_mut(&database)?;
        queue.seal(many_pending);
        let job = queue.take(overflow)?;
        Some(self.drop_job(database, job, LossReason::Overflow))
    }

    pub(super) fn oldest_above_share(&self) -> Option<Database> {
        let oldest = self.unsettled.values().take(OLDEST);
        let holds_much = |database: &&Database| {
            let queue = self.queues.get(*database);
            queue.is_some_and(|queue| {
                queue.has_evictable() && queue.pending * self.queues.len() >= self.pending
            })
        };
        oldest
            .map(|batch| &batch.database)
            .find(holds_much)
            .cloned()
    }

    pub(super) fn largest(&self) -> Option<Database> {
        let mut largest = self.by_pending.values().rev();
        largest
            .find(|database| self.queues[*database].has_evictable())
            .cloned()
    }

    fn drop_job(&mut self, database: Database, job: Job, reason: LossReason) -> Settled {
        self.remove_lines(&database, job.number, job.batch.lines.len());
        Settled {
            database,
            batch: job.batch,
            number: job.number,
            origin: job.origin,
            disposition: Disposition::Dropped(reason),
        }
    }

    /// Removes the queued lines of batches whose lines are all older than `limit`.
    pub(crate) fn expire(&mut self, limit: Instant) -> Vec<Settled> {
        let began_before = self
            .unsettled
            .iter()
            .take_while(|(_, batch)| batch.began < limit);
        let expired = began_before.filter(|(_, batch)| batch.newest < limit);
        let expired = expired.map(|(number, batch)| (*number, batch.database.clone()));
        let expired: Vec<_> = expired.collect();
        let mut settled = Vec::new();
        for (number, database) in expired {
            let Some(queue) = self.queues.get_mut(&database) else {
                continue;
            };
            for job in queue.take_number(number, true) {
                settled.push(self.drop_job(database.clone(), job, LossReason::Expired));
            }
        }
        settled
    }

    /// When the oldest batch got its first line.
    pub(crate) fn oldest_began(&self) -> Option<Instant> {
        let (_, oldest) = self.unsettled.first_key_value()?;
        Some(oldest.began)
    }

    /// When the oldest batch got its newest line.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.unsettled
            .first_key_value()
            .map(|(_, batch)| batch.newest)
    }
}
