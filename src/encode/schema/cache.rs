//! The schemas of measurements that came before, so that what a series part has beside its values is sorted,
//! escaped and merged with the base tags once. `encode` of `cargo bench --bench instructions` (6 tags, 2 fields)
//! took 4,077 instructions when each schema was made anew, and takes 2,363.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::{Encoder, Schema, mix_text, words};
use crate::{
    Database, RecordError,
    encode::LineBuffer,
    point::measurement::{Contents, Key},
};

/// One thread buffer's, by name and keys.
#[derive(Debug, Default)]
pub(crate) struct SchemaCache {
    random: RandomState,
    /// A schema is at the place that the lowest bits of its hash name, or at the first one after that
    /// which was free. At most half of them are used.
    places: Vec<Option<Box<Known>>>,
    count: usize,
    /// What they take.
    bytes: usize,
    /// A bit for each that came once, by the highest bits of its hash: most of those that strangers make never
    /// come again.
    seen: Vec<u64>,
    seen_count: usize,
    /// Of a measurement whose schema is not kept.
    other: Schema,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    name: Box<str>,
    keys: Box<[Key]>,
    /// What the hashes of its series begin with.
    seed: u64,
    schema: Schema,
}

/// A power of two.
const PLACES: usize = 512;

/// So many are kept, of so many bytes. Then everything is forgotten at once, and learnt again.
pub(super) const MAX_COUNT: usize = PLACES / 2;
pub(super) const MAX_BYTES: usize = 512 << 10;

/// 8 KiB. When an eighth of them is used, they are forgotten.
const SEEN_BITS: usize = 1 << 16;
const MAX_SEEN: usize = SEEN_BITS / 8;

/// Longer ones are not kept; strangers may have chosen them.
pub(super) const MAX_LEN: usize = 1 << 10;
const MAX_TAGS: usize = 32;

impl SchemaCache {
    /// Appends the series part of a measurement. Returns a hash of what it says, if its schema is kept.
    #[inline]
    pub(crate) fn push(
        &mut self,
        point: &Contents,
        encoder: &Encoder,
        line: &mut LineBuffer,
    ) -> Result<Option<u64>, RecordError> {
        let hash = hash_of(point);
        match self.get(hash, point) {
            Some(known) => {
                let hash = known.hash_of_database(&point.database);
                known.schema.push(point, hash, line).map(Some)
            }
            None => self.push_other(hash, point, encoder, line),
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let known = self.places.iter().flatten();
        known.map(|known| known.size()).sum()
    }

    /// What is written may change.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    #[inline]
    fn get(&self, hash: u64, point: &Contents) -> Option<&Known> {
        let mut at = hash as usize % PLACES;
        loop {
            let known = self.places.get(at)?.as_deref()?;
            if known.hash == hash && known.is_of(point) {
                return Some(known);
            }
            at = (at + 1) % PLACES;
        }
    }

    #[cold]
    fn push_other(
        &mut self,
        hash: u64,
        point: &Contents,
        encoder: &Encoder,
        line: &mut LineBuffer,
    ) -> Result<Option<u64>, RecordError> {
        let mut schema = std::mem::take(&mut self.other);
        schema.fill(encoder, point)?;
        schema.push(point, 0, line)?;
        if schema.text.line_len() <= MAX_LEN
            && point.name.len() <= MAX_LEN
            && point.tags.len() <= MAX_TAGS
        {
            self.learn(hash, point, schema);
        }
        Ok(None)
    }

    /// Keeps a schema the second time, and its memory the first time.
    fn learn(&mut self, hash: u64, point: &Contents, schema: Schema) {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        if self.is_new(hash) {
            self.other = schema;
            return;
        }
        let known = Known::new(hash, point, &self.random, schema);
        if self.count == MAX_COUNT || self.bytes + known.size() > MAX_BYTES {
            self.places.fill_with(|| None);
            (self.count, self.bytes) = (0, 0);
        }
        let mut at = hash as usize % PLACES;
        while self.places[at].is_some() {
            at = (at + 1) % PLACES;
        }
        self.bytes += known.size();
        self.count += 1;
        self.places[at] = Some(known.into());
    }

    /// Has none come with this hash? It has now. (Another may have the same bit: then this one is kept at once.)
    fn is_new(&mut self, hash: u64) -> bool {
        if self.seen_count == 0 {
            self.seen = vec![0; SEEN_BITS / 64];
        }
        let at = (hash >> 48) as usize;
        let (word, bit) = (&mut self.seen[at / 64], 1 << (at % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        self.seen_count += usize::from(is_new);
        if self.seen_count == MAX_SEEN {
            self.seen_count = 0;
        }
        is_new
    }
}

impl Known {
    fn new(hash: u64, point: &Contents, random: &RandomState, schema: Schema) -> Self {
        let keys: Box<[Key]> = point.tags.iter().map(|(key, _)| key.clone()).collect();
        let texts: Vec<_> = keys.iter().map(Key::as_str).collect();
        Self {
            hash,
            seed: random.hash_one((&point.name, texts)),
            name: (&*point.name).into(),
            keys,
            schema,
        }
    }

    /// In bytes, with what it keeps on the heap.
    fn size(&self) -> usize {
        let keys = self.keys.iter();
        let keys: usize = keys.map(|key| size_of::<Key>() + key.as_str().len()).sum();
        size_of::<Self>() + self.name.len() + keys + self.schema.heap_size()
    }

    #[inline]
    fn is_of(&self, point: &Contents) -> bool {
        *self.name == *point.name && point.tags.are_of(&self.keys)
    }

    /// What the hash of a series begins with.
    #[inline]
    fn hash_of_database(&self, database: &Database) -> u64 {
        let hash = mix_text(self.seed, database.name.as_bytes());
        match &database.retention_policy {
            Some(policy) => mix_text(hash, policy.as_bytes()),
            None => hash,
        }
    }
}

/// A hash of the measurement's name and keys, by how they begin.
#[inline]
fn hash_of(point: &Contents) -> u64 {
    let keys = point.tags.iter().map(|(key, _)| key.rank());
    keys.fold(mix_text(0, point.name.as_bytes()), |hash, rank| {
        words::mix(hash, rank)
    })
}
