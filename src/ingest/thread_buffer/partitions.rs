use std::collections::HashMap;

use crate::{
    Database,
    batch::pool::{self, Spares},
    batch::{BatchLimits, OpenBatch},
    ingest::fair_share::FairShare,
    ingest::intake::Intake,
    ingest::known_series::{KnownSeries, Prehashed},
    stats::report::Ticket,
};

/// Batches by database. A database that lines come for between one drain and the next keeps its
/// partition.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    all: Vec<Partition>,
    /// Where in `all` a database is, by its salt.
    places: HashMap<u64, usize, Prehashed>,
    /// The place of the measurement before: most threads write to one database.
    last: usize,
}

#[derive(Debug)]
pub(super) struct Partition {
    database: Database,
    pub(super) share: FairShare,
    /// Of the series in this database: see [`KnownSeries::salt`].
    pub(super) salt: u64,
    pub(super) batches: Batches,
}

#[derive(Debug, Default)]
pub(super) struct Batches {
    full: Vec<OpenBatch>,
    open: OpenBatch,
    /// What the next batch is likely to need: bytes and lines.
    capacity: (usize, usize),
}

impl Partition {
    fn new(database: &Database, share: FairShare, salt: u64) -> Self {
        Self {
            database: database.clone(),
            share,
            salt,
            batches: Batches::default(),
        }
    }

    /// Moves its batches. Were there any?
    fn hand_over(&mut self, to: &mut Vec<(Database, OpenBatch)>) -> bool {
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

impl Batches {
    /// How many lines.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.full.iter().map(OpenBatch::len).sum::<usize>()
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.full.is_empty()
    }

    /// Where the next line goes to.
    #[inline]
    pub(super) fn open(&mut self, spares: &Spares) -> &mut OpenBatch {
        if self.open.capacity() == 0 {
            self.begin(spares);
        }
        &mut self.open
    }

    #[inline(never)]
    fn begin(&mut self, spares: &Spares) {
        self.open = self.next_batch(spares);
    }

    /// As much is likely to come as the last time.
    fn next_batch(&self, spares: &Spares) -> OpenBatch {
        let (bytes, lines) = self.capacity;
        let spare = (bytes >= pool::LEAST).then(|| spares.take()).flatten();
        spare.unwrap_or_else(|| OpenBatch::with_capacity(bytes, lines))
    }

    /// The next line stays.
    #[inline]
    pub(super) fn keep_line(
        &mut self,
        limits: BatchLimits,
        spares: &Spares,
        ticket: Option<Ticket>,
    ) {
        let bytes = self.open.next_line().line_len();
        if !self.open.has_room(1, bytes, limits) {
            self.turn(spares);
        }
        self.open.keep_line();
        if let Some(ticket) = ticket {
            self.open.attach(ticket);
        }
    }

    /// The next line goes to a batch of its own.
    #[inline(never)]
    fn turn(&mut self, spares: &Spares) {
        self.capacity = self.open.capacity_to_come();
        let mut next = self.next_batch(spares);
        self.open.move_line(&mut next);
        self.full.push(std::mem::replace(&mut self.open, next));
    }

    /// Takes all of them out.
    fn take(&mut self) -> impl Iterator<Item = OpenBatch> {
        // One that is full says more than the rest does.
        self.capacity = self.full.first().unwrap_or(&self.open).capacity_to_come();
        let open = std::mem::take(&mut self.open);
        self.full.drain(..).chain([open])
    }
}

/// Of more, the thread that records doesn't wait until each has been looked at.
const MANY: usize = 256;

impl Partitions {
    pub(super) fn are_many(&self) -> bool {
        self.all.len() > MANY
    }

    /// Moves all batches, and removes the partitions that nothing has come to since the last time.
    pub(super) fn hand_over(&mut self, to: &mut Vec<(Database, OpenBatch)>) {
        let before = self.all.len();
        self.all.retain_mut(|partition| partition.hand_over(to));
        if self.all.len() < before {
            self.last = 0;
            self.places.clear();
            for (place, partition) in self.all.iter().enumerate() {
                self.places.entry(partition.salt).or_insert(place);
            }
        }
    }

