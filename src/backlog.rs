//! All that has left the trays and is not settled: the buffer actor's books. Pure.
//!
//! Per database: a batch that still grows, sealed batches, and slices of rejected batches. What is
//! sent is *lent*: it stays here until its fate is known, line by line.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Range,
};

use crate::{
    Database,
    batch::{Batch, BatchLimits, Lines, OpenBatch},
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
}

/// What is known of a run of lines of a batch that is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    Rejected {
        reason: String,
    },
    /// To be sent again, apart from the other runs.
    Unknown,
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

/// A sealed batch, or a slice of one.
#[derive(Debug)]
struct Job {
    /// Counts the sealed batches; a slice has its batch's number.
    number: u64,
    is_slice: bool,
    batch: Batch,
}

#[derive(Debug, Default)]
struct Queue {
    open: OpenBatch,
    sealed: VecDeque<Job>,
    /// Of rejected batches.
    slices: VecDeque<Job>,
    /// So that isolation and fresh batches take turns.
    slice_was_last: bool,
    lent: usize,
}

#[derive(Debug)]
pub(crate) struct Backlog {
    limits: BatchLimits,
    queues: HashMap<Database, Queue>,
    /// Whose turn it is: each database in `queues` once.
    turns: VecDeque<Database>,
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
            queues: HashMap::new(),
            turns: VecDeque::new(),
            lent: HashMap::new(),
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
        let queue = self.queues.entry(database).or_insert_with_key(|database| {
            self.turns.push_back(database.clone());
            Queue::default()
        });
        if !queue
            .open
            .has_room(batch.len(), batch.byte_len(), self.limits)
        {
            queue.seal(&mut self.next_number, &mut self.unsettled);
        }
        queue.open.append(batch);
    }

    /// Lends the next batch: of the databases that `may` be sent to, in turn. One that has lent
    /// its share of `max_loans` waits, so that none can take all writers from the others.
    pub(crate) fn lend(
        &mut self,
        max_loans: usize,
        mut may: impl FnMut(&Database) -> bool,
    ) -> Option<Lent> {
        let share = (max_loans / self.queues.len().max(1)).max(1);
        let at = self.turns.iter().position(|database| {
            let queue = &self.queues[database];
            queue.has_work() && queue.lent < share && may(database)
        })?;
        let database = self.turns.remove(at)?;
        self.turns.push_back(database.clone());
        let queue = self.queues.get_mut(&database)?;
        let job = queue.next(&mut self.next_number, &mut self.unsettled)?;
        queue.lent += 1;
        let id = LoanId(self.next_loan);
        self.next_loan += 1;
        let lines = job.batch.lines.clone();
        self.lent.insert(id, (database.clone(), job));
        Some(Lent {
            id,
            database,
            lines,
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

    /// Nothing became of it: it goes back to the head of its queue.
    pub(crate) fn give_back(&mut self, id: LoanId) {
        let Some((database, job)) = self.lent.remove(&id) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&database) {
            queue.lent -= 1;
            match job.is_slice {
                true => queue.slices.push_front(job),
                false => queue.sealed.push_front(job),
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
        let mut settled = Vec::new();
        queue.lent -= 1;
        for (batch, fate) in job.batch.split(&ranges).into_iter().zip(fates) {
            if fate == Fate::Unknown {
                let is_slice = true;
                queue.slices.push_back(Job {
                    number,
                    is_slice,
                    batch,
                });
                continue;
            }
            settled.push(Settled {
                database: database.clone(),
                batch,
                number,
                fate,
            });
        }
        if queue.is_idle() {
            self.queues.remove(&database);
            self.turns.retain(|turn| *turn != database);
        }
        let lines = settled.iter().map(|run| run.batch.lines.len()).sum();
        self.settle(number, lines);
        settled
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
    pub(crate) fn with_work(&self) -> impl Iterator<Item = &Database> {
        let with_work = self.queues.iter().filter(|(_, queue)| queue.has_work());
        with_work.map(|(database, _)| database)
    }

    /// Has the database anything that is not settled?
    pub(crate) fn has(&self, database: &Database) -> bool {
        self.queues.contains_key(database)
    }

    /// All that is not settled, also what is lent, out of the books.
    pub(crate) fn take_all(&mut self) -> Vec<(Database, Batch)> {
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
            .map(|(database, job)| (database, job.batch))
            .collect()
    }
}

impl Queue {
    fn has_work(&self) -> bool {
        !(self.open.is_empty() && self.sealed.is_empty() && self.slices.is_empty())
    }

    fn is_idle(&self) -> bool {
        !self.has_work() && self.lent == 0
    }

    fn seal(&mut self, next_number: &mut u64, unsettled: &mut BTreeMap<u64, usize>) {
        if self.open.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.open).seal();
        let number = *next_number;
        *next_number += 1;
        unsettled.insert(number, batch.lines.len());
        self.sealed.push_back(Job {
            number,
            is_slice: false,
            batch,
        });
    }

    fn next(&mut self, next_number: &mut u64, unsettled: &mut BTreeMap<u64, usize>) -> Option<Job> {
        let fresh_waits = !(self.sealed.is_empty() && self.open.is_empty());
        self.slice_was_last = !self.slices.is_empty() && !(self.slice_was_last && fresh_waits);
        if self.slice_was_last {
            return self.slices.pop_front();
        }
        if self.sealed.is_empty() {
            self.seal(next_number, unsettled);
        }
        self.sealed.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> OpenBatch {
        let mut batch = OpenBatch::default();
        for _ in 0..count {
            batch
                .push(|out| Ok::<_, ()>(out.extend_from_slice(b"m f=1 1\n")))
                .unwrap();
        }
        batch
    }

    fn backlog(batches: &[(&'static str, usize)]) -> Backlog {
        let mut backlog = Backlog::new(BatchLimits {
            lines: 10,
            bytes: 1 << 20,
        });
        for (database, count) in batches {
            backlog.add((*database).into(), lines(*count));
        }
        backlog
    }

    fn lend(backlog: &mut Backlog, max: usize) -> Option<(LoanId, String, usize)> {
        let lent = backlog.lend(max, |_| true)?;
        Some((lent.id, lent.database.to_string(), lent.lines.len()))
    }

    fn written(backlog: &mut Backlog, id: LoanId) -> Vec<Settled> {
        let all = 0..backlog.lines(id).unwrap().len();
        backlog.conclude(id, [(all, Fate::Written)])
    }

    #[test]
    fn what_comes_from_several_trays_is_one_batch_up_to_the_limit() {
        let mut backlog = backlog(&[("a", 4), ("a", 6), ("a", 1)]);
        assert_eq!(lend(&mut backlog, 9).unwrap().2, 10);
        assert_eq!(lend(&mut backlog, 9).unwrap().2, 1);
        assert!(lend(&mut backlog, 9).is_none());
    }

    #[test]
    fn databases_take_turns() {
        let mut backlog = backlog(&[("a", 10), ("a", 10), ("b", 1), ("c", 1)]);
        let order: Vec<_> = std::iter::from_fn(|| lend(&mut backlog, 9))
            .map(|(_, database, _)| database)
            .collect();
        assert_eq!(order, ["a", "b", "c", "a"]);
    }

    #[test]
    fn a_database_takes_no_more_than_its_share_of_the_writers() {
        let mut backlog = backlog(&[("a", 10), ("a", 10), ("a", 10), ("b", 1)]);
        let lent = std::iter::from_fn(|| lend(&mut backlog, 4));
        assert_eq!(lent.filter(|(_, database, _)| database == "a").count(), 2);
    }

    #[test]
    fn a_database_that_may_not_be_sent_to_holds_up_no_other() {
        let mut backlog = backlog(&[("a", 1), ("b", 1)]);
        let lent = backlog.lend(9, |database| database.name() != "a").unwrap();
        assert_eq!(lent.database.name(), "b");
        assert!(backlog.lend(9, |database| database.name() != "a").is_none());
    }

    #[test]
    fn what_is_given_back_goes_to_the_head_of_its_queue() {
        let mut backlog = backlog(&[("a", 10), ("a", 3)]);
        let (first, ..) = lend(&mut backlog, 9).unwrap();
        backlog.give_back(first);
        assert_eq!(lend(&mut backlog, 9).unwrap().2, 10);
    }

    #[test]
    fn a_concluded_batch_leaves_the_books_line_by_line() {
        let mut backlog = backlog(&[("a", 5)]);
        let mark = backlog.seal_all();
        let (id, ..) = lend(&mut backlog, 9).unwrap();
        let reason = || "bad".to_owned();
        let settled = backlog.conclude(
            id,
            [
                (0..2, Fate::Written),
                (2..3, Fate::Rejected { reason: reason() }),
                (3..5, Fate::Unknown),
            ],
        );
        assert_eq!(settled.len(), 2);
        assert_eq!(settled[1].fate, Fate::Rejected { reason: reason() });
        assert_eq!(backlog.unsettled_below(mark), 2);
        let (id, _, count) = lend(&mut backlog, 9).unwrap();
        assert_eq!(count, 2);
        written(&mut backlog, id);
        assert!(backlog.is_settled_below(mark));
        assert!(!backlog.has(&"a".into()));
    }

    #[test]
    fn slices_of_a_rejected_batch_and_fresh_batches_take_turns() {
        let mut backlog = backlog(&[("a", 10), ("a", 9), ("a", 8), ("a", 7)]);
        let (id, ..) = lend(&mut backlog, 9).unwrap();
        backlog.conclude(id, [(0..5, Fate::Unknown), (5..10, Fate::Unknown)]);
        let counts: Vec<_> = std::iter::from_fn(|| lend(&mut backlog, 9))
            .map(|(.., count)| count)
            .collect();
        assert_eq!(counts, [5, 9, 5, 8, 7]);
    }

    #[test]
    fn a_mark_covers_what_was_there_and_nothing_later() {
        let mut backlog = backlog(&[("a", 2)]);
        let mark = backlog.seal_all();
        backlog.add("a".into(), lines(3));
        assert_eq!(backlog.unsettled_below(mark), 2);
        let (id, _, count) = lend(&mut backlog, 9).unwrap();
        assert_eq!(count, 2);
        written(&mut backlog, id);
        assert!(backlog.is_settled_below(mark));
        assert!(backlog.has(&"a".into()));
    }

    #[test]
    fn everything_can_be_taken_out_also_what_is_lent() {
        let mut backlog = backlog(&[("a", 10), ("a", 3), ("b", 2)]);
        lend(&mut backlog, 9).unwrap();
        let all = backlog.take_all();
        let lines: usize = all.iter().map(|(_, batch)| batch.lines.len()).sum();
        assert_eq!(lines, 15);
        assert!(backlog.take_all().is_empty());
    }

    #[test]
    fn an_answer_for_a_loan_that_is_no_more_changes_nothing() {
        let mut backlog = backlog(&[("a", 1)]);
        let (id, ..) = lend(&mut backlog, 9).unwrap();
        written(&mut backlog, id);
        backlog.give_back(id);
        assert!(backlog.conclude(id, [(0..1, Fate::Written)]).is_empty());
        assert!(lend(&mut backlog, 9).is_none());
    }
}
