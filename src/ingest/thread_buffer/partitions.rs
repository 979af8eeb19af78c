use foldhash::HashMap;

use super::batches::Batches;
use crate::{
    Database,
    batch::{BatchLimits, OpenBatch, pool::Pool},
    encode::LineBuffer,
    ingest::fair_share::{FairShare, FairShares},
    stats::report::Ticket,
};

/// Batches by database. A database that lines come for between one drain and the next keeps its
/// partition.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    all: Vec<Partition>,
    /// Where in `all` a database is.
    indexes: HashMap<Database, usize>,
    /// The index of the line before: most threads write to one database.
    last: usize,
}

#[derive(Debug)]
struct Partition {
    database: Database,
    share: FairShare,
    batches: Batches,
}

/// A line of the last partition that is being written. Unless it is [kept](Self::keep), it leaves
/// nothing behind, nor does a partition that was made for it.
#[derive(Debug)]
#[must_use = "the line is taken back when this is dropped"]
pub(super) struct Draft<'a> {
    partitions: &'a mut Partitions,
    pool: &'a Pool,
}

/// Of more, the thread that records doesn't wait until each has been looked at.
const MANY: usize = 256;

impl Partitions {
    pub(super) fn are_many(&self) -> bool {
        self.all.len() > MANY
    }

    /// Moves all batches out, and removes the partitions that nothing has come to since the last
    /// time.
    pub(super) fn drain(&mut self, to: &mut Vec<(Database, OpenBatch)>) {
        let before = self.all.len();
        self.all.retain_mut(|partition| partition.drain(to));
        if self.all.len() < before {
            self.last = 0;
            self.indexes.clear();
            let databases = self.all.iter().map(|partition| partition.database.clone());
            self.indexes.extend(databases.zip(0..));
        }
    }

    /// Begins a line of this database.
    #[inline]
    pub(super) fn draft<'a>(
        &'a mut self,
        database: &Database,
        shares: &FairShares,
        pool: &'a Pool,
    ) -> Draft<'a> {
        if !self.is_at(self.last, database) {
            self.last = match self.indexes.get(database) {
                Some(index) => *index,
                None => self.add(database, shares),
            };
        }
        self.all[self.last].batches.begin(pool);
        Draft {
            partitions: self,
            pool,
        }
    }

    #[inline]
    fn is_at(&self, index: usize, database: &Database) -> bool {
        let partition = self.all.get(index);
        partition.is_some_and(|partition| partition.database == *database)
    }

    #[cold]
    fn add(&mut self, database: &Database, shares: &FairShares) -> usize {
        let index = self.all.len();
        self.indexes.insert(database.clone(), index);
        self.all.push(Partition {
            database: database.clone(),
            share: shares.of(database),
            batches: Batches::default(),
        });
        index
    }

    /// A line was refused: the partition that was made for it goes.
    fn remove_last_if_empty(&mut self) {
        let is_newest = self.last + 1 == self.all.len();
        if is_newest && self.all[self.last].batches.is_empty() {
            if let Some(partition) = self.all.pop() {
                self.indexes.remove(&partition.database);
            }
            self.last = 0;
        }
    }
}

impl Partition {
    /// Moves its batches out. Were there any?
    fn drain(&mut self, to: &mut Vec<(Database, OpenBatch)>) -> bool {
        let lines = self.batches.len();
        if lines == 0 {
            return false;
        }
        self.share.admit(lines);
        let batches = self.batches.take();
        to.extend(batches.map(|batch| (self.database.clone(), batch)));
        true
    }
}

