mod short;

use std::ops::Range;

use self::short::{PART, SHORT, SHORT_KEY, Words, write_key};
pub(super) use self::short::{Prefix, mix_text};
use super::words::{self, each_word, short_word};
use crate::encode::text::{Part, replaced};

/// How much memory a line may leave behind that was written in vain.
const KEPT: usize = 64 << 10;

/// What a batch needs beyond its bytes, so that the arrays which its last line is written in fit, too.
pub(crate) const ROOM: usize = 256;

/// A number of up to eight digits is less than this.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Lines, the last of which is being written.
///
/// The memory after the last byte is there to be written to, so that what is short is written as an
/// array of a fixed size, of which only a part counts: to the compiler it is one comparison and a few
/// stores, where a slice of any length is a call.
#[derive(derive_more::Debug, Clone, Default)]
pub(crate) struct LineBuffer {
    /// Beyond `end` is what was written in vain, or before.
    #[debug(skip)]
    bytes: Vec<u8>,
    /// Of the last line.
    start: usize,
    end: usize,
}

/// So much more memory is made ready at a time, at least and at most.
const LEAST_STEP: usize = 128;
const MOST_STEP: usize = 4 << 10;

impl LineBuffer {
    /// What is used again.
    pub(crate) fn with_memory(memory: Vec<u8>) -> Self {
        Self {
            bytes: memory,
            ..Self::default()
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Of all lines but the last.
    #[inline]
    pub(crate) fn kept_len(&self) -> usize {
        self.start
    }

    /// The last line, as far as it is written.
    #[inline]
    pub(crate) fn line(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    #[inline]
    pub(crate) fn line_len(&self) -> usize {
        self.end - self.start
    }

    /// The last line is whole. What comes belongs to the next.
    #[inline]
    pub(crate) fn keep_line(&mut self) {
        self.start = self.end;
    }

    /// Takes back what is written of the last line.
    #[inline]
    pub(crate) fn take_back(&mut self) {
        if self.line_len() > KEPT {
            self.bytes.truncate(self.start + KEPT);
            self.bytes.shrink_to(self.start + KEPT);
        }
        self.end = self.start;
    }

    /// All lines.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        bytes.truncate(self.end);
        bytes
    }

    /// The `len` bytes of room after the last byte.
    #[inline(always)]
    fn room(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() < self.end + len {
            self.make_room(len);
        }
        &mut self.bytes[self.end..self.end + len]
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, len: usize) {
        let least = self.end + len;
        let more = least + self.bytes.len().clamp(LEAST_STEP, MOST_STEP);
        let capacity = self.bytes.capacity();
        let is_enough = least <= capacity;
        self.bytes
            .resize(if is_enough { more.min(capacity) } else { more }, 0);
    }

    /// Appends bytes that are to be taken as they are.
    #[inline]
    pub(crate) fn push_all(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Appends a part of another's line.
    pub(super) fn push_part(&mut self, of: &Self, start: usize, end: usize) {
        self.push_all(&of.line()[start..end]);
    }

    /// Appends the first bytes of an array.
    #[inline(always)]
    pub(super) fn push_prefix(&mut self, prefix: &Prefix, len: usize) {
        self.append(len, |room| *room = *prefix);
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.append::<1>(1, |room| room[0] = byte);
    }

    /// Appends a key that goes out as it is, and an equals sign. `first` is the key's first bytes,
    /// and zeros if it has less than eight.
    #[inline]
    pub(super) fn push_key(&mut self, separator: u8, key: &[u8], first: [u8; 8]) {
        match key.len() {
            ..=SHORT_KEY => {
                self.append(key.len() + 2, |room| write_key(room, separator, key, first));
            }
            _ => self.push_long_key(separator, key),
        }
    }

    #[cold]
    fn push_long_key(&mut self, separator: u8, key: &[u8]) {
        self.push(separator);
        self.push_all(key);
        self.push(b'=');
    }

    /// Appends `true` or `false`.
    #[inline]
    pub(super) fn push_boolean(&mut self, value: bool) {
        let (text, len) = if value { (b"true ", 4) } else { (b"false", 5) };
        self.append(len, |room| *room = *text);
    }

    /// Appends a number and `end`.
    #[inline]
    pub(super) fn push_unsigned(&mut self, value: u64, end: u8) {
        if value < EIGHT_DIGITS / 10 {
            let (word, len) = words::few_digits(value);
            let word = word | u64::from(end) << (8 * len);
            self.append(len + 1, |room| *room = word.to_le_bytes());
        } else {
            self.push_long(value, end);
        }
    }

    /// Appends a number and `end`.
    #[inline]
    pub(super) fn push_integer(&mut self, value: i64, end: u8) {
        if value < 0 {
            self.push(b'-');
        }
        self.push_unsigned(value.unsigned_abs(), end);
    }

    /// The same, where it has more than seven digits mostly.
    #[inline(never)]
    fn push_long(&mut self, value: u64, end: u8) {
        let (high, low) = (value / EIGHT_DIGITS, value % EIGHT_DIGITS);
        if high == 0 {
            self.push_short(low);
            return self.push(end);
        }
        if high >= EIGHT_DIGITS {
            self.push_short(high / EIGHT_DIGITS);
            let middle = words::eight_digits(high % EIGHT_DIGITS);
            self.append(8, |room| *room = middle.to_le_bytes());
        } else {
            self.push_short(high);
        }
        let low = words::eight_digits(low);
        self.append(8, |room| *room = low.to_le_bytes());
        self.push(end);
    }

    #[inline]
    fn push_short(&mut self, value: u64) {
        let (word, len) = words::few_digits(value);
        self.append(len, |room| *room = word.to_le_bytes());
    }

    /// Appends the end of a line: a blank, a timestamp and `\n`.
    #[inline]
    pub(super) fn push_end(&mut self, timestamp: i64) {
        let high = timestamp / (EIGHT_DIGITS * EIGHT_DIGITS) as i64;
        if high <= 0 {
            self.push(b' ');
            return self.push_integer(timestamp, b'\n');
        }
        let (word, len) = words::few_digits(high as u64);
        let rest = timestamp as u64 % (EIGHT_DIGITS * EIGHT_DIGITS);
        let [middle, low] = [rest / EIGHT_DIGITS, rest % EIGHT_DIGITS].map(words::eight_digits);
        self.append::<32>(len + 18, |room| {
            room[0] = b' ';
            room[1..9].copy_from_slice(&word.to_le_bytes());
            room[len + 1..len + 9].copy_from_slice(&middle.to_le_bytes());
            room[len + 9..len + 17].copy_from_slice(&low.to_le_bytes());
            room[len + 17] = b'\n';
        });
    }

    /// It has to be finite.
    #[inline]
    pub(crate) fn push_float(&mut self, value: f64) {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value).as_bytes();
        let len = text.len();
        let (Some((first, rest)), Some(last)) =
            (text.split_first_chunk::<8>(), text.last_chunk::<8>())
        else {
            let word = short_word(text);
            return self.append(len, |room| *room = word.to_le_bytes());
        };
        // It is never longer.
        debug_assert!(len <= 24);
        self.append::<24>(len, |room| {
            room[..8].copy_from_slice(first);
            if let Some(second) = rest.first_chunk::<8>() {
                room[8..16].copy_from_slice(second);
            }
            if let Some(place) = room.get_mut(len - 8..len) {
                place.copy_from_slice(last);
            }
        });
    }

    /// Appends a name or key in which everything has been replaced already, or a string: with a
    /// backslash before what `part` escapes, and a newline as one backslash and an `n`.
    #[inline]
    pub(super) fn push_text(&mut self, text: &[u8], part: Part) {
        if self.copy(text, part) {
            self.end -= text.len();
            self.push_escaped(text, part);
        }
    }

    /// Appends a name or a tag's value; nothing, if nothing of it can be carried.
    #[inline]
    pub(super) fn push_replaced(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), part) {
            self.end -= text.len();
            self.push_escaped(replaced(text).as_bytes(), part);
        }
    }

