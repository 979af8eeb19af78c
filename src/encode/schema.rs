mod cache;

use std::borrow::Cow;

pub(crate) use self::cache::SchemaCache;
use super::{
    Encoder, LineBuffer, NOT_EMPTY, NOT_EMPTY_NOT_COMMENT, NOT_TIME, fields, invalid,
    line_buffer::{Prefix, mix_text},
    text::Part,
    words,
};
use crate::{
    NameKind, RecordError,
    point::measurement::{Contents, Entries},
};

/// A measurement's name and the keys of its tags, escaped, sorted and merged with the base tags: all of
/// a series part but the values. Programs have few of them, whatever number of series.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// The name, the keys and the base tags, in the order of the line.
    text: LineBuffer,
    /// The tags, in the order of the line.
    tags: Vec<SchemaTag>,
    /// The base tags that come after the last tag.
    rest: Piece,
}

#[derive(Debug)]
struct SchemaTag {
    /// Which of the measurement's tags.
    index: usize,
    /// The name or base tags, if any come first, and `,key=`.
    before: Piece,
    /// Where in the text the key's comma is.
    key_start: usize,
}

/// A piece of the text. Its last bytes are kept in an array, which is copied in a few instructions.
#[derive(Debug)]
struct Piece {
    start: usize,
    last_start: usize,
    last_len: usize,
    last: Prefix,
}

impl Schema {
    /// Makes it that of a measurement. Memory is used again.
    pub(crate) fn fill(&mut self, encoder: &Encoder, point: &Contents) -> Result<(), RecordError> {
        self.text.truncate(0);
        self.tags.clear();
        self.push_name(point)?;
        let mut base_tags = encoder.base_tags.iter().peekable();
        let (mut start, mut base_start) = (0, 0);
        for index in sorted(&point.tags) {
            let (key, _) = point.tags.at(index);
            while let Some(base) = base_tags.next_if(|base| base.key <= *key) {
                if base.key < *key {
                    (self.text).push_part(&encoder.base_text, base_start, base.end);
                }
                base_start = base.end;
            }
            if key.is_time() {
                let key = key.as_str();
                return Err(invalid(NameKind::TagKey, &point.name, key, NOT_TIME));
            }
            if key.is_empty() {
                continue;
            }
            let key_start = self.text.line_len();
            fields::push_key(&mut self.text, b',', key);
            self.tags.push(SchemaTag {
                index,
                before: Piece::new(self.text.line(), start),
                key_start,
            });
            start = self.text.line_len();
        }
        let base_end = encoder.base_text.line_len();
        (self.text).push_part(&encoder.base_text, base_start, base_end);
        self.rest = Piece::new(self.text.line(), start);
        Ok(())
    }

    fn push_name(&mut self, point: &Contents) -> Result<(), RecordError> {
        let name = &point.name;
        self.text.push_replaced(name, Part::Name);
        match self.text.line().first() {
            None | Some(b'#') => Err(invalid(
                NameKind::Measurement,
                name,
                name,
                NOT_EMPTY_NOT_COMMENT,
            )),
            Some(_) => Ok(()),
        }
    }

    fn heap_size(&self) -> usize {
        self.text.capacity() + self.tags.capacity() * size_of::<SchemaTag>()
    }

    /// Appends the series part of a measurement that this is the schema of. Returns the hash of its values,
    /// which begins with `hash`.
    // By itself it has the registers for itself: 2,379 instructions a measurement, 2,423 where it was inlined.
    #[inline(never)]
    pub(crate) fn push(
        &self,
        point: &Contents,
        mut hash: u64,
        line: &mut LineBuffer,
    ) -> Result<u64, RecordError> {
        if point.database.name.is_empty() {
            return Err(invalid(NameKind::Database, &point.name, "", NOT_EMPTY));
        }
        for tag in &self.tags {
            let value = &*point.tags.at(tag.index).1;
            self.push_lead(&tag.before, line);
            let before = &tag.before;
            hash = match line.push_tag(&before.last, before.last_len, value.as_bytes(), hash) {
                Some(hash) => hash,
                None => self.push_odd_tag(tag, value, hash, line),
            };
        }
        self.push_lead(&self.rest, line);
        line.push_prefix(&self.rest.last, self.rest.last_len);
        Ok(hash)
    }

    /// Appends what of a piece is not in its array.
    #[inline(always)]
    fn push_lead(&self, piece: &Piece, line: &mut LineBuffer) {
        if piece.start < piece.last_start {
            line.push_all(&self.text.line()[piece.start..piece.last_start]);
        }
    }

    /// A tag whose value is empty or long, or may have something to be escaped or replaced.
    #[cold]
    fn push_odd_tag(&self, tag: &SchemaTag, value: &str, hash: u64, line: &mut LineBuffer) -> u64 {
        let Piece {
            start,
            last_start,
            last_len,
            ..
        } = tag.before;
        line.truncate(line.line_len() - (last_start - start));
        line.push_part(&self.text, start, tag.key_start);
        let without = line.line_len();
        line.push_part(&self.text, tag.key_start, last_start + last_len);
        line.push_tag_value(value, without);
        mix_text(hash, value.as_bytes())
    }
}

impl Piece {
    /// All of a text from `start` on.
    fn new(text: &[u8], start: usize) -> Self {
        let end = text.len();
        let last_start = start.max(end.saturating_sub(size_of::<Prefix>()));
        let mut last = [0; size_of::<Prefix>()];
        last[..end - last_start].copy_from_slice(&text[last_start..]);
        Self {
            start,
            last_start,
            last_len: end - last_start,
            last,
        }
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::new(&[], 0)
    }
}

/// Which tags, sorted by key.
fn sorted(tags: &Entries<Cow<'static, str>>) -> impl Iterator<Item = usize> {
    let mut order: Vec<_> = tags.iter().map(|(key, _)| key).enumerate().collect();
    order.sort_unstable_by_key(|(_, key)| *key);
    order.into_iter().map(|(index, _)| index)
}

#[cfg(test)]
mod tests;