impl Draft<'_> {
    #[inline]
    fn partition(&mut self) -> &mut Partition {
        let Partitions { all, last, .. } = &mut *self.partitions;
        &mut all[*last]
    }

    /// Where the line is written.
    #[inline]
    pub(super) fn line(&mut self) -> &mut LineBuffer {
        self.partition().batches.next_line()
    }

    /// Does its database hold less than its part of `limit` lines?
    pub(super) fn is_below_share(&self, limit: usize) -> bool {
        let Partition { share, batches, .. } = &self.partitions.all[self.partitions.last];
        share.is_below(limit, batches.len())
    }

    /// The line stays.
    #[inline]
    pub(super) fn keep(mut self, limits: BatchLimits, ticket: Option<Ticket>) {
        let pool = self.pool;
        self.partition().batches.keep_line(limits, pool, ticket);
        std::mem::forget(self);
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        self.line().take_back();
        self.partitions.remove_last_if_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft<'a>(partitions: &'a mut Partitions, database: &str, pool: &'a Pool) -> Draft<'a> {
        let database = Database::new(database.to_owned());
        let mut draft = partitions.draft(&database, &FairShares::default(), pool);
        draft.line().push_all(b"m f=1 1\n");
        draft
    }

    fn put(partitions: &mut Partitions, database: &str, lines: usize) {
        let limits = BatchLimits {
            lines: 1_000,
            bytes: 1 << 20,
        };
        for _ in 0..lines {
            draft(partitions, database, &Pool::default()).keep(limits, None);
        }
    }

    fn partitions() -> Partitions {
        let mut partitions = Partitions::default();
        for database in ["a", "b", "c"] {
            put(&mut partitions, database, 1);
        }
        partitions
    }

    fn drained(partitions: &mut Partitions) -> Vec<(String, usize)> {
        let mut batches = Vec::new();
        partitions.drain(&mut batches);
        let lines = |(database, batch): (Database, OpenBatch)| (database.to_string(), batch.len());
        batches.into_iter().map(lines).collect()
    }

    fn of(counts: &[(&str, usize)]) -> Vec<(String, usize)> {
        let owned = |(database, lines): &(&str, usize)| ((*database).to_owned(), *lines);
        counts.iter().map(owned).collect()
    }

    #[test]
    fn lines_go_to_the_partition_of_their_database() {
        let mut partitions = partitions();
        put(&mut partitions, "b", 2);
        put(&mut partitions, "a", 1);
        assert_eq!(
            drained(&mut partitions),
            of(&[("a", 2), ("b", 3), ("c", 1)])
        );
    }

    #[test]
    fn a_partition_that_nothing_came_to_between_two_drains_is_removed() {
        let mut partitions = partitions();
        assert_eq!(drained(&mut partitions).len(), 3);
        put(&mut partitions, "c", 1);
        put(&mut partitions, "b", 1);
        assert_eq!(drained(&mut partitions), of(&[("b", 1), ("c", 1)]));
        assert_eq!((partitions.all.len(), partitions.indexes.len()), (2, 2));
        put(&mut partitions, "c", 1);
        assert_eq!(partitions.all.len(), 2, "it is found where it is now");
        assert_eq!(drained(&mut partitions), of(&[("c", 1)]));
        assert!(drained(&mut partitions).is_empty() && partitions.all.is_empty());
        assert!(partitions.indexes.is_empty());
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing_behind() {
        let (mut partitions, pool) = (partitions(), Pool::default());
        drop(draft(&mut partitions, "b", &pool));
        drop(draft(&mut partitions, "d", &pool));
        assert_eq!((partitions.all.len(), partitions.indexes.len()), (3, 3));
        drop(draft(&mut partitions, "c", &pool));
        assert_eq!(
            drained(&mut partitions),
            of(&[("a", 1), ("b", 1), ("c", 1)])
        );
    }

    #[test]
    fn a_batch_has_memory_for_as_much_as_the_last_one_from_the_start() {
        let mut partitions = partitions();
        let began_with = |partitions: &mut Partitions, lines| {
            partitions.all[0].batches.begin(&Pool::default());
            let before = partitions.all[0].batches.capacity();
            put(partitions, "a", lines);
            let after = partitions.all[0].batches.capacity();
            drained(partitions);
            (before, after)
        };
        began_with(&mut partitions, 100);
        let (before, after) = began_with(&mut partitions, 100);
        assert_eq!(before, after, "it has not grown");
        began_with(&mut partitions, 1);
        assert!(began_with(&mut partitions, 1).0 < before);
    }
}
