//! What is known of each database beyond what it has pending. Pure, and bounded.

use std::collections::BTreeMap;

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
    /// Its place among those that have nothing pending.
    idle: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Records {
    all: HashMap<Database, Record>,
    /// Those that have nothing pending, the one that has had nothing for longest first.
    idle: BTreeMap<u64, Database>,
    next_idle: u64,
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
        let record = self
            .all
            .get_mut(database)
            .expect("it is there, or was just put there");
        if let Some(place) = record.idle.take() {
            self.idle.remove(&place);
        }
        record
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

    /// The database has nothing pending any more. Beyond the number, those are forgotten that have had nothing
    /// for longest.
    pub(crate) fn is_idle(&mut self, database: &Database) {
        if let Some(record) = self.all.get_mut(database)
            && record.idle.is_none()
        {
            record.idle = Some(self.next_idle);
            self.idle.insert(self.next_idle, database.clone());
            self.next_idle += 1;
        }
        while self.all.len() > MAX_RECORDS
            && let Some((_, oldest)) = self.idle.pop_first()
        {
            self.all.remove(&oldest);
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
        assert!(records.get(&"0".into()).is_none());
        assert!(records.get(&"10".into()).is_some());
    }

    #[test]
    fn those_that_have_been_idle_for_longest_are_forgotten_and_none_that_has_something_pending() {
        let mut records = Records::default();
        records.written(&"pending".into());
        for number in 0..MAX_RECORDS {
            let database = Database::new(number.to_string());
            records.written(&database);
            records.is_idle(&database);
            // It is used all the time, with pauses.
            records.written(&"used".into());
            records.is_idle(&"used".into());
        }
        assert_eq!(records.all.len(), MAX_RECORDS);
        assert_eq!(records.idle.len(), MAX_RECORDS - 1);
        let written = |name: &'static str| records.get(&name.into()).map(|record| record.written);
        assert_eq!(written("used"), Some(MAX_RECORDS as u64));
        assert_eq!(written("pending"), Some(1));
        assert_eq!(
            (written("0"), written("1"), written("2")),
            (None, None, Some(1))
        );
    }

    #[test]
    fn more_databases_than_are_kept_are_remembered_while_they_have_something_pending() {
        let mut records = Records::default();
        let names = || (0..MAX_RECORDS + 10).map(|number| Database::new(number.to_string()));
        names().for_each(|database| _ = records.written(&database));
        assert_eq!(records.all.len(), MAX_RECORDS + 10);
        names().for_each(|database| records.is_idle(&database));
        assert_eq!(
            (records.all.len(), records.idle.len()),
            (MAX_RECORDS, MAX_RECORDS)
        );
    }
}
