//! The series that a tray has seen: so that what names one is written once, not with every line.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
};

use foldhash::fast::RandomState;

use crate::{
    Database,
    measurement::{Contents, Key},
};

/// More than this is forgotten at once, and learnt again: a stranger who sends ever new
/// combinations of known values must not make it grow.
const MAX_SEEN: usize = 65_536;

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
/// [`Cardinality`](crate::cardinality::Cardinality) on why that does no harm. A head is another
/// matter, so series are compared before it is used.
#[derive(Debug, Default)]
pub(crate) struct KnownSeries {
    hash: RandomState,
    seen: HashSet<SeriesId, Prehashed>,
    heads: HashMap<Place, Head, Prehashed>,
    in_vain: usize,
}

/// The hash of a series in its database.
pub(crate) type SeriesId = u64;

/// The hash of a series in its database, as it was given: equal ones may have several.
pub(crate) type Place = u64;

/// How the lines of a series begin: with its name and tags.
#[derive(Debug)]
struct Head {
    name: Cow<'static, str>,
    tags: Box<[(Key, Cow<'static, str>)]>,
    text: Box<[u8]>,
}

impl KnownSeries {
    /// What sets the series of a database apart from those of others.
    pub(crate) fn salt(&self, database: &Database) -> u64 {
        self.hash.hash_one(database)
    }

    /// What the head of the point's series is kept under. A literal is known by where it is.
    #[inline]
    pub(crate) fn place(&self, salt: u64, point: &Contents) -> Place {
        let mut hasher = self.hash.build_hasher();
        let mut keys = salt;
        hash_quickly(&mut hasher, &point.name);
        for (key, value) in &*point.tags {
            keys = keys.rotate_left(7) ^ key.rank();
            hash_quickly(&mut hasher, value);
        }
        hasher.write_u64(keys);
        hasher.finish()
    }

    pub(crate) fn id(&self, salt: u64, point: &Contents) -> SeriesId {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(salt);
        hasher.write(point.name.as_bytes());
        for (key, value) in &*point.tags {
            hasher.write_u64(key.rank());
            if let Some(rest) = key.as_str().as_bytes().get(8..) {
                hasher.write(rest);
            }
            hasher.write(value.as_bytes());
        }
        hasher.finish()
    }

    /// How the lines of the point's series begin, if that is known.
    #[inline]
    pub(crate) fn head(&self, place: Place, point: &Contents) -> Option<&[u8]> {
        let head = self.heads.get(&place)?;
        head.is_of(point).then_some(&*head.text)
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

    /// It was seen again: its lines begin with `text`.
    pub(crate) fn learn(&mut self, place: Place, point: &Contents, text: &[u8]) {
        if text.len() > MAX_HEAD_BYTES {
            return;
        }
        if self.heads.len() >= MAX_HEADS && !self.heads.contains_key(&place) {
            self.in_vain += 1;
            if self.in_vain < MAX_IN_VAIN {
                return;
            }
            self.heads.clear();
            self.in_vain = 0;
        }
        let head = Head {
            name: point.name.clone(),
            tags: (*point.tags).into(),
            text: text.into(),
        };
        self.heads.insert(place, head);
    }

    /// What is written and what is guarded may change.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
        self.heads.clear();
    }
}

impl Head {
    #[inline]
    fn is_of(&self, point: &Contents) -> bool {
        let pairs = self.tags.iter().zip(&*point.tags);
        let mut is_equal =
            pairs.map(|((key, value), (other_key, other))| key == other_key && equal(value, other));
        self.tags.len() == point.tags.len()
            && equal(&self.name, &point.name)
            && is_equal.all(|is_equal| is_equal)
    }
}

#[inline]
fn hash_quickly(hasher: &mut impl Hasher, text: &Cow<'static, str>) {
    match text {
        Cow::Borrowed(literal) => {
            let place = literal.as_ptr().addr() as u64;
            hasher.write_u64(place ^ (literal.len() as u64).rotate_right(16));
        }
        Cow::Owned(text) => hasher.write(text.as_bytes()),
    }
}

/// Texts that are in the same place need no look: most are literals.
#[inline]
fn equal(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
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
        let known = KnownSeries::default();
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
        let mut ids: Vec<_> = salts
            .iter()
            .flat_map(|salt| points.iter().map(|point| known.id(*salt, point)))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), salts.len() * points.len());
    }

    #[test]
    fn a_head_is_that_of_an_equal_series_only_also_if_their_ids_are_the_same() {
        let mut known = KnownSeries::default();
        let one = point("m", &[("a", "1"), ("longer key", "2")]);
        known.learn(7, &one, b"m,a=1,longer\\ key=2");
        let equal = point("m", &[("a", "1"), ("longer key", "2")]);
        assert_eq!(known.head(7, &equal), Some(&b"m,a=1,longer\\ key=2"[..]));
        for other in [
            point("n", &[("a", "1"), ("longer key", "2")]),
            point("m", &[("a", "1"), ("longer kex", "2")]),
            point("m", &[("a", "1"), ("longer key", "3")]),
            point("m", &[("a", "1")]),
            point("m", &[("longer key", "2"), ("a", "1")]),
        ] {
            assert_eq!(known.head(7, &other), None);
        }
        assert_eq!(known.head(8, &equal), None);
        known.forget();
        assert_eq!(known.head(7, &equal), None);
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
        let point = point("m", &[]);
        for id in 0..(MAX_HEADS + MAX_IN_VAIN) as u64 {
            known.learn(id, &point, b"m");
            assert!(known.heads.len() <= MAX_HEADS);
        }
        assert_eq!(known.heads.len(), 1);
        known.learn(1, &point, &[b'x'; MAX_HEAD_BYTES + 1]);
        assert_eq!(known.heads.len(), 1, "too long");
    }
}
