//! Short keys and texts, written as words into arrays that have room for the longest of them.

use crate::encode::{text::Part, words::padded};

/// A text of at most so many bytes is copied as words.
pub(super) const SHORT: usize = 32;

/// And a key of at most so many.
pub(super) const SHORT_KEY: usize = 24;

/// What a short key and a short value need, with the separator and the equals sign.
pub(super) const PAIR: usize = SHORT_KEY + 2 + SHORT;

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

/// Writes a text that is [`SHORT`], and says whether `part` suspects something in it.
#[inline(always)]
pub(super) fn copy_short(text: &[u8], room: &mut [u8; SHORT], part: Part) -> bool {
    let len = text.len();
    let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else {
        let word = padded(text);
        room[..8].copy_from_slice(&word.to_le_bytes());
        return part.suspects(word);
    };
    let suspects = |word: &[u8; 8]| part.suspects(u64::from_le_bytes(*word));
    let mut found = suspects(first) | suspects(last);
    room[..8].copy_from_slice(first);
    if len > 16 {
        let middle = text.get(8..16).and_then(<[u8]>::first_chunk);
        let before_last = text[..len - 8].last_chunk();
        if let (Some(middle), Some(before_last)) = (middle, before_last) {
            found |= suspects(middle) | suspects(before_last);
            room[8..16].copy_from_slice(middle);
            if let Some(room) = room.get_mut(len - 16..len - 8) {
                room.copy_from_slice(before_last);
            }
        }
    }
    if let Some(room) = room.get_mut(len - 8..len) {
        room.copy_from_slice(last);
    }
    found
}
