use super::digits;
use crate::text::{Part, each_word, replaced, short_word};

/// How much memory a line may leave behind that was written in vain.
const KEPT: usize = 64 << 10;

/// Room that is made for a line at once: most have no more than that after their head.
const ROOM: usize = 256;

/// A number of up to eight digits is less than this.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Lines, the last of which is being written.
///
/// What is short is appended as an array, and what is too much of it is cut off again: to the
/// compiler that is one check of the capacity and one or two stores, where a slice of any length
/// is a call.
#[derive(derive_more::Debug, Default)]
pub(crate) struct LineBuffer {
    #[debug(skip)]
    bytes: Vec<u8>,
    /// Of the last line.
    start: usize,
}

impl LineBuffer {
    /// What is used again.
    pub(crate) fn with_memory(mut memory: Vec<u8>) -> Self {
        memory.clear();
        Self {
            bytes: memory,
            start: 0,
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
        &self.bytes[self.start..]
    }

    #[inline]
    pub(crate) fn line_len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The last line is whole. What comes belongs to the next.
    #[inline]
    pub(crate) fn keep_line(&mut self) {
        self.start = self.bytes.len();
    }

    /// Takes back what is written of the last line.
    #[inline]
    pub(crate) fn take_back(&mut self) {
        let written = self.line_len();
        self.bytes.truncate(self.start);
        if written > KEPT {
            self.bytes.shrink_to(self.start + KEPT);
        }
    }

    /// All lines.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Makes room for what most lines have after `len` bytes.
    #[inline]
    pub(super) fn reserve(&mut self, len: usize) {
        self.bytes.reserve(len + ROOM);
    }

    /// Appends bytes that are to be taken as they are; many of them, and more will follow.
    #[inline]
    pub(crate) fn push_all(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Appends bytes that are to be taken as they are.
    #[inline]
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.copy(bytes, |_| false);
    }

    /// Appends a key that goes out as it is, and an equals sign. `first` is the key's first bytes,
    /// and zeros if it has less than eight.
    #[inline]
    pub(super) fn push_key(&mut self, separator: u8, key: &[u8], first: [u8; 8]) {
        let len = key.len();
        let Some(last) = key.last_chunk::<8>() else {
            let word = u64::from_le_bytes(first) | u64::from(b'=') << (8 * len);
            return self.push_some(&joined(&[separator], &word.to_le_bytes()), len + 2);
        };
        let start = self.bytes.len() + 1;
        self.bytes.extend_from_slice(&joined(&[separator], &first));
        for word in key[8..].as_chunks::<8>().0 {
            self.bytes.extend_from_slice(word);
        }
        self.bytes.truncate(start + len - 8);
        self.bytes.extend_from_slice(&joined(last, b"="));
    }

    /// Appends a number and `end`.
    #[inline]
    pub(super) fn push_unsigned(&mut self, value: u64, end: u8) {
        if value < EIGHT_DIGITS / 10 {
            let (word, len) = digits::short(value);
            let word = word | u64::from(end) << (8 * len);
            self.push_some(&word.to_le_bytes(), len + 1);
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
    #[inline]
    fn push_long(&mut self, value: u64, end: u8) {
        let (high, low) = (value / EIGHT_DIGITS, value % EIGHT_DIGITS);
        if high >= EIGHT_DIGITS {
            self.push_short(high / EIGHT_DIGITS);
            let middle = digits::padded(high % EIGHT_DIGITS);
            self.bytes.extend_from_slice(&middle.to_le_bytes());
        } else if high > 0 {
            self.push_short(high);
        } else {
            self.push_short(low);
            return self.push(end);
        }
        let low = digits::padded(low).to_le_bytes();
        self.bytes.extend_from_slice(&joined(&low, &[end]));
    }

    #[inline]
    fn push_short(&mut self, value: u64) {
        let (word, len) = digits::short(value);
        self.push_some(&word.to_le_bytes(), len);
    }

    /// Appends the end of a line: a blank, a timestamp and `\n`.
    #[inline]
    pub(super) fn push_end(&mut self, timestamp: i64) {
        self.push(b' ');
        if timestamp < 0 {
            self.push(b'-');
        }
        self.push_long(timestamp.unsigned_abs(), b'\n');
    }

    /// It has to be finite.
    #[inline]
    pub(super) fn push_float(&mut self, value: f64) {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value).as_bytes();
        let Some((first, rest)) = text.split_first_chunk::<8>() else {
            return self.push_some(&short_word(text).to_le_bytes(), text.len());
        };
        self.bytes.extend_from_slice(first);
        if let Some((second, rest)) = rest.split_first_chunk::<8>() {
            self.bytes.extend_from_slice(second);
            self.bytes.extend_from_slice(rest);
        } else if let Some(last) = text.last_chunk::<8>() {
            self.bytes.truncate(self.bytes.len() - (8 - rest.len()));
            self.bytes.extend_from_slice(last);
        }
    }

    /// Appends a name or key in which everything has been replaced already, or a string: with a
    /// backslash before what `part` escapes.
    #[inline]
    pub(super) fn push_text(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), |word| part.suspects(word)) {
            self.take_back_some(text.len());
            self.push_escaped(text, part);
        }
    }

