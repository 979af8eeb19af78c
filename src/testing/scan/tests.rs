//! Answers that were seen on 1.6.7.

use super::*;

/// Each line and what a running 1.6.7 answered to it; `""` stands for 204.
const SEEN: &[(&str, &str)] = &[
    ("m,a=1,a=2 v=1 1", "duplicate tags"),
    ("m,b=1,a=1,b=1 v=1 1", "duplicate tags"),
    ("m,a= v=1 1", "missing tag value"),
    ("m,a v=1 1", "missing tag value"),
    ("m,a\\=b v=1 1", "missing tag value"),
    ("m,=x v=1 1", "missing tag key"),
    ("m,,a=1 v=1 1", "missing tag key"),
    ("m,a=1, v=1 1", "missing tag key"),
    ("m, v=1 1", "missing tag key"),
    ("m,a=b=c v=1 1", "invalid tag format"),
    ("m,a=b\\ v=1 1", "invalid tag format"),
    ("m,a=b\\\\ v=1 1", "invalid tag format"),
    ("m,a=1", "missing fields"),
    ("m", "missing fields"),
    ("m ", "invalid field format"),
    ("m  ", "invalid field format"),
    ("m v 1", "invalid field format"),
    ("m v=1, 1", "invalid field format"),
    ("m v=1,, 1", "invalid field format"),
    ("m ,v=1 1", "invalid field format"),
    ("m v=1,w 1", "invalid field format"),
    ("m\\ v=1 1", "invalid field format"),
    ("m\\\\ v=1 1", "invalid field format"),
    ("m\tv=1 1", "invalid field format"),
    ("m,a=b v\\=1 1", "invalid field format"),
    ("m,a=\"x y\" v=1 1", "invalid field format"),
    (",a=1 v=1", "missing measurement"),
    ("m =1 1", "missing field key"),
    ("m v=1,=2 1", "missing field key"),
    ("m v= 1", "missing field value"),
    ("m v=7u 1", "invalid number"),
    ("m v=1.5i 1", "invalid number"),
    ("m v=1e5i 1", "invalid number"),
    ("m v=9i10 1", "invalid number"),
    ("m v=9ii 1", "invalid number"),
    ("m v=-i", "invalid number"),
    ("m v=- 1", "invalid number"),
    ("m v=--1 1", "invalid number"),
    ("m v=1- 1", "invalid number"),
    ("m v=. 1", "invalid number"),
    ("m v=1.2.3 1", "invalid number"),
    ("m v=0x1 1", "invalid number"),
    ("m v=1=2 1", "invalid number"),
    ("m v=NaN 1", "invalid number"),
    ("m v=nan 1", "invalid number"),
    ("m v=-inf 1", "invalid number"),
    ("m v=1\r", "invalid number"),
    ("m v=1i\r", "invalid number"),
    ("m v=1\t1", "invalid number"),
    ("m v=1\"a\" 1", "invalid number"),
    ("m v=1e 1", "invalid float"),
    ("m v=1e400 1", "invalid float"),
    ("m v=-e5 1", "invalid float"),
    ("m v=i 1", "invalid boolean"),
    ("m v=+1 1", "invalid boolean"),
    ("m v=Inf 1", "invalid boolean"),
    ("m v=inf 1", "invalid boolean"),
    ("m v=tru 1", "invalid boolean"),
    ("m v=tRUE 1", "invalid boolean"),
    ("m v=t\r", "invalid boolean"),
    ("m v==1 1", "invalid boolean"),
    ("s s=a\" 1", "invalid boolean"),
    ("s s=\"a 1", "unbalanced quotes"),
    ("s s=\"a\\\" 1", "unbalanced quotes"),
    ("s s=\"a\\", "unbalanced quotes"),
    ("m v=1 x", "bad timestamp"),
    ("m v=1 1.5", "bad timestamp"),
    ("m v=1 1x", "bad timestamp"),
    ("m v=1 1\r", "bad timestamp"),
    ("m v=1 1 2", "point is invalid"),
    ("m v=1 -", "strconv.ParseInt: parsing \"-\": invalid syntax"),
    (
        "m v=1 9223372036854775808",
        "strconv.ParseInt: parsing \"9223372036854775808\": value out of range",
    ),
    (
        "m v=-9223372036854775809i 1",
        "unable to parse integer -9223372036854775809: strconv.ParseInt: parsing \
         \"-9223372036854775809\": value out of range",
    ),
    ("m v=1 1 ", ""),
    ("m v=1  1", ""),
    ("m  v=1 1", ""),
    ("time v=1 1", ""),
    ("m v=1e5 1", ""),
    ("m v=1E+5 1", ""),
    ("m v=.5 1", ""),
    ("m v=5. 1", ""),
    ("m v=00 1", ""),
    ("m v=-0 1", ""),
    ("m b=-0i,c=00012i 1", ""),
    ("m v=1 -5", ""),
    ("m v=\"a\"\r", ""),
    ("s s=\"a\nb\" 1", ""),
    ("s s=\"a\"b 1", ""),
    ("s s=\"\" 1", ""),
    ("s s=\"a\\\"b\" 1", ""),
    ("s s=\"a\\\\\" 1", ""),
    ("s s=\"a,b=c d\",t=1,s2=\"\" 1", ""),
    ("m\\ x,a\\ b=c\\,d v\\ w=1 1", ""),
    ("m,a\\=b=c v=1 1", ""),
    ("m,a=b v\\=w=1 1", ""),
    ("m v=1,w\\ =1 1", ""),
    ("m,a=b\tc v=1 1", ""),
    ("m\0x v=1 1", ""),
    ("m,a=\0 v=1 1", ""),
];

#[test]
fn lines_are_refused_in_the_words_of_1_6_7() {
    for (line, expected) in SEEN {
        let found = match scan(line.as_bytes(), false) {
            Ok(_) => String::new(),
            Err(why) => why.into_owned(),
        };
        assert_eq!(found, *expected, "{line:?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_taken() {
    assert!(scan(b"n\xff,a=\xfe f\xfd=1,s=\"\xfc\" 1", false).is_ok());
}

#[test]
fn a_key_above_64_kib_is_refused_with_its_length() {
    let seen = format!("{} v=1 1", "x".repeat(70_000));
    let why = scan(seen.as_bytes(), false).unwrap_err();
    assert_eq!(why, "max key length exceeded: 70000 > 65535");
}

#[test]
fn unsigned_integers_are_taken_where_they_are_supported() {
    assert!(scan(b"m v=18446744073709551615u", true).is_ok());
    assert!(scan(b"m v=-1u", true).is_err());
}

#[test]
fn no_prefix_of_a_line_makes_the_scanner_panic() {
    for (line, _) in SEEN {
        for start in 0..line.len() {
            for end in start..=line.len() {
                let _ = scan(&line.as_bytes()[start..end], true);
            }
        }
    }
}
