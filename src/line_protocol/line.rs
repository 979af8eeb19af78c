use crate::text::{Part, each_word, replaced};

/// How much is written past the end of a text that is appended, at most.
const SLACK: usize = 8;

/// More memory than this is not kept for the next line.
const KEPT: usize = 64 << 10;

/// A line while it is written. It is cleared for the next one, so its memory is there already.
#[derive(derive_more::Debug)]
pub(crate) struct Line {
    /// The line, and room that is not in use.
    #[debug(skip)]
    bytes: Vec<u8>,
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: vec![0; 512],
            len: 0,
        }
    }
}

impl Line {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        if self.bytes.len() > KEPT {
            *self = Self::default();
        }
    }

    /// Makes it one that begins so.
    #[inline]
    pub(crate) fn begin(&mut self, head: &[u8]) {
        self.clear();
        self.room(head.len())[..head.len()].copy_from_slice(head);
        self.len = head.len();
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Makes it this one, whatever it is.
    #[cfg(feature = "testing")]
    pub(crate) fn set(&mut self, line: &str) {
        self.clear();
        self.push_bytes(line.as_bytes());
        self.push(b'\n');
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.len += 1;
    }

    /// Appends bytes that are to be taken as they are.
    #[inline]
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.copy(bytes, |_| false);
    }

    #[inline]
    pub(super) fn push_integer(&mut self, value: impl itoa::Integer) {
        self.push_bytes(itoa::Buffer::new().format(value).as_bytes());
    }

    /// It has to be finite.
    #[inline]
    pub(super) fn push_float(&mut self, value: f64) {
        self.push_bytes(zmij::Buffer::new().format_finite(value).as_bytes());
    }

    /// Appends a name or key in which everything has been replaced already, or a string: with a
    /// backslash before what `part` escapes.
    #[inline]
    pub(super) fn push_text(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), |word| part.suspects(word)) {
            self.len -= text.len();
            self.push_escaped(text, part);
        }
    }

    /// Appends a name or a tag's value; nothing, if nothing of it can be carried.
    #[inline]
    pub(super) fn push_replaced(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), |word| part.suspects(word)) {
            self.len -= text.len();
            self.push_escaped(&replaced(text), part);
        }
    }

    #[cold]
    fn push_escaped(&mut self, text: &str, part: Part) {
        for byte in text.bytes() {
            if part.escapes(byte) {
                self.push(b'\\');
            }
            self.push(byte);
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends `text`, and says whether one of its words is odd.
    #[inline]
    fn copy(&mut self, text: &[u8], is_odd: impl Fn(u64) -> bool) -> bool {
        let room = self.room(text.len());
        let mut found = false;
        each_word(text, |at, word| {
            // There always is.
            if let Some(place) = room.get_mut(at..at + 8) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            found |= is_odd(word);
        });
        self.len += text.len();
        found
    }

    /// All that is not in use: at least `len` bytes and [`SLACK`].
    #[inline]
    fn room(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() - self.len < len + SLACK {
            self.grow(len + SLACK);
        }
        &mut self.bytes[self.len..]
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let needed = self.len + by;
        self.bytes.resize(needed.max(2 * self.bytes.len()), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_follow_each_other() {
        let mut line = Line::default();
        let mut expected = Vec::new();
        for len in (0..40_usize).chain([511, 512, 513, 2_000]) {
            let text = "abcdefg".repeat(len.div_ceil(7));
            line.push_text(&text[..len], Part::Key);
            line.push(b'|');
            expected.extend_from_slice(&text.as_bytes()[..len]);
            expected.push(b'|');
            assert_eq!(line.as_bytes(), expected);
        }
    }

    #[test]
    fn the_memory_of_a_long_line_is_given_back() {
        let mut line = Line::default();
        line.push_bytes(&[b'x'; 1 << 20]);
        assert_eq!(line.len(), 1 << 20);
        line.clear();
        assert!(line.bytes.len() <= KEPT);
        assert_eq!(line.as_bytes(), b"");
    }
}
