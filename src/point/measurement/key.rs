use std::{borrow::Cow, cmp::Ordering};

use crate::encode::{
    text::{Part, is_plain, replaced},
    words::first_word,
};

/// A tag's or field's key, as a line can carry it: looked at once, when it is set.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Its first eight bytes, such that they compare as it does. First, so that keys that differ
    /// are told apart by it: a key holds no NUL, so one of up to eight bytes is in here whole.
    rank: u64,
    is_plain: bool,
    text: Cow<'static, str>,
}

impl Key {
    pub(crate) const EMPTY: Self = Self {
        rank: 0,
        is_plain: true,
        text: Cow::Borrowed(""),
    };

    pub(crate) fn new(text: Cow<'static, str>) -> Self {
        Self::plain(text).unwrap_or_else(Self::odd)
    }

    /// A key that a line can carry as it is; or the text, if it can't.
    #[inline(always)]
    pub(crate) fn plain(text: Cow<'static, str>) -> Result<Self, Cow<'static, str>> {
        match is_plain(&text, Part::Key) {
            true => Ok(Self {
                rank: rank(&text),
                is_plain: true,
                text,
            }),
            false => Err(text),
        }
    }

    /// What a key becomes that a line can't carry as it is.
    #[cold]
    pub(crate) fn odd(text: Cow<'static, str>) -> Self {
        let text = match replaced(&text) {
            Cow::Owned(replaced) => replaced.into(),
            Cow::Borrowed(_) => text,
        };
        Self {
            rank: rank(&text),
            is_plain: is_plain(&text, Part::Key),
            text,
        }
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(crate) fn is_owned(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }

    /// Is there nothing in it to be escaped?
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rank == 0
    }

    /// The name that lines have for their timestamp.
    #[inline]
    pub(crate) fn is_time(&self) -> bool {
        self.rank == u64::from_be_bytes(*b"time\0\0\0\0")
    }

    /// Zeros where it has less than eight.
    #[inline]
    pub(crate) fn first_bytes(&self) -> [u8; 8] {
        self.rank.to_be_bytes()
    }

    /// Is it longer than its rank has place for?
    #[inline]
    pub(crate) fn is_long(&self) -> bool {
        self.text.len() > 8
    }

    /// Ranks order keys as their texts do, but for those that begin alike.
    #[inline]
    pub(crate) fn rank(&self) -> u64 {
        self.rank
    }
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = self.rank.cmp(&other.rank);
        by_rank.then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // One of up to eight bytes is in its rank whole.
        let len = self.text.len();
        self.rank == other.rank && len == other.text.len() && (len <= 8 || self.text == other.text)
    }
}

impl Eq for Key {}

#[inline(always)]
fn rank(text: &str) -> u64 {
    first_word(text.as_bytes()).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &'static str) -> Key {
        Key::new(text.into())
    }

    #[test]
    fn keys_are_ordered_as_their_texts_are() {
        let texts = [
            "",
            "a",
            "aa",
            "ab",
            "abcdefg",
            "abcdefgh",
            "abcdefghi",
            "abcdefghj",
            "abcdefgi",
            "b",
            "time",
            "ä",
        ];
        for (at, one) in texts.iter().enumerate() {
            for (other_at, other) in texts.iter().enumerate() {
                assert_eq!(
                    key(one).cmp(&key(other)),
                    at.cmp(&other_at),
                    "{one} {other}"
                );
                assert_eq!(key(one) == key(other), at == other_at, "{one} {other}");
            }
        }
    }

    #[test]
    fn what_a_key_cannot_carry_is_replaced_and_what_is_to_be_escaped_is_known() {
        assert_eq!(key("a\\").as_str(), "a");
        assert!(key("a\\").is_plain());
        assert_eq!(key("a\0").as_str(), "a\\0");
        assert!(!key("a b").is_plain());
        assert!(key("\\").is_empty() && !key(" ").is_empty());
        assert!(key("time\\").is_time() && !key("times").is_time() && !key("time_at").is_time());
    }
}
