//! Text that lines are made of: what of it has to be escaped or replaced. Pure.
//!
//! Most of it holds nothing of that kind, so it is looked at in words of eight bytes.

use std::borrow::Cow;

use super::words::{each_word, equal, less, padded, repeat};

/// Which characters a part of a line escapes with a backslash, or a newline with two and an `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    /// Blank and comma.
    Name = 1,
    /// Blank, comma and equals sign; a tag's value too.
    Key = 2,
    /// Quote, backslash and newline.
    String = 4,
    /// Quote and backslash.
    RawString = 8,
}

/// In names, keys and tag values: a character that is replaced, or a backslash.
const REPLACED: u8 = 16;

/// For each byte, the parts that escape it, and [`REPLACED`].
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b' ' as usize] = Part::Name as u8 | Part::Key as u8;
    classes[b',' as usize] = Part::Name as u8 | Part::Key as u8;
    classes[b'=' as usize] = Part::Key as u8;
    classes[b'"' as usize] = Part::String as u8 | Part::RawString as u8;
    classes[b'\\' as usize] = Part::String as u8 | Part::RawString as u8 | REPLACED;
    classes[b'\n' as usize] = Part::String as u8 | REPLACED;
    classes[b'\r' as usize] = REPLACED;
    classes[b'\t' as usize] = REPLACED;
    classes[b'\0' as usize] = REPLACED;
    classes
};

impl Part {
    #[inline]
    pub(crate) fn escapes(self, byte: u8) -> bool {
        CLASSES[usize::from(byte)] & self as u8 != 0
    }

    /// May a byte of `word` be one that this part escapes or replaces? (No other answer is
    /// certain: in names and keys all up to a comma are taken for such.)
    #[inline(always)]
    pub(crate) fn suspects(self, word: u64) -> bool {
        let found = match self {
            Self::Name | Self::Key => less(word, b',' + 1) | equal(word, b'=') | equal(word, b'\\'),
            Self::String => equal(word, b'"') | equal(word, b'\\') | equal(word, b'\n'),
            Self::RawString => equal(word, b'"') | equal(word, b'\\'),
        };
        found & repeat(0x80) != 0
    }
}

/// Is there nothing in `text` that `part` would have to look at closely?
#[inline(always)]
pub(crate) fn is_plain(text: &str, part: Part) -> bool {
    let text = text.as_bytes();
    let Some(last) = text.last_chunk() else {
        return !part.suspects(padded(text));
    };
    let mut is_plain = !part.suspects(u64::from_le_bytes(*last));
    for word in text.as_chunks().0 {
        is_plain &= !part.suspects(u64::from_le_bytes(*word));
    }
    is_plain
}

/// Is it all visible ASCII and blanks?
#[cfg(feature = "middleware")]
#[inline]
pub(crate) fn is_visible(text: &[u8]) -> bool {
    let mut odd = 0;
    each_word(text, |word| {
        odd |= less(word, b' ') | equal(word, 0x7f) | word;
    });
    odd & repeat(0x80) == 0
}

/// `text` as a name, key or tag value can carry it: see the head of
/// [`line_protocol`](crate::encode).
#[inline]
pub(crate) fn replaced(text: &str) -> Cow<'_, str> {
    match is_plain(text, Part::Key) {
        true => Cow::Borrowed(text),
        false => replaced_slowly(text),
    }
}

#[cold]
fn replaced_slowly(text: &str) -> Cow<'_, str> {
    let mut found = 0;
    each_word(text.as_bytes(), |word| {
        found |= less(word, b'\r' + 1) | equal(word, b'\\')
    });
    if found & repeat(0x80) == 0 {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\\' if rest
                .peek()
                .is_none_or(|next| " ,=\"\\\n\r\t\0".contains(*next)) => {}
            char => out.push(char),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part; 4] = [Part::Name, Part::Key, Part::String, Part::RawString];

    #[test]
    fn a_word_is_suspected_wherever_in_it_a_byte_is_that_its_part_escapes_or_replaces() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                for others in [b'a', b'~', 0x80, 0xff, b'-'] {
                    let mut word = [others; 8];
                    word[place] = byte;
                    let word = u64::from_le_bytes(word);
                    for part in PARTS {
                        let is_replaced = matches!(part, Part::Name | Part::Key)
                            && CLASSES[usize::from(byte)] & REPLACED != 0;
                        let must = part.escapes(byte) || is_replaced;
                        assert!(!must || part.suspects(word), "{part:?} {byte} at {place}");
                    }
                    let is_harmless = byte > b',' && !b"=\\".contains(&byte);
                    let suspected = PARTS.iter().any(|part| part.suspects(word));
                    assert!(!is_harmless || !suspected, "{byte} at {place}");
                }
            }
        }
    }

    #[cfg(feature = "middleware")]
    #[test]
    fn what_is_visible_is_from_blank_to_tilde() {
        for len in [1, 5, 8, 13, 24] {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'~'; len];
                    text[at] = byte;
                    assert_eq!(is_visible(&text), (b' '..=b'~').contains(&byte), "{byte}");
                }
            }
        }
    }

    #[test]
    fn one_odd_byte_anywhere_makes_a_text_one_that_is_not_plain() {
        for len in 1..40 {
            for at in 0..len {
                let mut text = vec![b'x'; len];
                text[at] = b',';
                let text = String::from_utf8(text).unwrap();
                assert!(!is_plain(&text, Part::Key), "{text}");
                assert!(is_plain(&text, Part::String), "{text}");
            }
        }
        assert!(is_plain("", Part::Key));
    }
}
