use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use foldhash::HashMap;
use parking_lot::Mutex;

use crate::Database;

/// Which databases may go on recording when the buffer is full, at the cost of those that hold
/// more than their share: so that none can keep all others out.
///
/// Known is each database that a thread buffer has a partition for or that has measurements in the
/// backlog. Nothing here takes longer the more there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct FairShares(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    databases: Mutex<HashMap<Database, Entry>>,
    /// How many these are.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Entry {
    /// How many [`FairShare`]s there are of it.
    holders: usize,
    pending: Arc<AtomicUsize>,
}

/// One database's, for a partition of a thread buffer.
#[derive(Debug)]
pub(crate) struct FairShare {
    database: Database,
    /// How many of its measurements are in the backlog.
    pending: Arc<AtomicUsize>,
    known: Arc<Known>,
}

impl FairShares {
    pub(crate) fn of(&self, database: &Database) -> FairShare {
        let mut databases = self.0.databases.lock();
        let entry = databases.entry(database.clone()).or_default();
        entry.holders += 1;
        let pending = Arc::clone(&entry.pending);
        self.0.count.store(databases.len(), Relaxed);
        FairShare {
            database: database.clone(),
            pending,
            known: Arc::clone(&self.0),
        }
    }

    /// So many of the database's measurements have left the backlog.
    pub(crate) fn release(&self, database: &Database, measurements: usize) {
        self.0.change(database, |entry| {
            let left = entry.pending.fetch_sub(measurements, Relaxed);
            debug_assert!(left >= measurements, "more than was pending");
        });
    }
}

impl FairShare {
    /// Does the database hold less than its part of `limit` measurements, given how many more of it
    /// wait in the partition? The only one there is has no share to be below of.
    pub(crate) fn is_below(&self, limit: usize, waiting: usize) -> bool {
        let count = self.known.count.load(Relaxed);
        let pending = self.pending.load(Relaxed).saturating_add(waiting);
        count > 1 && pending.saturating_mul(count) < limit
    }

    /// So many of its measurements go to the backlog.
    pub(crate) fn admit(&self, measurements: usize) {
        self.pending.fetch_add(measurements, Relaxed);
    }
}

impl Drop for FairShare {
    fn drop(&mut self) {
        self.known
            .change(&self.database, |entry| entry.holders -= 1);
    }
}

impl Known {
    /// Forgets the database if nobody has anything of it any more.
    fn change(&self, database: &Database, change: impl FnOnce(&mut Entry)) {
        let mut databases = self.databases.lock();
        let Some(entry) = databases.get_mut(database) else {
            return;
        };
        change(entry);
        if entry.holders == 0 && entry.pending.load(Relaxed) == 0 {
            databases.remove(database);
            self.count.store(databases.len(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_database_has_no_share_to_be_below_of_and_a_new_one_is_below() {
        let shares = FairShares::default();
        let a = shares.of(&"a".into());
        assert!(!a.is_below(100, 0));
        let b = shares.of(&"b".into());
        assert!(b.is_below(100, 0));
    }

    #[test]
    fn what_a_database_has_pending_decides() {
        let shares = FairShares::default();
        let [a, b] = ["a", "b"].map(|database| shares.of(&database.into()));
        a.admit(50);
        b.admit(49);
        assert!(!a.is_below(100, 0));
        assert!(b.is_below(100, 0) && !b.is_below(100, 1));
        shares.release(&"a".into(), 1);
        assert!(a.is_below(100, 0));
    }

    #[test]
    fn a_database_that_is_gone_leaves_its_share_to_the_others() {
        let shares = FairShares::default();
        let a = shares.of(&"a".into());
        let b = shares.of(&"b".into());
        b.admit(3);
        drop(b);
        assert!(
            a.is_below(100, 0),
            "the other has measurements in the backlog"
        );
        shares.release(&"b".into(), 3);
        assert!(!a.is_below(100, 0), "it is the only one now");
    }

    #[test]
    fn a_database_is_forgotten_when_its_measurements_have_gone_and_then_its_last_partition() {
        let shares = FairShares::default();
        let held = [shares.of(&"a".into()), shares.of(&"a".into())];
        held[0].admit(3);
        shares.release(&"a".into(), 3);
        assert_eq!(shares.0.databases.lock().len(), 1);
        drop(held);
        assert_eq!(shares.0.databases.lock().len(), 0);
        assert_eq!(shares.0.count.load(Relaxed), 0);
    }
}
