use crate::text::{Part, each_word, replaced};

/// How much room there is past the end of what is appended, at least.
const SLACK: usize = 16;

/// How much memory a line may leave behind that was written in vain.
const KEPT: usize = 64 << 10;

/// Lines, the last of which is being written.
#[derive(derive_more::Debug, Default)]
pub(crate) struct LineBuffer {
    /// The lines, and room that is not in use: its bytes are there, so that texts can be copied in
    /// words.
    #[debug(skip)]
    bytes: Vec<u8>,
    /// Of the last line.
    start: usize,
    end: usize,
}

impl LineBuffer {
    /// What is used again.
    pub(crate) fn with_memory(mut memory: Vec<u8>) -> Self {
        memory.resize(memory.capacity(), 0);
        Self {
            bytes: memory,
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
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
        let written = self.line_len();
        self.end = self.start;
        if written > KEPT {
            self.bytes.truncate(self.start + KEPT);
            self.bytes.shrink_to_fit();
        }
    }

    /// All lines, without the room that is not in use.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end);
        self.bytes
    }

    /// Appends bytes that are to be taken as they are; many of them.
    #[inline]
    pub(crate) fn push_all(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.end += 1;
    }

    /// Appends bytes that are to be taken as they are.
    #[inline]
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.copy(bytes, |_| false);
    }

    /// Appends a key that goes out as it is, and an equals sign. `first` is the key's first bytes.
    #[inline]
    pub(super) fn push_key(&mut self, separator: u8, key: &[u8], first: [u8; 8]) {
        let len = key.len();
        let room = self.room(len + 2);
        if let Some(room) = room.first_chunk_mut::<16>()
            && len <= 8
        {
            room[0] = separator;
            room[1..9].copy_from_slice(&first);
            room[len + 1] = b'=';
        } else {
            room[0] = separator;
            room[1..=len].copy_from_slice(key);
            room[len + 1] = b'=';
        }
        self.end += len + 2;
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
            self.end -= text.len();
            self.push_escaped(text, part);
        }
    }

    /// Appends a name or a tag's value; nothing, if nothing of it can be carried.
    #[inline]
    pub(super) fn push_replaced(&mut self, text: &str, part: Part) {
        if self.copy(text.as_bytes(), |word| part.suspects(word)) {
            self.end -= text.len();
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

    /// Leaves only the first `len` bytes of the line.
    pub(super) fn truncate(&mut self, len: usize) {
        self.end = self.start + len;
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
        self.end += text.len();
        found
    }

    /// All that is not in use: at least `len` bytes and [`SLACK`].
    #[inline]
    fn room(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < len + SLACK {
            self.grow(len + SLACK);
        }
        &mut self.bytes[self.end..]
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let needed = self.end + by;
        self.bytes
            .resize(needed.max(2 * self.bytes.len()).max(256), 0);
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
