use std::{
    collections::HashSet,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
};

use foldhash::quality::RandomState;

use crate::Database;

/// More than this is forgotten at once, and learnt again: a stranger who sends ever new
/// combinations of known values must not make it grow.
const MAX_SERIES: usize = 65_536;

/// The series of one tray whose tag values are all known, so that they need not be asked for.
///
/// Two series with the same hash are one here; the second of them goes out unasked. See
/// [`Cardinality`](super::Cardinality) on why that does no harm.
#[derive(Debug, Default)]
pub(crate) struct KnownSeries {
    hash: RandomState,
    ids: HashSet<u64, Prehashed>,
}

impl KnownSeries {
    /// What sets the series of a database apart from those of others.
    pub(crate) fn salt(&self, database: &Database) -> u64 {
        self.hash.hash_one(database)
    }

    /// Names the series whose name and tags a line begins with.
    #[inline]
    pub(crate) fn id(&self, salt: u64, series: &[u8]) -> u64 {
        let mut hasher = self.hash.build_hasher();
        hasher.write(series);
        hasher.finish() ^ salt
    }

    #[inline]
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    pub(crate) fn insert(&mut self, id: u64) {
        if self.ids.len() == MAX_SERIES {
            self.ids.clear();
        }
        self.ids.insert(id);
    }
}

/// For keys that are hashes: they aren't hashed again.
pub(super) type Prehashed = BuildHasherDefault<AsItIs>;

#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are keys, and they are 64 bits wide");
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_known_in_its_own_database_only() {
        let mut known = KnownSeries::default();
        let [a, b] = ["a", "b"].map(|database| known.salt(&database.into()));
        let week = known.salt(&Database::new("a").retention_policy("week"));
        known.insert(known.id(a, b"cpu,host=x"));
        assert!(known.contains(known.id(a, b"cpu,host=x")));
        assert!(!known.contains(known.id(a, b"cpu,host=y")));
        assert!(!known.contains(known.id(b, b"cpu,host=x")));
        assert!(!known.contains(known.id(week, b"cpu,host=x")));
    }

    #[test]
    fn ever_new_series_are_forgotten() {
        let mut known = KnownSeries::default();
        for number in 0..=MAX_SERIES {
            let id = known.id(0, number.to_string().as_bytes());
            known.insert(id);
            assert!(known.contains(id));
            assert!(known.ids.len() <= MAX_SERIES);
        }
        assert_eq!(known.ids.len(), 1);
    }
}
