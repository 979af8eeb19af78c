use std::{
    collections::HashSet,
    hash::{BuildHasher as _, Hasher as _},
};

use foldhash::fast::{FixedState, RandomState};

use crate::point::measurement::Contents;

/// The tag values that one thread buffer need not ask the guard about again: so that what all
/// threads share is asked only for a value that is new to a thread.
///
/// They are remembered as 64-bit hashes: see [`Cardinality`](super::Cardinality) on why two with
/// the same hash do no harm.
#[derive(Debug, Default)]
pub(crate) struct KnownValues {
    hash: RandomState,
    values: HashSet<u64, FixedState>,
}

/// More than this is forgotten at once, and learnt again. So many take a table of 128 Ki entries,
/// 1.1 MiB: whatever strangers send, it does not grow.
const MAX_VALUES: usize = 114_688;

impl KnownValues {
    /// Are all values of the point's tags known?
    #[inline]
    pub(crate) fn contain_all_of(&self, point: &Contents) -> bool {
        self.hashes(point).all(|hash| self.values.contains(&hash))
    }

    /// The values of the point's tags have been let through.
    pub(crate) fn learn(&mut self, point: &Contents) {
        if self.values.len() + point.tags.len() > MAX_VALUES {
            self.values.clear();
        }
        self.values
            .extend(hashes(&self.hash, point).take(MAX_VALUES));
    }

    /// What is guarded, and how, may change.
    pub(crate) fn forget(&mut self) {
        self.values.clear();
    }

    #[inline]
    fn hashes<'a>(&'a self, point: &'a Contents) -> impl Iterator<Item = u64> + 'a {
        hashes(&self.hash, point)
    }
}

/// Of each tag, together with its database and measurement.
#[inline]
fn hashes<'a>(hash: &'a RandomState, point: &'a Contents) -> impl Iterator<Item = u64> + 'a {
    let mut scope = hash.build_hasher();
    scope.write(point.database.name.as_bytes());
    if let Some(policy) = &point.database.retention_policy {
        scope.write_u8(1);
        scope.write(policy.as_bytes());
    }
    scope.write(point.name.as_bytes());
    point.tags.iter().map(move |(key, value)| {
        let mut hasher = scope.clone();
        match key.is_long() {
            true => hasher.write(key.as_str().as_bytes()),
            false => hasher.write_u64(key.rank()),
        }
        hasher.write(value.as_bytes());
        hasher.finish()
    })
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
        known.learn(&point("db".into(), "m", "k").0);
        assert!(known.contain_all_of(&point("db".into(), "m", "k").0));
        for other in [
            point("other".into(), "m", "k"),
            point(week(), "m", "k"),
            point("db".into(), "n", "k"),
            point("db".into(), "m", "l"),
            point("db".into(), "m", "k_that_is_long"),
            point("db".into(), "m", "k").tag("k", "y"),
            point("db".into(), "m", "k").tag("l", "x"),
        ] {
            assert!(!known.contain_all_of(&other.0), "{other:?}");
        }
        known.forget();
        assert!(!known.contain_all_of(&point("db".into(), "m", "k").0));
    }

    #[test]
    fn keys_that_begin_alike_are_told_apart() {
        let mut known = KnownValues::default();
        let point = |key: &'static str| Measurement::new("db", "m").tag(key, "x");
        let keys = ["abcdefgh", "abcdefghi", "abcdefghj", "abcdefg"];
        for (at, key) in keys.into_iter().enumerate() {
            assert!(!known.contain_all_of(&point(key).0), "{key}");
            known.learn(&point(key).0);
            assert_eq!(known.values.len(), at + 1);
        }
    }

    #[test]
    fn ever_new_values_are_forgotten() {
        let mut known = KnownValues::default();
        let mut largest = 0;
        for number in 0..=MAX_VALUES {
            let point = Measurement::new("db", "m").tag("k", number);
            known.learn(&point.0);
            assert!(known.contain_all_of(&point.0));
            largest = largest.max(known.values.capacity());
            point.recycle();
        }
        assert_eq!(known.values.len(), 1);
        assert!(largest <= MAX_VALUES, "{largest}");
    }
}
