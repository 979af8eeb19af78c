//! Series parts of measurements that came before, so that a plain `Measurement` of a series that comes
//! again is neither guarded nor escaped anew: `record` takes half of the instructions then
//! (`cargo bench --bench instructions`, `record` against `series_1000000`).

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use crate::point::measurement::Contents;

/// One thread buffer's, by what the texts of a series say.
#[derive(Debug, Default)]
pub(crate) struct SeriesCache {
    hash: RandomState,
    /// The texts of the series that was asked for last.
    key: Vec<u8>,
    key_hash: u64,
    /// A series is at the place that the lowest bits of its hash name, or at the first one after that
    /// which was free. A power of two of places, at most half of which are used.
    places: Vec<Place>,
    count: usize,
    /// The texts and the part of each, one after the other.
    bytes: Vec<u8>,
    /// Of series that were asked for once, by the lowest bits of their hashes: most of those that
    /// strangers make never come again.
    seen: Vec<u16>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: u64,
    /// Where its texts begin, how many bytes they are, and then its part. No part: a free place.
    start: u32,
    texts: u16,
    part: u16,
}

/// What all series together may take. Then everything is forgotten at once, and learnt again.
const MAX_BYTES: usize = 512 << 10;

/// Longer texts, and parts, are not worth it; strangers may have chosen them.
const MAX_LEN: usize = 1 << 10;

const MIN_PLACES: usize = 256;
/// Two that have the same place keep each other from being kept: so there are many, of two bytes.
const SEEN: usize = 64 << 10;

/// Stand between texts: no byte of UTF-8.
const KEY: u8 = 0xfd;
const VALUE: u8 = 0xfe;
const NAME: u8 = 0xff;

impl SeriesCache {
    /// The hash of the texts of the series that was asked for last.
    pub(crate) fn key_hash(&self) -> u64 {
        self.key_hash
    }

    /// The series part of a measurement, if it came before.
    #[inline]
    pub(crate) fn get(&mut self, point: &Contents) -> Option<&[u8]> {
        self.write_key(point);
        self.key_hash = self.hash.hash_one(Bytes(&self.key));
        let mask = self.places.len().wrapping_sub(1);
        let mut at = self.key_hash as usize & mask;
        loop {
            let place = self.places.get(at)?;
            if place.part == 0 {
                return None;
            }
            let texts = place.start as usize..place.start as usize + usize::from(place.texts);
            if place.hash == self.key_hash && self.bytes[texts.clone()] == *self.key {
                return Some(&self.bytes[texts.end..texts.end + usize::from(place.part)]);
            }
            at = (at + 1) & mask;
        }
    }

    /// The series that was asked for last has this part. The second time it is kept.
    pub(crate) fn learn(&mut self, part: &[u8]) {
        let key = &self.key;
        if key.len() > MAX_LEN || part.len() > MAX_LEN || part.is_empty() {
            return;
        }
        if self.seen.is_empty() {
            self.seen = vec![0; SEEN];
        }
        let (at, mark) = (
            self.key_hash as usize % SEEN,
            (self.key_hash >> 48) as u16 | 1,
        );
        if std::mem::replace(&mut self.seen[at], mark) != mark {
            return;
        }
        if self.bytes.len() + key.len() + part.len() > MAX_BYTES {
            self.bytes.clear();
            self.places.fill(Place::default());
            self.count = 0;
        }
        self.make_room();
        let place = Place {
            hash: self.key_hash,
            start: self.bytes.len() as u32,
            texts: self.key.len() as u16,
            part: part.len() as u16,
        };
        self.bytes.extend_from_slice(&self.key);
        self.bytes.extend_from_slice(part);
        insert(&mut self.places, place);
        self.count += 1;
    }

    /// What is written and what is guarded may change.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    #[inline]
    fn write_key(&mut self, point: &Contents) {
        let key = &mut self.key;
        key.clear();
        if key.capacity() > 4 * MAX_LEN {
            key.shrink_to(MAX_LEN);
        }
        key.extend_from_slice(point.database.name.as_bytes());
        if let Some(policy) = &point.database.retention_policy {
            key.push(VALUE);
            key.extend_from_slice(policy.as_bytes());
        }
        key.push(NAME);
        key.extend_from_slice(point.name.as_bytes());
        for (tag, value) in point.tags.iter() {
            key.push(KEY);
            key.extend_from_slice(tag.as_str().as_bytes());
            key.push(VALUE);
            key.extend_from_slice(value.as_bytes());
        }
    }

    fn make_room(&mut self) {
        if self.count < self.places.len() / 2 {
            return;
        }
        let more = vec![Place::default(); (2 * self.places.len()).max(MIN_PLACES)];
        for place in std::mem::replace(&mut self.places, more) {
            if place.part > 0 {
                insert(&mut self.places, place);
            }
        }
    }
}

/// There is a place that is free.
fn insert(places: &mut [Place], place: Place) {
    let mask = places.len() - 1;
    let mut at = place.hash as usize & mask;
    while places[at].part > 0 {
        at = (at + 1) & mask;
    }
    places[at] = place;
}

/// Hashed as they are, without their number.
struct Bytes<'a>(&'a [u8]);

