//! Texts and numbers eight bytes at a time, as a word: the tricks of the encoder, in one place. Pure.
//!
//! What each gained when it was introduced, libraries included, for a point of 6 tags and 2 fields
//! (`series_13440` and `series` of `cargo bench --bench instructions`):
//!
//! | | instead of | a measurement | a point of a `Series` |
//! |---|---|--:|--:|
//! | text is searched in words | each byte in a table | 5,143, not 6,356 | 1,771, not 2,178 |
//! | digits in words | one by one | 5,143, not 5,238 | 1,771, not 1,867 |
//!
//! The third trick is [`LineBuffer`](super::LineBuffer)'s, which writes arrays of a fixed size into memory that
//! is ready for them: 4,219 instructions a measurement became 4,012, in a version that kept no series parts.

pub(super) const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of some byte is set if one is less than `limit`, which is at most 128. (This and
/// the next are in "Bit Twiddling Hacks" by S. E. Anderson, as `hasless` and `haszero`.)
#[inline(always)]
pub(super) fn less(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(repeat(limit)) & !word
}

/// The highest bit of some byte is set if one is `byte`.
#[inline(always)]
pub(super) fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ repeat(byte);
    difference.wrapping_sub(repeat(1)) & !difference
}

/// The first eight bytes, the first one lowest; zeros after the end.
#[inline(always)]
pub(crate) fn first_word(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => short_word(text),
    }
}

/// Of a text of less than eight bytes.
#[inline(always)]
pub(crate) fn short_word(text: &[u8]) -> u64 {
    let len = text.len();
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return first | last << (8 * (len - 4));
    }
    match *text {
        [] => 0,
        [only] => only.into(),
        [first, .., last] => {
            let [first, middle, last] = [first, text[len / 2], last].map(u64::from);
            first | middle << (8 * (len / 2)) | last << (8 * (len - 1))
        }
    }
}

/// A text of less than eight bytes, and letters.
#[inline(always)]
pub(crate) fn padded(text: &[u8]) -> u64 {
    short_word(text) | repeat(b'a') << (8 * text.len())
}

/// Each word of `text`; the last two may overlap, and a text shorter than a word is one that ends in
/// letters.
#[inline(always)]
pub(crate) fn each_word(text: &[u8], mut each: impl FnMut(u64)) {
    let Some(last) = text.last_chunk() else {
        return each(padded(text));
    };
    for word in text.as_chunks().0 {
        each(u64::from_le_bytes(*word));
    }
    each(u64::from_le_bytes(*last));
}

/// The golden ratio, as a fraction of 2⁶⁴: no bit of it stands out.
const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash that goes on with a word: the two halves of a product, as `foldhash` and `wyhash` do it.
#[inline(always)]
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    mix_two(hash, word, 0)
}

/// The same with two words. (The second factor is never zero: what would make it so is no UTF-8.)
#[inline(always)]
pub(super) fn mix_two(hash: u64, first: u64, second: u64) -> u64 {
    let product = u128::from(hash ^ first) * u128::from(RATIO ^ second);
    product as u64 ^ (product >> 64) as u64
}

// Whole numbers as text, eight digits at a time, each digit a byte of a word. (As in P. Khuong's "How to
// print integers really fast", 2017.)

/// The eight last decimal digits of what is less than 10⁸, leading zeros and all: the first one
/// lowest, and each a number from 0 to 9.
#[inline(always)]
fn digits(number: u64) -> u64 {
    // Two numbers of four digits, then four of two, then eight of one. Where a number is divided
    // by a multiplication, it is small enough for it.
    let fours = number / 10_000 + ((number % 10_000) << 32);
    let high = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = high + ((fours - 100 * high) << 16);
    let high = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    high + ((twos - 10 * high) << 8)
}

const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// Eight characters, the first one lowest: a number less than 10⁸, with leading zeros.
#[inline(always)]
pub(super) fn eight_digits(number: u64) -> u64 {
    digits(number) | ZEROS
}

/// The characters of a number less than 10⁸, the first one lowest, and how many they are: above
/// them are zeros.
#[inline(always)]
pub(super) fn few_digits(number: u64) -> (u64, usize) {
    let digits = digits(number);
    // A zero is a digit too, if it is the last.
    let leading = (digits | 1 << 63).trailing_zeros() / 8;
    ((digits | ZEROS) >> (8 * leading), 8 - leading as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_of_a_text_cover_it() {
        let text: Vec<u8> = (b'A'..b'A' + 40).collect();
        for len in 0..text.len() {
            let text = &text[..len];
            let mut seen = Vec::new();
            each_word(text, |word| seen.extend(word.to_le_bytes()));
            assert!(text.iter().all(|byte| seen.contains(byte)));
            assert!(seen.iter().all(|byte| text.contains(byte) || *byte == b'a'));
            let mut first = [0; 8];
            let known = len.min(8);
            first[..known].copy_from_slice(&text[..known]);
            assert_eq!(first_word(text).to_le_bytes(), first);
        }
    }

    fn check(number: u64) {
        assert_eq!(
            eight_digits(number).to_le_bytes(),
            *format!("{number:08}").as_bytes()
        );
        let (word, len) = few_digits(number);
        let mut expected = [0; 8];
        expected[..len].copy_from_slice(number.to_string().as_bytes());
        assert_eq!(word.to_le_bytes(), expected);
    }

    #[test]
    fn numbers_of_every_length_are_printed() {
        (0..=100_000).for_each(check);
        for power in (0..=8).map(|exponent| 10_u64.pow(exponent)) {
            check(power - 1);
            check(power.min(99_999_999));
        }
    }

    proptest! {
        #[test]
        fn any_number_is_printed_as_the_standard_library_prints_it(number in 0..100_000_000_u64) {
            check(number);
        }
    }
}
