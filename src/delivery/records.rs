//! What is known of each database beyond what it has pending. Pure, and bounded.

use foldhash::HashMap;

use super::pacing::Pace;
use crate::Database;

/// Of so many databases, besides those that have something pending.
const MAX_RECORDS: usize = 10_000;

/// What is known of one database.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// How many POSTs of it were written.
    pub(crate) written: u64,
    /// How many failed, for reasons that may have been their own.
    pub(crate) failed: u64,
    /// When the last of them was, counted in POSTs of all databases; 0 for never.
    pub(crate) last_written: u64,
    pub(crate) pace: Pace,
    /// Refusals in a row that named nothing, in words that no server is known to use for lines.
    pub(crate) refusals: u32,
    /// The words, hashed, for which halving has stopped.
    pub(crate) stopped_at: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Records {
    all: HashMap<Database, Record>,
    /// POSTs that were written, of all databases.
    written: u64,
}

impl Records {
    /// What is known of a database, which has something pending.
    pub(crate) fn of(&mut self, database: &Database) -> &mut Record {
        // Not by `entry`: that would copy a name each time.
        if !self.all.contains_key(database) {
            self.all.insert(database.clone(), Record::default());
        }
        self.all
            .get_mut(database)
            .expect("it is there, or was just put there")
    }

    pub(crate) fn get(&self, database: &Database) -> Option<&Record> {
        self.all.get(database)
    }

    /// A POST of it was written.
    pub(crate) fn written(&mut self, database: &Database) -> &mut Record {
        self.written += 1;
        let count = self.written;
        let record = self.of(database);
        record.written += 1;
        record.last_written = count;
        record.refusals = 0;
        record.stopped_at = None;
        record
    }

    /// The database has nothing pending any more.
    pub(crate) fn is_idle(&mut self, database: &Database) {
        if self.all.len() > MAX_RECORDS {
            self.all.remove(database);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_ends_a_row_of_refusals_and_is_the_latest() {
        let mut records = Records::default();
        let record = records.of(&"a".into());
        (record.refusals, record.stopped_at) = (5, Some(7));
        records.written(&"b".into());
        let record = records.written(&"a".into());
        assert_eq!((record.refusals, record.stopped_at), (0, None));
        assert_eq!((record.written, record.last_written), (1, 2));
    }

    #[test]
    fn records_of_databases_without_anything_pending_are_kept_up_to_a_number() {
        let mut records = Records::default();
        for number in 0..MAX_RECORDS + 10 {
            let database = Database::new(number.to_string());
            records.written(&database);
            records.is_idle(&database);
        }
        assert_eq!(records.all.len(), MAX_RECORDS);
        assert!(records.get(&"0".into()).is_some());
    }
}
