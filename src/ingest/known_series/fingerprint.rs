use std::{borrow::Cow, hash::Hasher};

use crate::point::measurement::Contents;

/// A series with more tags has none.
const MOST_TAGS: usize = 15;

const MOST_WORDS: usize = 2 + 2 * MOST_TAGS;

/// Stands for the length of a text that is not a literal.
const NO_LITERAL: u64 = 0xffff;

/// A series as it was given, such that two that differ have different ones.
///
/// A literal is known by where it is and how long it is: nothing else can ever be there. Of any other
/// text the bytes are in here.
#[derive(Debug, Default)]
pub(super) struct Fingerprint {
    /// How many tags there are, then a word for each text.
    words: [[u8; 8]; MOST_WORDS],
    used: usize,
    /// The texts that are no literals.
    texts: Vec<u8>,
}

impl Fingerprint {
    /// Makes it that of the point's series; or of none, if that has too many tags.
    #[inline]
    pub(super) fn take(&mut self, point: &Contents) -> bool {
        let tags = &*point.tags;
        if tags.len() > MOST_TAGS {
            return false;
        }
        self.texts.clear();
        self.words[0] = (tags.len() as u64).to_ne_bytes();
        self.words[1] = word(&point.name, &mut self.texts);
        let (places, _) = self.words[2..].as_chunks_mut();
        for ([for_key, for_value], (key, value)) in places.iter_mut().zip(tags) {
            *for_key = word(key.text(), &mut self.texts);
            *for_value = word(value, &mut self.texts);
        }
        self.used = 2 + 2 * tags.len();
        true
    }

    #[inline]
    pub(super) fn hash_into(&self, hasher: &mut impl Hasher) {
        let mix = |mixed: u64, word: &[u8; 8]| {
            // Multiplication carries what differs upwards, the rotation carries it down again.
            let mixed = mixed ^ u64::from_ne_bytes(*word);
            mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
        };
        hasher.write_u64(self.words[1..self.used].iter().fold(0, mix));
        if !self.texts.is_empty() {
            hasher.write(&self.texts);
        }
    }

    fn words(&self) -> &[u8] {
        self.words[..self.used].as_flattened()
    }

    /// Together with what is before and after it.
    pub(super) fn between(&self, before: &[u8], after: &[u8]) -> Box<[u8]> {
        [before, self.words(), &self.texts, after].concat().into()
    }

    /// What comes after it, if `bytes` begin with it.
    #[inline]
    pub(super) fn strip_from<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let rest = bytes.strip_prefix(self.words())?;
        match self.texts.is_empty() {
            true => Some(rest),
            false => rest.strip_prefix(&*self.texts),
        }
    }
}

/// What stands for a text: the length, and the address or the length once more.
#[inline]
#[expect(
    clippy::ptr_arg,
    reason = "a literal is told from another text by its variant"
)]
fn word(text: &Cow<'static, str>, texts: &mut Vec<u8>) -> [u8; 8] {
    let word = match text {
        Cow::Borrowed(literal) => {
            let (address, len) = (literal.as_ptr().addr() as u64, literal.len() as u64);
            match address >> 48 == 0 && len < NO_LITERAL {
                true => len << 48 | address,
                // Where addresses have more bits.
                false => word_of_text(literal, texts),
            }
        }
        Cow::Owned(text) => word_of_text(text, texts),
    };
    word.to_ne_bytes()
}

fn word_of_text(text: &str, texts: &mut Vec<u8>) -> u64 {
    texts.extend_from_slice(text.as_bytes());
    NO_LITERAL << 48 | text.len() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Measurement;

    type Given = (String, Vec<(String, String)>);

    /// Some literals, which overlap, and some that are none.
    fn text() -> impl Strategy<Value = Cow<'static, str>> {
        const TEXT: &str = "ababab";
        prop_oneof![
            (0..6_usize, 0..3_usize).prop_map(|(at, len)| TEXT[at..6.min(at + len)].into()),
            "[ab]{0,2}".prop_map(Cow::from),
        ]
    }

    fn series() -> impl Strategy<Value = Measurement> {
        let tags = prop::collection::vec((text(), text()), 0..3);
        (text(), tags).prop_map(|(name, tags)| {
            let mut measurement = Measurement::new("db", name);
            measurement.set_tags(tags);
            measurement
        })
    }

    fn given(point: &Contents) -> Given {
        let tag = |(key, value): &(crate::point::measurement::Key, Cow<'_, str>)| {
            (key.as_str().to_owned(), value.to_string())
        };
        (point.name.to_string(), point.tags.iter().map(tag).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn what_has_the_same_fingerprint_is_the_same_series(one in series(), other in series()) {
            let [mut a, mut b] = [Fingerprint::default(), Fingerprint::default()];
            prop_assert!(a.take(&other.0) && a.take(&one.0) && b.take(&other.0));
            let kept = a.between(b"", b"text");
            prop_assert_eq!(a.strip_from(&kept), Some(&b"text"[..]));
            if b.strip_from(&kept).is_some() {
                prop_assert_eq!(given(&one.0), given(&other.0));
                prop_assert_eq!(b.strip_from(&kept), Some(&b"text"[..]));
            }
        }
    }

    #[test]
    fn too_many_tags_have_none() {
        let with = |tags: usize| {
            let tags = (0..tags).map(|number| (number.to_string(), "x"));
            (*Measurement::new("db", "m").tags(tags).0).clone()
        };
        assert!(Fingerprint::default().take(&with(MOST_TAGS)));
        assert!(!Fingerprint::default().take(&with(MOST_TAGS + 1)));
    }
}
