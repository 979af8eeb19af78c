use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use foldhash::HashMap;
use parking_lot::Mutex;

use crate::Database;

/// So many databases are worth a look whether some can be forgotten.
const MANY: usize = 10_000;

/// Which databases may go on recording when the buffer is full, at the cost of those that hold
/// more than their share: so that none can keep all others out.
#[derive(Debug, Default)]
pub(crate) struct Shares(Mutex<HashMap<Database, Arc<Share>>>);

/// What recording threads look at. The buffer actor keeps it up to date.
#[derive(Debug)]
pub(crate) struct Share {
    is_below: AtomicBool,
}

impl Share {
    /// Does the database hold less than its share?
    #[inline]
    pub(crate) fn is_below(&self) -> bool {
        self.is_below.load(Relaxed)
    }
}

impl Shares {
    /// The share of a database. One that is new has nothing yet, so it is below: unless it is the
    /// only one, which has all.
    pub(crate) fn of(&self, database: &Database) -> Arc<Share> {
        let mut shares = self.0.lock();
        if shares.len() >= MANY {
            // Of those whose measurements were refused, before the buffer actor looks again.
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let is_below = !shares.is_empty();
        let share = shares.entry(database.clone()).or_insert_with(|| {
            Arc::new(Share {
                is_below: is_below.into(),
            })
        });
        Arc::clone(share)
    }

    /// Shares `limit` measurements among the databases, given how many each has pending; forgets
    /// those that have none and that no tray holds.
    pub(crate) fn update(&self, limit: usize, pending: impl Fn(&Database) -> usize) {
        let mut shares = self.0.lock();
        shares.retain(|database, share| Arc::strong_count(share) > 1 || pending(database) > 0);
        let count = shares.len();
        for (database, share) in shares.iter() {
            let is_below = count > 1 && pending(database) < limit / count;
            share.is_below.store(is_below, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_below(shares: &Shares, database: &'static str) -> bool {
        shares.of(&database.into()).is_below()
    }

    #[test]
    fn the_only_database_has_no_share_to_be_below_of_and_a_new_one_is_below() {
        let shares = Shares::default();
        assert!(!is_below(&shares, "a"));
        assert!(is_below(&shares, "b"));
    }

    #[test]
    fn what_a_database_has_pending_decides() {
        let shares = Shares::default();
        let _held = [shares.of(&"a".into()), shares.of(&"b".into())];
        shares.update(100, |database| if database.name() == "a" { 50 } else { 49 });
        assert!(!is_below(&shares, "a"));
        assert!(is_below(&shares, "b"));
        shares.update(100, |_| 0);
        assert!(is_below(&shares, "a"));
    }

    #[test]
    fn a_database_that_is_gone_leaves_its_share_to_the_others() {
        let shares = Shares::default();
        let _held = shares.of(&"a".into());
        shares.of(&"b".into());
        shares.update(100, |_| 0);
        assert!(!is_below(&shares, "a"), "it is the only one now");
    }
}
