//! The series that a thread buffer has seen: so that what names one is written once, not with every line.

mod fingerprint;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
};

use foldhash::fast::RandomState;

use self::fingerprint::Fingerprint;
use crate::{
    Database,
    point::measurement::{Contents, Key},
};

/// More than this is forgotten at once, and learnt again: a stranger who sends ever new
/// combinations of known values must not make it grow.
const MAX_SEEN: usize = 131_072;

/// Of so many series the beginning of their lines is kept.
const MAX_HEADS: usize = 4_096;

/// A longer beginning is not kept.
const MAX_HEAD_BYTES: usize = 512;

/// When there was no place for a head so many times, all are forgotten: those that are there may be
/// of series that are not recorded any more.
const MAX_IN_VAIN: usize = 16 * MAX_HEADS;

/// Series by their hashes.
///
/// That one was seen says that its tag values have passed the cardinality guard. Two series with
/// the same hash are one there; the second of them goes out unasked. See
/// [`Cardinality`](crate::ingest::cardinality::Cardinality) on why that does no harm. A head is another
/// matter, so series are compared before it is used.
#[derive(Debug, Default)]
pub(crate) struct KnownSeries {
    hash: RandomState,
    seen: HashSet<SeriesId, Prehashed>,
    /// The same in all databases. Before each, the salt of one that it was seen in, and the
    /// fingerprint of the series.
    heads: HashMap<u64, Box<[u8]>, Prehashed>,
    in_vain: usize,
    /// Of the series that was asked for last.
    fingerprint: Fingerprint,
}

/// The hash of a series in its database.
pub(crate) type SeriesId = u64;

/// The hash of a series as it was given, in any database: equal ones may have several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(u64);

impl KnownSeries {
    /// What sets the series of a database apart from those of others.
    pub(crate) fn salt(&self, database: &Database) -> u64 {
        self.hash.hash_one(database)
    }

    /// What the head of the point's series is kept under, if that can be kept.
    #[inline]
    pub(crate) fn place(&mut self, point: &Contents) -> Option<Place> {
        self.fingerprint.take(point).then(|| {
            let mut hasher = self.hash.build_hasher();
            self.fingerprint.hash_into(&mut hasher);
            Place(hasher.finish())
        })
    }

    /// How the lines of a series begin, if that is known and the series was seen in this database.
    /// The place is the last that was asked for.
    #[inline]
    pub(crate) fn head(&self, salt: u64, place: Place) -> Option<&[u8]> {
        let (seen_in, rest) = self.heads.get(&place.0)?.split_first_chunk()?;
        let head = self.fingerprint.strip_from(rest)?;
        let was_seen = u64::from_ne_bytes(*seen_in) == salt || self.was_seen(place.0 ^ salt);
        was_seen.then_some(head)
    }

    pub(crate) fn id(&self, salt: u64, place: Option<Place>, point: &Contents) -> SeriesId {
        let Some(Place(hash)) = place else {
            let name_and_tags = (
                &*point.name,
                point.tags.iter().map(text_of).collect::<Vec<_>>(),
            );
            return self.hash.hash_one(name_and_tags) ^ salt;
        };
        hash ^ salt
    }

    pub(crate) fn was_seen(&self, id: SeriesId) -> bool {
        self.seen.contains(&id)
    }

    /// It was seen for the first time. Most of those that strangers make are never seen again.
    pub(crate) fn see(&mut self, id: SeriesId) {
        if self.seen.len() == MAX_SEEN {
            self.seen.clear();
        }
        self.seen.insert(id);
    }

    /// It was seen again: its lines begin with `text`. The place is the last that was asked for.
    pub(crate) fn learn(&mut self, salt: u64, place: Place, text: &[u8]) {
        if text.len() > MAX_HEAD_BYTES {
            return;
        }
        if self.heads.len() >= MAX_HEADS && !self.heads.contains_key(&place.0) {
            self.in_vain += 1;
            if self.in_vain < MAX_IN_VAIN {
                return;
            }
            self.heads.clear();
            self.in_vain = 0;
        }
        let head = self.fingerprint.between(&salt.to_ne_bytes(), text);
        self.heads.insert(place.0, head);
    }