    /// A measurement was refused: its database may have nothing here.
    pub(super) fn forget_last_if_empty(&mut self) {
        let is_newest = self.last + 1 == self.all.len();
        if is_newest && self.all[self.last].batches.is_empty() {
            if let Some(partition) = self.all.pop()
                && self.places.get(&partition.salt) == Some(&self.last)
            {
                self.places.remove(&partition.salt);
            }
            self.last = 0;
        }
    }

    #[inline]
    pub(super) fn of(
        &mut self,
        database: &Database,
        intake: &Intake,
        known: &KnownSeries,
    ) -> &mut Partition {
        if !self.is_at(self.last, database) {
            let salt = known.salt(database);
            self.last = match self.find(salt, database) {
                Some(place) => place,
                None => self.add(Partition::new(database, intake.shares.of(database), salt)),
            };
        }
        &mut self.all[self.last]
    }

    #[inline]
    fn is_at(&self, place: usize, database: &Database) -> bool {
        let partition = self.all.get(place);
        partition.is_some_and(|partition| partition.database == *database)
    }

    #[inline]
    fn find(&self, salt: u64, database: &Database) -> Option<usize> {
        let place = *self.places.get(&salt)?;
        if self.is_at(place, database) {
            return Some(place);
        }
        // Another database with the same salt has the place. That hardly ever happens.
        (0..self.all.len()).find(|place| self.is_at(*place, database))
    }

    fn add(&mut self, partition: Partition) -> usize {
        let place = self.all.len();
        self.places.entry(partition.salt).or_insert(place);
        self.all.push(partition);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(database: &'static str, salt: u64) -> Partition {
        let database = database.into();
        let share = crate::ingest::fair_share::FairShares::default().of(&database);
        Partition::new(&database, share, salt)
    }

    /// Two databases with the same salt, and one with another.
    fn partitions() -> Partitions {
        let mut partitions = Partitions::default();
        for (database, salt) in [("a", 1), ("b", 1), ("c", 2)] {
            partitions.add(partition(database, salt));
        }
        partitions
    }

    fn put(partitions: &mut Partitions, place: usize, lines: usize) {
        let open = partitions.all[place].batches.open(&Spares::default());
        (0..lines).for_each(|_| open.push(b"m f=1 1\n"));
    }

    fn handed_over(partitions: &mut Partitions) -> Vec<(Database, OpenBatch)> {
        let mut batches = Vec::new();
        partitions.hand_over(&mut batches);
        batches
    }

    #[test]
    fn databases_with_the_same_salt_have_partitions_of_their_own() {
        let partitions = partitions();
        let found = [("a", 1), ("b", 1), ("c", 2), ("d", 1), ("a", 3)]
            .map(|(database, salt)| partitions.find(salt, &database.into()));
        assert_eq!(found, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn a_partition_that_nothing_came_to_between_two_drains_is_removed() {
        let mut partitions = partitions();
        (0..3).for_each(|place| put(&mut partitions, place, 1));
        assert_eq!(handed_over(&mut partitions).len(), 3);
        (1..3).for_each(|place| put(&mut partitions, place, 1));
        assert_eq!(handed_over(&mut partitions).len(), 2);
        let found = [("a", 1), ("b", 1), ("c", 2)]
            .map(|(database, salt)| partitions.find(salt, &database.into()));
        assert_eq!(found, [None, Some(0), Some(1)]);
        assert!(handed_over(&mut partitions).is_empty() && partitions.all.is_empty());
        assert!(partitions.places.is_empty());
    }

    #[test]
    fn a_batch_has_memory_for_as_much_as_the_last_one_from_the_start() {
        let mut partitions = partitions();
        let began_with = |partitions: &mut Partitions, lines| {
            let before = partitions.all[0]
                .batches
                .open(&Spares::default())
                .capacity();
            put(partitions, 0, lines);
            let after = partitions.all[0].batches.open.capacity();
            handed_over(partitions);
            (before, after)
        };
        began_with(&mut partitions, 100);
        let (before, after) = began_with(&mut partitions, 100);
        assert_eq!(before, after, "it has not grown");
        began_with(&mut partitions, 1);
        assert!(began_with(&mut partitions, 1).0 < before);
    }
}