impl std::hash::Hash for Bytes<'_> {
    #[inline]
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, Measurement};

    fn point(
        database: impl Into<Database>,
        name: &'static str,
        tags: &[(&'static str, &'static str)],
    ) -> Measurement {
        Measurement::new(database, name).tags(tags.iter().copied())
    }

    fn get(cache: &mut SeriesCache, point: &Measurement) -> Option<Vec<u8>> {
        cache.get(&point.0).map(<[u8]>::to_vec)
    }

    /// Asks twice, and learns each time.
    fn learn(cache: &mut SeriesCache, point: &Measurement, part: &[u8]) {
        for _ in 0..2 {
            assert_eq!(get(cache, point), None);
            cache.learn(part);
        }
    }

    #[test]
    fn a_part_is_that_of_its_own_series_only() {
        let mut cache = SeriesCache::default();
        let week = Database::new("a").retention_policy("week");
        let all = [
            point("a", "m", &[]),
            point("b", "m", &[]),
            point(week, "m", &[]),
            point("a", "n", &[]),
            point("a", "m", &[("a", "1")]),
            point("a", "m", &[("a", "2")]),
            point("a", "m", &[("b", "1")]),
            point("a", "m", &[("a", "1"), ("b", "1")]),
            point("a", "m", &[("a1b", "1")]),
            point("am", "m", &[]),
        ];
        for (at, one) in all.iter().enumerate() {
            learn(&mut cache, one, format!("part {at}").as_bytes());
        }
        for (at, one) in all.iter().enumerate() {
            assert_eq!(
                get(&mut cache, one),
                Some(format!("part {at}").into_bytes())
            );
        }
        cache.forget();
        assert_eq!(get(&mut cache, &all[0]), None);
    }

    #[test]
    fn each_of_many_series_is_found_and_has_a_hash_of_its_own() {
        let mut cache = SeriesCache::default();
        let mut hashes = std::collections::HashSet::new();
        for count in [100, 600] {
            let all = || (0..count).map(|number| (number, format!("{count}/{number}")));
            let point = |value| Measurement::new("db", "m").tag("n", value);
            for (number, value) in all() {
                learn(&mut cache, &point(value), &u32::to_be_bytes(number));
                hashes.insert(cache.key_hash());
            }
            for (number, value) in all() {
                let part = get(&mut cache, &point(value));
                assert_eq!(part, Some(u32::to_be_bytes(number).to_vec()));
                assert!(!hashes.insert(cache.key_hash()));
            }
        }
        assert_eq!((cache.count, hashes.len()), (700, 700));
    }

    #[test]
    fn long_texts_and_parts_and_empty_ones_are_not_kept() {
        // What comes before the value.
        let before = b"db|m|n|".len();
        for (texts, part, count) in [
            (MAX_LEN, MAX_LEN, 1),
            (MAX_LEN + 1, 1, 0),
            (MAX_LEN + 2, 1, 0),
            (MAX_LEN, MAX_LEN + 1, 0),
            (MAX_LEN, MAX_LEN + 2, 0),
            (MAX_LEN, 0, 0),
        ] {
            let mut cache = SeriesCache::default();
            let point = Measurement::new("db", "m").tag("n", "x".repeat(texts - before));
            learn(&mut cache, &point, &vec![b'p'; part]);
            assert_eq!((cache.key.len(), cache.count), (texts, count));
        }
    }

    #[test]
    fn a_series_that_came_once_is_not_kept() {
        let mut cache = SeriesCache::default();
        for number in 0..1_000 {
            let one = Measurement::new("db", "m").tag("n", number.to_string());
            assert_eq!(get(&mut cache, &one), None);
            cache.learn(b"part");
        }
        assert_eq!(cache.count, 0);
    }

    #[test]
    fn the_memory_is_bounded_whatever_comes() {
        let mut cache = SeriesCache::default();
        let mut largest = 0;
        for number in 0..10_000 {
            let value = format!("{number:0>100}");
            let point = Measurement::new("db", "m").tag("n", value);
            // Of so many, one may be taken for another that came before, and is kept at once.
            while get(&mut cache, &point).is_none() {
                cache.learn(&[b'p'; 200]);
            }
            assert!(cache.bytes.len() <= MAX_BYTES && cache.places.len() <= 8 << 10);
            largest = largest.max(cache.bytes.len());
        }
        // And used: there was no room for one more.
        assert!(largest > MAX_BYTES - 400, "{largest}");
        let long = Measurement::new("db", "m").tag("n", "x".repeat(1 << 20));
        get(&mut cache, &long);
        cache.learn(b"part");
        get(&mut cache, &point("db", "m", &[]));
        assert!(cache.key.capacity() <= 4 * MAX_LEN);
        let shorter = Measurement::new("db", "m").tag("n", "x".repeat(3 * MAX_LEN));
        for _ in 0..2 {
            get(&mut cache, &shorter);
            assert!(cache.key.capacity() > 3 * MAX_LEN, "used again");
            get(&mut cache, &point("db", "m", &[]));
        }
        assert!(cache.key.capacity() > 3 * MAX_LEN);
    }
}