    /// What is written and what is guarded may change.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
        self.heads.clear();
    }
}

fn text_of<'a>((key, value): &'a (Key, Cow<'static, str>)) -> (&'a str, &'a str) {
    (key.as_str(), value)
}

/// For keys that are hashes: they aren't hashed again.
pub(crate) type Prehashed = BuildHasherDefault<AsItIs>;

#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

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
    use crate::Measurement;

    fn point(name: &'static str, tags: &[(&'static str, &'static str)]) -> Contents {
        let measurement = Measurement::new("db", name).tags(tags.iter().copied());
        (*measurement.0).clone()
    }

    #[test]
    fn series_that_differ_in_anything_have_different_ids() {
        let mut known = KnownSeries::default();
        let week = Database::new("a").retention_policy("week");
        let salts = ["a".into(), "b".into(), week].map(|database| known.salt(&database));
        let points = [
            point("m", &[]),
            point("n", &[]),
            point("m", &[("a", "1")]),
            point("m", &[("a", "2")]),
            point("m", &[("b", "1")]),
            point("m", &[("a", "1"), ("b", "1")]),
            point("m", &[("customer_id", "1")]),
            point("m", &[("customer_ip", "1")]),
        ];
        let mut ids = HashSet::new();
        for point in &points {
            let place = known.place(point);
            for salt in salts {
                ids.insert(known.id(salt, place, point));
                ids.insert(known.id(salt, None, point));
            }
        }
        assert_eq!(ids.len(), 2 * salts.len() * points.len());
    }

    #[test]
    fn a_head_is_that_of_its_own_series_only_also_if_their_hashes_are_the_same() {
        let mut known = KnownSeries::default();
        let one = point("m", &[("a", "1"), ("longer key", "2")]);
        let place = known.place(&one).unwrap();
        known.learn(0, place, b"m,a=1,longer\\ key=2");
        assert_eq!(known.head(0, place), Some(&b"m,a=1,longer\\ key=2"[..]));
        for other in [
            point("n", &[("a", "1"), ("longer key", "2")]),
            point("m", &[("a", "1"), ("longer key", "3")]),
            point("m", &[("a", "1")]),
            point("m", &[("longer key", "2"), ("a", "1")]),
        ] {
            known.place(&other).unwrap();
            assert_eq!(known.head(0, place), None);
        }
        known.place(&one).unwrap();
        assert!(known.head(0, place).is_some());
        known.forget();
        assert_eq!(known.head(0, place), None);
    }

    #[test]
    fn a_head_is_for_all_databases_that_its_series_was_seen_in() {
        let mut known = KnownSeries::default();
        let one = point("m", &[("a", "1")]);
        let place = known.place(&one).unwrap();
        known.learn(1, place, b"m,a=1");
        assert!(known.head(1, place).is_some());
        assert_eq!(known.head(2, place), None, "it was not guarded there");
        known.see(known.id(2, Some(place), &one));
        assert!(known.head(2, place).is_some());
    }

    #[test]
    fn ever_new_series_are_forgotten() {
        let mut known = KnownSeries::default();
        for id in 0..=MAX_SEEN as u64 {
            known.see(id);
            assert!(known.was_seen(id));
            assert!(known.seen.len() <= MAX_SEEN);
        }
        assert_eq!(known.seen.len(), 1);
    }

    #[test]
    fn heads_have_a_limit_and_give_way_to_others_in_the_end() {
        let mut known = KnownSeries::default();
        for place in 0..(MAX_HEADS + MAX_IN_VAIN) as u64 {
            known.learn(0, Place(place), b"m");
            assert!(known.heads.len() <= MAX_HEADS);
        }
        assert_eq!(known.heads.len(), 1);
        known.learn(0, Place(1), &[b'x'; MAX_HEAD_BYTES + 1]);
        assert_eq!(known.heads.len(), 1, "too long");
    }
}
