//! All that has left the trays and is not settled: the buffer actor's books. Pure.
//!
//! Per database: a batch that still grows, sealed batches, and slices of rejected batches. What is
//! sent is *lent*: it stays here until its fate is known, line by line.

mod queue;
mod turns;

use std::{collections::BTreeMap, ops::Range};

use foldhash::HashMap;

use self::{
    queue::{Job, Queue, Strikes},
    turns::Turns,
};

use crate::{
    Database, DropReason, Overflow,
    batch::{Batch, BatchLimits, Lines, OpenBatch},
    delivery::verdict::Oddity,
};

/// Names a batch that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoanId(u64);

/// What a borrower gets to see.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) id: LoanId,
    pub(crate) database: Database,
    pub(crate) lines: Lines,
    /// Was it never lent before?
    pub(crate) is_first: bool,
}

/// What is known of a run of lines of a batch that is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    Rejected {
        reason: String,
    },
    Dropped(DropReason),
    /// To be sent again, apart from the other runs.
    Unknown,
    /// To be sent again, together with the other such runs.
    Remains,
}

/// A run of lines whose fate is settled, out of the books.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) database: Database,
    pub(crate) batch: Batch,
    /// For [`Backlog::seal_all`]'s marks.
    pub(crate) number: u64,
    pub(crate) fate: Fate,
}

#[derive(Debug)]
pub(crate) struct Backlog {
    limits: BatchLimits,
    queues: HashMap<Database, Queue>,
    /// Each database in `queues` once.
    turns: Turns,
    lent: HashMap<LoanId, (Database, Job)>,
    next_loan: u64,
    next_number: u64,
    /// By number, the lines that are not settled.
    unsettled: BTreeMap<u64, usize>,
}

