use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::fast::{FoldHasher, RandomState};

use crate::point::measurement::{Contents, Key};

/// The series and tag values that one thread buffer need not ask the guard about again: so that what
/// all threads share is asked only for a value that is new to a thread, and the values of a series only
/// if the series is new.
///
/// They are remembered as 64-bit hashes: see [`Cardinality`](super::Cardinality) on why two with
/// the same hash do no harm.
#[derive(Debug, Default)]
pub(crate) struct KnownValues {
    hash: RandomState,
    /// A hash is at the place that its lowest bits name, or at the first one after that which was
    /// free. A power of two of places, at most three quarters of which are used.
    places: Vec<u64>,
    count: usize,
}

/// Some of a measurement's tags, by their indexes. All beyond the 63rd are in it if one of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagSet(u64);

impl TagSet {
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// How many tags have a bit of their own.
    pub(crate) const TOLD_APART: usize = 63;

    pub(crate) fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << index.min(Self::TOLD_APART))
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 >> index.min(Self::TOLD_APART) & 1 == 1
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Stands where there is no hash.
const FREE: u64 = 0;

/// So many places take 512 KiB (half as much more while they are filled). When they are used,
/// everything is forgotten at once, and learnt again: whatever strangers send, it does not grow.
const MAX_PLACES: usize = 64 << 10;

const MIN_PLACES: usize = 256;

impl KnownValues {
    /// Are all values of a series known, by the hash of what it says?
    #[inline]
    pub(crate) fn contain_series(&self, hash: u64) -> bool {
        self.contains(hash.max(FREE + 1))
    }

    /// All values of a series have been let through.
    pub(crate) fn learn_series(&mut self, hash: u64) {
        self.insert(hash.max(FREE + 1));
    }

    /// Returns the tags whose values the guard is to be asked about.
    pub(crate) fn unknown(&self, point: &Contents) -> TagSet {
        let scope = tag_scope(&self.hash, point);
        let tags = point.tags.iter().enumerate();
        tags.fold(
            TagSet::default(),
            |unknown, (index, (key, value))| match self.contains(hash_of(&scope, key, value)) {
                true => unknown,
                false => unknown.with(index),
            },
        )
    }

    /// The values of these tags have been let through, or replaced.
    pub(crate) fn learn(&mut self, point: &Contents, tags: TagSet) {
        let hash = self.hash.clone();
        let scope = tag_scope(&hash, point);
        for (index, (key, value)) in point.tags.iter().enumerate() {
            if tags.contains(index) {
                self.insert(hash_of(&scope, key, value));
            }
        }
    }

    fn insert(&mut self, hash: u64) {
        if !self.contains(hash) {
            self.make_room();
            insert(&mut self.places, hash);
            self.count += 1;
        }
    }

    #[inline]
    fn contains(&self, hash: u64) -> bool {
        let mask = self.places.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        loop {
            match self.places.get(at) {
                Some(known) if *known == hash => return true,
                // Some are always free.
                Some(&FREE) | None => return false,
                Some(_) => at = (at + 1) & mask,
            }
        }
    }

    fn make_room(&mut self) {
        let places = self.places.len();
        if self.count < places / 4 * 3 {
            return;
        }
        if places == MAX_PLACES {
            return self.forget();
        }
        let more = vec![FREE; (2 * places).max(MIN_PLACES)];
        let known = std::mem::replace(&mut self.places, more);
        for hash in known.into_iter().filter(|hash| *hash != FREE) {
            insert(&mut self.places, hash);
        }
    }

    /// What is guarded, and how, may change.
    pub(crate) fn forget(&mut self) {
        self.places.fill(FREE);
        self.count = 0;
    }
}

/// There is a place that is free.
fn insert(places: &mut [u64], hash: u64) {
    let mask = places.len() - 1;
    let mut at = hash as usize & mask;
    while places[at] != FREE {
        at = (at + 1) & mask;
    }
    places[at] = hash;
}

/// What the hashes of a measurement's tags begin with.
fn tag_scope<'a>(hash: &'a RandomState, point: &Contents) -> FoldHasher<'a> {
    let mut scope = hash.build_hasher();
    scope.write(point.database.name.as_bytes());
    if let Some(policy) = &point.database.retention_policy {
        scope.write_u8(1);
        scope.write(policy.as_bytes());
    }
    scope.write(point.name.as_bytes());
    scope
}

#[inline]
fn hash_of(scope: &FoldHasher<'_>, key: &Key, value: &str) -> u64 {
    let mut hasher = scope.clone();
    match key.is_long() {
        true => hasher.write(key.as_str().as_bytes()),
        false => hasher.write_u64(key.rank()),
    }
    hasher.write(value.as_bytes());
    hasher.finish().max(FREE + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, Measurement};

    #[test]
    fn a_value_is_known_for_its_database_policy_measurement_and_key_only() {
        let mut known = KnownValues::default();
        let week = || Database::new("db").retention_policy("week");
        let point = |database: Database, name, key| Measurement::new(database, name).tag(key, "x");
        known.learn(&point("db".into(), "m", "k").0, TagSet::ALL);
        assert!(known.unknown(&point("db".into(), "m", "k").0).is_empty());
        for other in [
            point("other".into(), "m", "k"),
            point(week(), "m", "k"),
            point("db".into(), "n", "k"),
            point("db".into(), "m", "l"),
            point("db".into(), "m", "k_that_is_long"),
            point("db".into(), "m", "k").tag("k", "y"),
            point("db".into(), "m", "k").tag("l", "x"),
        ] {
            assert!(!known.unknown(&other.0).is_empty(), "{other:?}");
        }
        known.forget();
        assert!(!known.unknown(&point("db".into(), "m", "k").0).is_empty());
    }

    #[test]
    fn keys_that_begin_alike_are_told_apart() {
        let mut known = KnownValues::default();
        let point = |key: &'static str| Measurement::new("db", "m").tag(key, "x");
        let keys = ["abcdefgh", "abcdefghi", "abcdefghj", "abcdefg"];
        for (at, key) in keys.into_iter().enumerate() {
            assert!(!known.unknown(&point(key).0).is_empty(), "{key}");
            known.learn(&point(key).0, TagSet::ALL);
            assert_eq!(known.count, at + 1);
        }
    }

    #[test]
    fn what_is_known_stays_so_while_more_is_learnt() {
        let mut known = KnownValues::default();
        let points = (0..5_000).map(|number| Measurement::new("db", "m").tag("k", number));
        let points: Vec<_> = points.collect();
        for point in &points {
            known.learn(&point.0, TagSet::ALL);
        }
        for hash in 1..100 {
            assert!(!known.contain_series(hash));
            known.learn_series(hash);
        }
        assert!(
            points
                .iter()
                .all(|point| known.unknown(&point.0).is_empty())
        );
        assert!((1..100).all(|hash| known.contain_series(hash)));
        assert!(!known.contain_series(100));
    }

    #[test]
    fn ever_new_values_are_forgotten() {
        let mut known = KnownValues::default();
        let mut largest = 0;
        for number in 0..=MAX_PLACES {
            let point = Measurement::new("db", "m").tag("k", number);
            known.learn(&point.0, TagSet::ALL);
            assert!(known.unknown(&point.0).is_empty());
            largest = largest.max(known.places.capacity());
            point.recycle();
        }
        assert_eq!(known.count, MAX_PLACES + 1 - MAX_PLACES / 4 * 3);
        assert!(largest <= MAX_PLACES, "{largest}");
    }
}
