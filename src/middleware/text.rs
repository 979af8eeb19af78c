//! Cleans text from clients for use in a field or a tag. Pure.

use std::borrow::Cow;

use crate::encode::text::is_visible;

/// Maximum length, in bytes.
const MAX_LEN: usize = 128;

/// `bytes` as text: at most 128 bytes, with U+FFFD for control characters and invalid UTF-8.
pub(super) fn clean(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.len() <= MAX_LEN
        && is_visible(bytes)
        && let Ok(text) = str::from_utf8(bytes)
    {
        return text.into();
    }
    // Three bytes become at most three characters, so nothing is cut off here that would be kept
    // below.
    let bytes = &bytes[..bytes.len().min(MAX_LEN + 3)];
    let mut text = String::with_capacity(bytes.len());
    for char in String::from_utf8_lossy(bytes).chars() {
        let char = match char.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => char,
        };
        if text.len() + char.len_utf8() > MAX_LEN {
            break;
        }
        text.push(char);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_stays_as_it_is() {
        for text in ["", "7f3c-11", "~", " ", "a b,c=d\"\\", "żółć"] {
            assert_eq!(clean(text.as_bytes()), text);
            let is_copied = matches!(clean(text.as_bytes()), Cow::Owned(_));
            assert_eq!(is_copied, !text.is_ascii());
        }
    }

    #[test]
    fn control_characters_and_what_is_not_utf_8_are_replaced() {
        assert_eq!(
            clean(b"a\tb\x7f\xff\xc3"),
            "a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn long_text_is_cut_before_the_character_that_is_too_much() {
        assert_eq!(clean(&[b'x'; 9_000]), "x".repeat(128));
        assert_eq!(clean("x€".repeat(99).as_bytes()), "x€".repeat(32));
        assert_eq!(clean("xx€".repeat(99).as_bytes()), "xx€".repeat(25) + "xx");
        assert_eq!(clean(&[0xff; 9_000]), "\u{fffd}".repeat(42));
    }
}