    /// Appends a name or a tag's value; nothing, if nothing of it can be carried.
    #[inline]
    pub(super) fn push_replaced(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), |word| part.suspects(word)) {
            self.take_back_some(text.len());
            self.push_escaped(&replaced(text), part);
        }
    }

    #[cold]
    fn push_escaped(&mut self, text: &str, part: Part) {
        self.bytes.reserve(2 * text.len());
        for byte in text.bytes() {
            if part.escapes(byte) {
                self.push(b'\\');
            }
            self.push(byte);
        }
    }

    /// Leaves only the first `len` bytes of the line.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }

    #[inline]
    fn take_back_some(&mut self, len: usize) {
        self.bytes.truncate(self.bytes.len() - len);
    }

    /// Appends `text`, and says whether one of its words is odd.
    #[inline]
    fn copy(&mut self, text: &[u8], is_odd: impl Fn(u64) -> bool) -> bool {
        let start = self.bytes.len();
        let mut found = false;
        each_word(text, |at, word| {
            self.bytes.truncate(start + at);
            self.bytes.extend_from_slice(&word.to_le_bytes());
            found |= is_odd(word);
        });
        self.bytes.truncate(start + text.len());
        found
    }

    /// Appends the first `len` of `bytes`.
    #[inline(always)]
    fn push_some<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        let end = self.bytes.len() + len;
        self.bytes.extend_from_slice(bytes);
        self.bytes.truncate(end);
    }
}

/// One after the other: a byte and eight, or eight and a byte.
#[inline(always)]
fn joined<const A: usize, const B: usize>(first: &[u8; A], second: &[u8; B]) -> [u8; 9] {
    const { assert!(A + B == 9) };
    let mut joined = [0; 9];
    joined[..A].copy_from_slice(first);
    joined[A..].copy_from_slice(second);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_follow_each_other() {
        let mut buffer = LineBuffer::default();
        let mut expected = Vec::new();
        for len in (0..40_usize).chain([511, 512, 513, 2_000]) {
            let text = "abcdefg".repeat(len.div_ceil(7));
            buffer.push_text(&text[..len], Part::Key);
            buffer.push(b'|');
            expected.extend_from_slice(&text.as_bytes()[..len]);
            expected.push(b'|');
            assert_eq!(buffer.line(), expected);
        }
        assert_eq!(buffer.into_bytes(), expected);
    }

    #[test]
    fn a_line_that_is_taken_back_leaves_those_that_were_kept() {
        let mut buffer = LineBuffer::default();
        buffer.push_bytes(b"one\n");
        buffer.keep_line();
        buffer.push_bytes(&[b'x'; 1 << 20]);
        assert_eq!((buffer.kept_len(), buffer.line_len()), (4, 1 << 20));
        buffer.take_back();
        assert!(buffer.capacity() <= 4 + KEPT);
        assert_eq!(buffer.line(), b"");
        buffer.push_bytes(b"two\n");
        assert_eq!(buffer.line(), b"two\n");
        assert_eq!(buffer.into_bytes(), b"one\ntwo\n");
    }

    #[test]
    fn memory_that_is_used_again_holds_nothing() {
        let mut buffer = LineBuffer::with_memory(b"before".to_vec());
        assert!(buffer.capacity() >= 6 && buffer.line().is_empty());
        buffer.push_bytes(b"x");
        assert_eq!(buffer.into_bytes(), b"x");
    }
}
