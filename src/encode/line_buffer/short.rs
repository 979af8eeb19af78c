//! Short keys and texts, written as words into arrays that have room for the longest of them.

use crate::encode::{
    text::Part,
    words::{each_word, mix, mix_two, padded},
};

/// A text of at most so many bytes is copied as words.
pub(super) const SHORT: usize = 32;

/// And a key of at most so many.
pub(super) const SHORT_KEY: usize = 24;

/// What comes before a tag's value is copied as an array of so many bytes, of which a part counts.
pub(super) const PART: usize = 48;

pub(in crate::encode) type Prefix = [u8; PART];

/// Writes a separator, a key that is [`SHORT_KEY`], and an equals sign.
#[inline(always)]
pub(super) fn write_key(room: &mut [u8; SHORT_KEY + 2], separator: u8, key: &[u8], first: [u8; 8]) {
    let len = key.len();
    room[0] = separator;
    room[1..9].copy_from_slice(&first);
    if let Some(last) = key.last_chunk::<8>() {
        if let Some(second) = key[8..].first_chunk::<8>() {
            room[9..17].copy_from_slice(second);
        }
        room[len - 7..len + 1].copy_from_slice(last);
    }
    room[len + 1] = b'=';
}

/// A text that is [`SHORT`], as words that cover it: those of eight bytes and more overlap.
pub(super) enum Words {
    /// Of less than eight bytes. Letters fill it up.
    One(u64),
    /// Of up to sixteen.
    Two(u64, u64),
    Four([u64; 4]),
}

impl Words {
    #[inline(always)]
    pub(super) fn of(text: &[u8]) -> Self {
        let word = u64::from_le_bytes;
        let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
            return Self::One(padded(text));
        };
        let (first, last) = (word(*first), word(*last));
        let second = text[8..].first_chunk();
        match (second, text[..text.len() - 8].last_chunk()) {
            (Some(second), Some(third)) => Self::Four([first, word(*second), word(*third), last]),
            _ => Self::Two(first, last),
        }
    }

    /// Does `part` suspect something in it?
    #[inline(always)]
    pub(super) fn are_suspect(&self, part: Part) -> bool {
        match self {
            Self::One(word) => part.suspects(*word),
            Self::Two(first, last) => part.suspects(*first) | part.suspects(*last),
            Self::Four(words) => words
                .iter()
                .fold(false, |found, word| found | part.suspects(*word)),
        }
    }

    /// Writes the text, whose length is `len`.
    #[inline(always)]
    pub(super) fn write(&self, len: usize, room: &mut [u8; SHORT]) {
        let mut put = |at: usize, word: u64| {
            if let Some(place) = room.get_mut(at..at + 8) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        };
        match *self {
            Self::One(word) => put(0, word),
            Self::Two(first, last) => {
                put(0, first);
                put(len - 8, last);
            }
            Self::Four([first, second, third, last]) => {
                put(0, first);
                put(8, second);
                put(len - 16, third);
                put(len - 8, last);
            }
        }
    }

    /// A hash that goes on with the text, whose length is `len`.
    #[inline(always)]
    pub(super) fn mix(&self, len: usize, hash: u64) -> u64 {
        let len = len as u64;
        match *self {
            Self::One(word) => mix_two(hash, word, len),
            Self::Two(first, last) => mix_two(hash, first, last ^ len << 59),
            Self::Four([first, second, third, last]) => {
                mix_two(mix_two(hash, first, last ^ len << 58), second, third)
            }
        }
    }
}

/// A hash that goes on with a text.
#[inline(always)]
pub(in crate::encode) fn mix_text(hash: u64, text: &[u8]) -> u64 {
    match text.len() {
        len @ ..=SHORT => Words::of(text).mix(len, hash),
        _ => mix_long(hash, text),
    }
}

#[inline(never)]
fn mix_long(hash: u64, text: &[u8]) -> u64 {
    let mut hash = mix(hash, text.len() as u64);
    each_word(text, |word| hash = mix(hash, word));
    hash
}
