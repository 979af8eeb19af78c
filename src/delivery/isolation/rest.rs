use std::collections::BTreeMap;

use crate::{
    batch::Lines,
    printable::{LIMIT, printable},
};

/// Text before the rest of the body from its first bad line on, and after it.
const BEFORE: &str = "incorrect influx line \"";
const AFTER: &str = "; see ";

/// The first bad line, by index, with the reason: VictoriaMetrics since 1.112 repeats the rest of
/// the body from there, as Go's `%q` writes it. Includes all lines with the same text.
pub(super) fn first_of_rest(lines: &Lines, text: &str) -> BTreeMap<usize, String> {
    let Some((_, quoted)) = text.split_once(BEFORE) else {
        return BTreeMap::new();
    };
    let Some((bad, end)) = first_line(quoted) else {
        return BTreeMap::new();
    };
    // The reason follows the closing quote, if the response was not cut short.
    let why = end.and_then(|end| quoted[end..].strip_prefix("\": "));
    let why = why.map(|why| why.split(AFTER).next().unwrap_or(why));
    let reason = match why {
        Some(why) => format!("incorrect influx line: {}", printable(why.trim(), LIMIT)),
        None => "incorrect influx line".to_owned(),
    };
    let same = |(_, line): &(usize, &[u8])| line.strip_suffix(b"\n").unwrap_or(line) == bad;
    let numbers = lines
        .iter()
        .enumerate()
        .filter(same)
        .map(|(number, _)| number);
    numbers.map(|number| (number, reason.clone())).collect()
}

/// The first quoted line, if it is complete, and the position of the closing quote.
fn first_line(quoted: &str) -> Option<(Vec<u8>, Option<usize>)> {
    let mut line = Vec::new();
    let mut first = None;
    let mut at = 0;
    loop {
        let rest = &quoted[at..];
        match rest.chars().next() {
            // The response was cut short.
            None => return first.map(|first| (first, None)),
            Some('"') => return Some((first.unwrap_or(line), Some(at))),
            Some('\\') => {
                let (byte_or_char, length) = escape(rest)?;
                at += length;
                match byte_or_char {
                    Escaped::Byte(b'\n') if first.is_none() => {
                        first = Some(std::mem::take(&mut line))
                    }
                    Escaped::Byte(byte) => line.push(byte),
                    Escaped::Char(char) => {
                        line.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            }
            Some(char) => {
                line.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                at += char.len_utf8();
            }
        }
    }
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// Parses an escape of Go's `%q` at the start of `text`. Returns it with its length.
fn escape(text: &str) -> Option<(Escaped, usize)> {
    let kind = *text.as_bytes().get(1)?;
    let byte = |byte| Some((Escaped::Byte(byte), 2));
    let hex = |digits: usize| u32::from_str_radix(text.get(2..2 + digits)?, 16).ok();
    match kind {
        b'a' => byte(7),
        b'b' => byte(8),
        b'f' => byte(12),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(11),
        b'\\' | b'"' | b'\'' => byte(kind),
        b'x' => Some((Escaped::Byte(u8::try_from(hex(2)?).ok()?), 4)),
        b'u' => Some((Escaped::Char(char::from_u32(hex(4)?)?), 6)),
        b'U' => Some((Escaped::Char(char::from_u32(hex(8)?)?), 10)),
        _ => None,
    }
}
