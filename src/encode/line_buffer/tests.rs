use super::*;

#[test]
fn texts_of_all_lengths_follow_each_other() {
    let mut buffer = LineBuffer::default();
    let mut expected = Vec::new();
    for len in (0..40_usize).chain([511, 512, 513, 2_000]) {
        let text = "abcdefg".repeat(len.div_ceil(7));
        buffer.push_text(&text.as_bytes()[..len], Part::Key);
        buffer.push(b'|');
        expected.extend_from_slice(&text.as_bytes()[..len]);
        expected.push(b'|');
        assert_eq!(buffer.line(), expected);
    }
    assert_eq!(buffer.into_bytes(), expected);
}

#[test]
fn keys_of_all_lengths_are_written() {
    for len in 1..60 {
        let key = &"abcdefghijklmnopqrstuvwxyz".repeat(3)[..len];
        let mut buffer = LineBuffer::default();
        let first = words::first_word(key.as_bytes()).to_le_bytes();
        buffer.push_key(b',', key.as_bytes(), first);
        assert_eq!(buffer.into_bytes(), format!(",{key}=").into_bytes());
    }
}

#[test]
fn numbers_of_all_lengths_are_written() {
    let check = |value: u64| {
        let mut buffer = LineBuffer::default();
        let signed = value as i64;
        buffer.push_unsigned(value, b'u');
        buffer.push_integer(signed, b'i');
        buffer.push_end(signed);
        let expected = format!("{value}u{signed}i {signed}\n");
        assert_eq!(buffer.into_bytes(), expected.into_bytes());
    };
    check(u64::MAX);
    for power in (0..20).map(|exponent| 10_u64.pow(exponent)) {
        for value in [power - 1, power, power + 1, 7 * (power / 10)] {
            check(value);
            check(value.wrapping_neg());
        }
    }
}

#[test]
fn floats_of_all_lengths_are_written() {
    let digits = "1.2345678901234567";
    let parsed = (1..=digits.len()).map(|len| digits[..len].parse().unwrap());
    let powers = (-308..=308).map(|exponent| 1.2345678901234567 * 10_f64.powi(exponent));
    let limits = [
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        -f64::MIN_POSITIVE,
        0.0,
        -0.0,
    ];
    for value in parsed.chain(powers).chain(limits) {
        let mut buffer = LineBuffer::default();
        buffer.push_float(value);
        buffer.push_float(-value);
        let text = |value| zmij::Buffer::new().format_finite(value).to_owned();
        let expected = text(value) + &text(-value);
        assert_eq!(buffer.into_bytes(), expected.into_bytes());
    }
}

#[test]
fn a_line_that_is_taken_back_leaves_those_that_were_kept() {
    let mut buffer = LineBuffer::default();
    buffer.push_all(b"one\n");
    buffer.keep_line();
    buffer.push_all(&[b'x'; 1 << 20]);
    assert_eq!((buffer.kept_len(), buffer.line_len()), (4, 1 << 20));
    buffer.take_back();
    assert!(buffer.capacity() <= 4 + KEPT);
    assert_eq!(buffer.line(), b"");
    buffer.push_all(b"two\n");
    assert_eq!(buffer.line(), b"two\n");
    buffer.keep_line();
    buffer.push_all(&[b'x'; 1_000]);
    buffer.take_back();
    assert!(buffer.capacity() >= 1_000, "short lines leave their memory");
    assert_eq!(buffer.into_bytes(), b"one\ntwo\n");
}

#[test]
fn memory_grows_with_what_is_written() {
    let mut buffer = LineBuffer::default();
    for len in 1..20_000 {
        buffer.push(b'x');
        assert!(buffer.capacity() <= 2 * len + 2 * MOST_STEP);
    }
}

#[test]
fn memory_that_is_used_again_holds_nothing() {
    let mut buffer = LineBuffer::with_memory(b"before".to_vec());
    assert!(buffer.capacity() >= 6 && buffer.line().is_empty());
    buffer.push_all(b"x");
    assert_eq!(buffer.into_bytes(), b"x");
}
