//! Whole numbers as text, eight digits at a time, each digit a byte of a word. (As in P. Khuong's
//! "How to print integers really fast", 2017.) Pure.

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
pub(super) fn padded(number: u64) -> u64 {
    digits(number) | ZEROS
}

/// The characters of a number less than 10⁸, the first one lowest, and how many they are: above
/// them are zeros.
#[inline(always)]
pub(super) fn short(number: u64) -> (u64, usize) {
    let digits = digits(number);
    // A zero is a digit too, if it is the last.
    let leading = (digits | 1 << 63).trailing_zeros() / 8;
    ((digits | ZEROS) >> (8 * leading), 8 - leading as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(number: u64) {
        assert_eq!(
            padded(number).to_le_bytes(),
            *format!("{number:08}").as_bytes()
        );
        let (word, len) = short(number);
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
