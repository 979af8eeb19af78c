use super::digits;
use crate::encode::text::{Part, each_word, replaced, short_word};

/// How much memory a line may leave behind that was written in vain.
const KEPT: usize = 64 << 10;

/// Room that is made for a line at once: most have no more than that after their head.
pub(crate) const ROOM: usize = 256;

/// A number of up to eight digits is less than this.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Lines, the last of which is being written.
///
/// What is short is written into an array that is appended, and what is too much of that is cut off
/// again: to the compiler it is one check of the capacity and a few stores, where a slice of any
/// length is a call.
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
            return self.append::<9>(len + 2, |room| {
                room[0] = separator;
                room[1..].copy_from_slice(&word.to_le_bytes());
            });
        };
        if len <= 24 {
            self.append::<32>(len + 2, |room| {
                room[0] = separator;
                room[1..9].copy_from_slice(&first);
                if let Some(second) = key[8..].first_chunk::<8>() {
                    room[9..17].copy_from_slice(second);
                }
                room[len - 7..len + 1].copy_from_slice(last);
                room[len + 1] = b'=';
            });
        } else {
            self.push(separator);
            self.push_bytes(key);
            self.push(b'=');
        }
    }

    /// Appends a number and `end`.
    #[inline]
    pub(super) fn push_unsigned(&mut self, value: u64, end: u8) {
        if value < EIGHT_DIGITS / 10 {
            let (word, len) = digits::short(value);
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
    fn push_long(&mut self, value: u64, end: u8) {
        let (high, low) = (value / EIGHT_DIGITS, value % EIGHT_DIGITS);
        if high == 0 {
            self.push_short(low);
            return self.push(end);
        }
        if high >= EIGHT_DIGITS {
            self.push_short(high / EIGHT_DIGITS);
            let middle = digits::padded(high % EIGHT_DIGITS);
            self.append(8, |room| *room = middle.to_le_bytes());
        } else {
            self.push_short(high);
        }
        let low = digits::padded(low);
        self.append(8, |room| *room = low.to_le_bytes());
        self.push(end);
    }

    #[inline]
    fn push_short(&mut self, value: u64) {
        let (word, len) = digits::short(value);
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
        let (word, len) = digits::short(high as u64);
        let rest = timestamp as u64 % (EIGHT_DIGITS * EIGHT_DIGITS);
        let [middle, low] = [rest / EIGHT_DIGITS, rest % EIGHT_DIGITS].map(digits::padded);
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
    pub(super) fn push_float(&mut self, value: f64) {
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
        if self.copy(text, |word| part.suspects(word)) {
            self.take_back_some(text.len());
            self.push_escaped(text, part);
        }
    }

    /// Appends a name or a tag's value; nothing, if nothing of it can be carried.
    #[inline]
    pub(super) fn push_replaced(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), |word| part.suspects(word)) {
            self.take_back_some(text.len());
            self.push_escaped(replaced(text).as_bytes(), part);
        }
    }

    #[cold]
    fn push_escaped(&mut self, text: &[u8], part: Part) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| part.escapes(*byte)) {
            self.bytes.extend_from_slice(&rest[..at]);
            match rest[at] {
                b'\n' => self.bytes.extend_from_slice(b"\\\\n"),
                byte => self.bytes.extend_from_slice(&[b'\\', byte]),
            }
            rest = &rest[at + 1..];
        }
        self.bytes.extend_from_slice(rest);
    }

    /// Leaves only the first `len` bytes of the line.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }

    /// Removes this part of the line.
    pub(super) fn remove(&mut self, part: std::ops::Range<usize>) {
        self.bytes
            .drain(self.start + part.start..self.start + part.end);
    }

    /// Replaces the line's first byte, if there is one.
    pub(super) fn set_first(&mut self, byte: u8) {
        if let Some(first) = self.bytes.get_mut(self.start) {
            *first = byte;
        }
    }

    #[inline]
    fn take_back_some(&mut self, len: usize) {
        self.bytes.truncate(self.bytes.len() - len);
    }

    /// Appends `text`, and says whether one of its words is odd.
    #[inline]
    fn copy(&mut self, text: &[u8], is_odd: impl Fn(u64) -> bool) -> bool {
        let mut found = false;
        if text.len() <= 32 {
            self.append::<32>(text.len(), |room| {
                each_word(text, |at, word| {
                    // There always is.
                    if let Some(place) = room.get_mut(at..at + 8) {
                        place.copy_from_slice(&word.to_le_bytes());
                    }
                    found |= is_odd(word);
                });
            });
        } else {
            self.bytes.extend_from_slice(text);
            each_word(text, |_, word| found |= is_odd(word));
        }
        found
    }

    /// Appends the first `len` of what `write` makes of `N` bytes.
    #[inline(always)]
    fn append<const N: usize>(&mut self, len: usize, write: impl FnOnce(&mut [u8; N])) {
        let end = self.bytes.len() + len;
        self.bytes.extend_from_slice(&[0; N]);
        if let Some(room) = self.bytes.last_chunk_mut() {
            write(room);
        }
        self.bytes.truncate(end);
    }
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
            buffer.push_text(&text.as_bytes()[..len], Part::Key);
            buffer.push(b'|');
            expected.extend_from_slice(&text.as_bytes()[..len]);
            expected.push(b'|');
            assert_eq!(buffer.line(), expected);
        }
        assert_eq!(buffer.into_bytes(), expected);
    }

    #[test]
    fn keys_of_all_lengths_are_written() {
        for len in 1..60 {
            let key = &"abcdefghijklmnopqrstuvwxyz".repeat(3)[..len];
            let mut buffer = LineBuffer::default();
            let first = crate::encode::text::first_word(key.as_bytes()).to_le_bytes();
            buffer.push_key(b',', key.as_bytes(), first);
            assert_eq!(buffer.into_bytes(), format!(",{key}=").into_bytes());
        }
    }

    #[test]
    fn numbers_of_all_lengths_are_written() {
        let check = |value: u64| {
            let mut buffer = LineBuffer::default();
            let signed = value as i64;
            buffer.push_unsigned(value, b'u');
            buffer.push_integer(signed, b'i');
            buffer.push_end(signed);
            let expected = format!("{value}u{signed}i {signed}\n");
            assert_eq!(buffer.into_bytes(), expected.into_bytes());
        };
        check(u64::MAX);
        for power in (0..20).map(|exponent| 10_u64.pow(exponent)) {
            for value in [power - 1, power, power + 1, 7 * (power / 10)] {
                check(value);
                check(value.wrapping_neg());
            }
        }
    }

    #[test]
    fn floats_of_all_lengths_are_written() {
        let digits = "1.2345678901234567";
        let parsed = (1..=digits.len()).map(|len| digits[..len].parse().unwrap());
        let powers = (-308..=308).map(|exponent| 1.2345678901234567 * 10_f64.powi(exponent));
        let limits = [
            f64::MIN,
            f64::MAX,
            f64::MIN_POSITIVE,
            -f64::MIN_POSITIVE,
            0.0,
            -0.0,
        ];
        for value in parsed.chain(powers).chain(limits) {
            let mut buffer = LineBuffer::default();
            buffer.push_float(value);
            buffer.push_float(-value);
            let text = |value| zmij::Buffer::new().format_finite(value).to_owned();
            let expected = text(value) + &text(-value);
            assert_eq!(buffer.into_bytes(), expected.into_bytes());
        }
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
