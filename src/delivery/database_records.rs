//! History of each database, beyond its pending lines. Pure, and bounded.

use std::collections::BTreeMap;

use foldhash::HashMap;

use super::pacing::Pace;
use crate::Database;

/// Maximum number of databases, besides those with pending lines.
const MAX_RECORDS: usize = 10_000;

/// History of one database.
#[derive(Debug, Default)]
pub(crate) struct DatabaseRecord {
    /// Number of POSTs written.
    pub(crate) written: u64,
    /// Number of POSTs that failed for reasons that may have been their own.
    pub(crate) failed: u64,
    /// The value of [`DatabaseRecords::written`] at its last success; 0 if there was none.
    pub(crate) last_written: u64,
    pub(crate) pace: Pace,
    /// Refusals in a row that named no line and whose text is not known to be about lines.
    pub(crate) refusals: u32,
    /// Hash of the text for which halving has stopped.
    pub(crate) halving_stopped_for: Option<u64>,
    /// Position in [`DatabaseRecords::idle`], without pending lines.
    idle: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct DatabaseRecords {
    all: HashMap<Database, DatabaseRecord>,
    /// Databases without pending lines, the longest idle first.
    idle: BTreeMap<u64, Database>,
    next_idle: u64,
    /// Number of POSTs written, of all databases.
    written: u64,
}

impl DatabaseRecords {
    /// The history of a database with pending lines.
    pub(crate) fn of(&mut self, database: &Database) -> &mut DatabaseRecord {
        // Not `entry`, which would copy the name each time.
        if !self.all.contains_key(database) {
            self.all.insert(database.clone(), DatabaseRecord::default());
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

    pub(crate) fn get(&self, database: &Database) -> Option<&DatabaseRecord> {
        self.all.get(database)
    }

    /// Notes that a POST was written.
    pub(crate) fn written(&mut self, database: &Database) -> &mut DatabaseRecord {
        self.written += 1;
        let count = self.written;
        let record = self.of(database);
        record.written += 1;
        record.last_written = count;
        record.refusals = 0;
        record.halving_stopped_for = None;
        record
    }

    /// Notes that the database has nothing pending. Beyond the limit, the longest idle databases
    /// are forgotten.
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
        let mut records = DatabaseRecords::default();
        let record = records.of(&"a".into());
        (record.refusals, record.halving_stopped_for) = (5, Some(7));
        records.written(&"b".into());
        let record = records.written(&"a".into());
        assert_eq!((record.refusals, record.halving_stopped_for), (0, None));
        assert_eq!((record.written, record.last_written), (1, 2));
    }

    #[test]
    fn records_of_databases_without_anything_pending_are_kept_up_to_a_number() {
        let mut records = DatabaseRecords::default();
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
        let mut records = DatabaseRecords::default();
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
        let mut records = DatabaseRecords::default();
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