impl Backlog {
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            queues: HashMap::default(),
            turns: Turns::default(),
            lent: HashMap::default(),
            next_loan: 0,
            next_number: 0,
            unsettled: BTreeMap::new(),
        }
    }

    pub(crate) fn set_limits(&mut self, limits: BatchLimits) {
        self.limits = limits;
    }

    /// Takes in what came from a tray.
    pub(crate) fn add(&mut self, database: Database, batch: OpenBatch) {
        if batch.is_empty() {
            return;
        }
        let queue = self
            .queues
            .entry(database)
            .or_insert_with_key(|database| Queue::new(self.turns.add(database.clone())));
        if !queue
            .open
            .has_room(batch.len(), batch.byte_len(), self.limits)
        {
            queue.seal(&mut self.next_number, &mut self.unsettled);
        }
        queue.pending += batch.len();
        queue.open.append(batch);
    }

    /// Lends the next batch: of the databases that `may` be sent to, in turn. One that has lent
    /// its share of `max_loans` waits, so that none can take all writers from the others.
    pub(crate) fn lend(
        &mut self,
        max_loans: usize,
        may: impl Fn(&Database) -> bool,
    ) -> Option<Lent> {
        let share = self.share(max_loans, &may);
        let (turn, _) = self.turns.iter().find(|(_, database)| {
            let queue = &self.queues[*database];
            queue.has_work() && queue.lent < share && may(database)
        })?;
        let database = self.turns.remove(turn)?;
        let queue = self.queues.get_mut(&database)?;
        queue.turn = self.turns.add(database.clone());
        let mut job = queue.next(&mut self.next_number, &mut self.unsettled)?;
        queue.lent += 1;
        let is_first = !std::mem::replace(&mut job.was_lent, true);
        let id = LoanId(self.next_loan);
        self.next_loan += 1;
        let lines = job.batch.lines.clone();
        self.lent.insert(id, (database.clone(), job));
        Some(Lent {
            id,
            database,
            lines,
            is_first,
        })
    }

    /// How many of `max_loans` a database may have: those that can make use of writers share them.
    fn share(&self, max_loans: usize, may: impl Fn(&Database) -> bool) -> usize {
        // More than these make no difference, it is one for each.
        let enough = max_loans / 2 + 1;
        let takes_part = |(_, database): &(_, &Database)| {
            let queue = &self.queues[*database];
            queue.lent > 0 || (queue.has_work() && may(database))
        };
        let sharing = self.turns.iter().filter(takes_part).take(enough).count();
        (max_loans / sharing.max(1)).max(1)
    }

    /// Whose batch is lent, if it still is.
    pub(crate) fn database(&self, id: LoanId) -> Option<&Database> {
        self.lent.get(&id).map(|(database, _)| database)
    }

    /// The lines of a batch that is lent.
    pub(crate) fn lines(&self, id: LoanId) -> Option<&Lines> {
        self.lent.get(&id).map(|(_, job)| &job.batch.lines)
    }

    /// A batch that is lent came back unsettled, perhaps in an odd way: how many times running has
    /// it been this one?
    ///
    /// `answers` counts what the server has answered readably, ever: also returned is whether that
    /// has become more since the first of these times.
    pub(crate) fn strike(
        &mut self,
        id: LoanId,
        oddity: Option<Oddity>,
        answers: u64,
    ) -> (u32, bool) {
        let Some((_, job)) = self.lent.get_mut(&id) else {
            return (0, false);
        };
        if job.strikes.oddity != oddity {
            job.strikes = Strikes {
                oddity,
                times: 0,
                answers,
            };
        }
        job.strikes.times += 1;
        (job.strikes.times, answers > job.strikes.answers)
    }

    /// Nothing became of it: it goes back to the head of its queue; or to the end, if it is odd and
    /// should not keep the others from being sent.
    pub(crate) fn give_back(&mut self, id: LoanId) {
        let Some((database, job)) = self.lent.remove(&id) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&database) {
            queue.lent -= 1;
            let jobs = match job.is_slice {
                true => &mut queue.slices,
                false => &mut queue.sealed,
            };
            match job.strikes.oddity {
                Some(Oddity::NotReadable) => jobs.push_back(job),
                _ => jobs.push_front(job),
            }
        }
    }

    /// The lines `runs` of a batch that was lent have these fates. The runs cover it in order.
    pub(crate) fn conclude(
        &mut self,
        id: LoanId,
        runs: impl IntoIterator<Item = (Range<usize>, Fate)>,
    ) -> Vec<Settled> {
        let Some((database, job)) = self.lent.remove(&id) else {
            return Vec::new();
        };
        let Some(queue) = self.queues.get_mut(&database) else {
            return Vec::new();
        };
        let (ranges, fates): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let number = job.number;
        // What the server answers of the other parts tells of each.
        let strikes = Strikes {
            times: 0,
            ..job.strikes
        };
        let (mut settled, mut remains) = (Vec::new(), Vec::new());
        queue.lent -= 1;
        for (batch, fate) in job.batch.split(&ranges).into_iter().zip(fates) {
            match fate {
                Fate::Unknown => queue.slices.push_back(Job::slice(number, batch, strikes)),
                Fate::Remains => remains.push(batch),
                fate => settled.push(Settled {
                    database: database.clone(),
                    batch,
                    number,
                    fate,
                }),
            }
        }
        if let Some(batch) = Batch::join(remains) {
            queue.slices.push_back(Job::slice(number, batch, strikes));
        }
        let lines = settled.iter().map(|run| run.batch.lines.len()).sum();
        self.leave(&database, number, lines);
        settled
    }

    /// Gives up a batch that is not lent, because there is too much: the oldest or the newest one
    /// of those databases that hold more than their share.
    pub(crate) fn evict(&mut self, overflow: Overflow) -> Option<Settled> {
        let pending: usize = self.queues.values().map(|queue| queue.pending).sum();
        let databases = self.queues.len();
        if overflow == Overflow::DropNewest && databases < 2 {
            return None;
        }
        let candidates = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.has_work() && (queue.pending * databases >= pending));
        let database = match overflow {
            Overflow::DropOldest => candidates.min_by_key(|(_, queue)| queue.oldest()),
            Overflow::DropNewest => candidates.max_by_key(|(_, queue)| queue.pending),
        };
        let database = database?.0.clone();
        let queue = self.queues.get_mut(&database)?;
        queue.seal(&mut self.next_number, &mut self.unsettled);
        let job = queue.take(overflow)?;
        let number = job.number;
        self.leave(&database, number, job.batch.lines.len());
        Some(Settled {
            database,
            batch: job.batch,
            number,
            fate: Fate::Dropped(DropReason::Overflow),
        })
    }

    /// How many lines of the database are not settled.
    pub(crate) fn pending(&self, database: &Database) -> usize {
        self.queues.get(database).map_or(0, |queue| queue.pending)
    }

    /// Lines of a database, from the batch `number`, have left the books.
    fn leave(&mut self, database: &Database, number: u64, lines: usize) {
        if let Some(queue) = self.queues.get_mut(database) {
            queue.pending -= lines;
            if queue.is_idle() {
                self.turns.remove(queue.turn);
                self.queues.remove(database);
            }
        }
        self.settle(number, lines);
    }

    fn settle(&mut self, number: u64, lines: usize) {
        if let Some(unsettled) = self.unsettled.get_mut(&number) {
            *unsettled -= lines;
            if *unsettled == 0 {
                self.unsettled.remove(&number);
            }
        }
    }

    /// Seals what still grows. Returns a mark: all that is here now is numbered below it.
    pub(crate) fn seal_all(&mut self) -> u64 {
        for queue in self.queues.values_mut() {
            queue.seal(&mut self.next_number, &mut self.unsettled);
        }
        self.next_number
    }

    /// The lines below a mark that are not settled.
    pub(crate) fn unsettled_below(&self, mark: u64) -> usize {
        self.unsettled.range(..mark).map(|(_, lines)| lines).sum()
    }

    /// Is nothing below the mark unsettled?
    pub(crate) fn is_settled_below(&self, mark: u64) -> bool {
        self.unsettled.range(..mark).next().is_none()
    }

    /// The databases that have something to send.
    pub(crate) fn with_work(&self) -> impl Iterator<Item = &Database> + Clone {
        let with_work = self.queues.iter().filter(|(_, queue)| queue.has_work());
        with_work.map(|(database, _)| database)
    }

    /// Has the database anything that is not settled?
    pub(crate) fn has(&self, database: &Database) -> bool {
        self.queues.contains_key(database)
    }

    /// All that is not settled, also what is lent, out of the books: with the numbers of the
    /// batches.
    pub(crate) fn take_all(&mut self) -> Vec<(Database, u64, Batch)> {
        self.seal_all();
        let mut all: Vec<_> = self.lent.drain().map(|(_, lent)| lent).collect();
        for (database, queue) in self.queues.drain() {
            let jobs = queue.sealed.into_iter().chain(queue.slices);
            all.extend(jobs.map(|job| (database.clone(), job)));
        }
        self.turns.clear();
        self.unsettled.clear();
        all.sort_by(|(a, x), (b, y)| (a, x.number).cmp(&(b, y.number)));
        all.into_iter()
            .map(|(database, job)| (database, job.number, job.batch))
            .collect()
    }
}

#[cfg(test)]
mod tests;