    /// Appends a tag's value. If nothing of it can be carried, only the first `without` bytes of the line
    /// are left: those before the tag.
    pub(super) fn push_tag_value(&mut self, value: &str, without: usize) {
        let before = self.end;
        self.push_replaced(value, Part::Key);
        if self.end == before {
            self.truncate(without);
        }
    }

    #[cold]
    fn push_escaped(&mut self, text: &[u8], part: Part) {
        // Of a byte there are at most three.
        const AT_ONCE: usize = 64;
        for text in text.chunks(AT_ONCE) {
            let room = self.room(3 * AT_ONCE);
            let mut len = 0;
            let mut put = |byte| {
                room[len] = byte;
                len += 1;
            };
            for byte in text {
                if part.escapes(*byte) {
                    put(b'\\');
                    if *byte == b'\n' {
                        put(b'\\');
                    }
                }
                put(match *byte {
                    b'\n' if part.escapes(b'\n') => b'n',
                    byte => byte,
                });
            }
            self.end += len;
        }
    }

    /// Leaves only the first `len` bytes of the line.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Removes this part of the line.
    pub(super) fn remove(&mut self, part: Range<usize>) {
        let part = self.start + part.start..self.start + part.end;
        self.bytes.copy_within(part.end..self.end, part.start);
        self.end -= part.len();
    }

    /// Replaces the line's first byte, if there is one.
    pub(super) fn set_first(&mut self, byte: u8) {
        if let Some(first) = self.bytes[self.start..self.end].first_mut() {
            *first = byte;
        }
    }

    /// Appends what comes before a tag's value, `len` bytes, and then the value as it is. Returns a hash that
    /// goes on with the value; or none, where the value is empty, or long, or may be one that is to be
    /// escaped or replaced: then nothing is appended.
    #[inline(always)]
    pub(super) fn push_tag(
        &mut self,
        prefix: &Prefix,
        len: usize,
        value: &[u8],
        hash: u64,
    ) -> Option<u64> {
        let 1..=SHORT = value.len() else {
            return None;
        };
        let words = Words::of(value);
        if words.are_suspect(Part::Key) {
            return None;
        }
        let room = self
            .room(PART + SHORT)
            .first_chunk_mut::<{ PART + SHORT }>()?;
        room[..PART].copy_from_slice(prefix);
        words.write(value.len(), room.get_mut(len..)?.first_chunk_mut()?);
        self.end += len + value.len();
        Some(words.mix(value.len(), hash))
    }

    /// Appends `text`, and says whether `part` suspects something in it.
    #[inline(always)]
    fn copy(&mut self, text: &[u8], part: Part) -> bool {
        if text.len() > SHORT {
            return self.copy_long(text, part);
        }
        let words = Words::of(text);
        self.append(text.len(), |room| words.write(text.len(), room));
        words.are_suspect(part)
    }

    #[inline(never)]
    fn copy_long(&mut self, text: &[u8], part: Part) -> bool {
        self.push_all(text);
        let mut found = false;
        each_word(text, |word| found |= part.suspects(word));
        found
    }

    /// Appends the first `len` of what `write` makes of `N` bytes.
    #[inline(always)]
    fn append<const N: usize>(&mut self, len: usize, write: impl FnOnce(&mut [u8; N])) {
        if let Some(room) = self.room(N).first_chunk_mut() {
            write(room);
        }
        self.end += len;
    }
}

#[cfg(test)]
mod tests;
