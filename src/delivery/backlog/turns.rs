use std::collections::BTreeMap;

use crate::Database;

/// Whose turn it is: each database that has something pending once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    order: BTreeMap<Turn, Database>,
    next: u64,
}

/// A place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(u64);

impl Turns {
    /// It is the last.
    pub(super) fn add(&mut self, database: Database) -> Turn {
        let turn = Turn(self.next);
        self.next += 1;
        self.order.insert(turn, database);
        turn
    }

    pub(super) fn remove(&mut self, turn: Turn) -> Option<Database> {
        self.order.remove(&turn)
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
    }

    /// The next one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Turn, &Database)> {
        self.order.iter().map(|(turn, database)| (*turn, database))
    }
}
