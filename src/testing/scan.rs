//! Errors of a single line in InfluxDB 1.6.7, with its texts.
//!
//! Steps and order are those of its scanner, because the first error determines the text, which
//! clients parse. The texts were taken from a running 1.6.7.

use std::borrow::Cow;

pub(super) type Refusal = Cow<'static, str>;

/// Maximum length of series key plus field key, in bytes.
const MAX_KEY_LENGTH: usize = 65_535;

/// A line that 1.6.7 accepts.
#[derive(Debug, PartialEq)]
pub(super) struct Scanned {
    /// The timestamp, in the request's precision.
    pub(super) timestamp: Option<i64>,
}

/// Returns why 1.6.7 refuses `line` (without leading blanks and line end), if it does. `unsigned`
/// allows `7u`, as v2 and v3 do.
pub(super) fn scan(line: &[u8], unsigned: bool) -> Result<Scanned, Refusal> {
    let key_end = series(line)?;
    if key_end > MAX_KEY_LENGTH {
        return Err(key_too_long(key_end));
    }
    let fields_end = fields(line, key_end, unsigned)?;
    timestamp(line, fields_end).map(|timestamp| Scanned { timestamp })
}

fn key_too_long(length: usize) -> Refusal {
    format!("max key length exceeded: {length} > {MAX_KEY_LENGTH}").into()
}

/// Whether there is a backslash before the byte at `i`. The scanner of names looks no further back.
fn escaped(line: &[u8], i: usize) -> bool {
    i > 0 && line[i - 1] == b'\\'
}

/// Scans measurement and tags. Returns their end.
fn series(line: &[u8]) -> Result<usize, Refusal> {
    if matches!(line.first(), None | Some(b',')) {
        return Err("missing measurement".into());
    }
    let stop = (1..line.len()).find(|&i| matches!(line[i], b',' | b' ') && !escaped(line, i));
    let mut at = stop.ok_or("missing fields")?;
    let mut keys = Vec::new();
    while line[at] == b',' {
        let (key, end) = tag(line, at + 1)?;
        keys.push(key);
        at = end;
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("duplicate tags".into());
    }
    Ok(at)
}

/// Scans a `key=value` at `start`. Returns the key and the end of the value.
fn tag(line: &[u8], start: usize) -> Result<(&[u8], usize), Refusal> {
    if matches!(line.get(start), None | Some(b' ' | b',' | b'=')) {
        return Err("missing tag key".into());
    }
    let is_stop = |i: usize, stops: &[u8]| stops.contains(&line[i]) && !escaped(line, i);
    let equals = (start + 1..line.len())
        .find(|&i| is_stop(i, b" ,="))
        .filter(|&i| line[i] == b'=')
        .ok_or("missing tag value")?;
    if matches!(line.get(equals + 1), None | Some(b' ' | b',')) {
        return Err("missing tag value".into());
    }
    let end = (equals + 2..line.len()).find(|&i| is_stop(i, b" ,="));
    match end {
        None => Err("missing fields".into()),
        Some(end) if line[end] == b'=' => Err("invalid tag format".into()),
        Some(end) => Ok((&line[start..equals], end)),
    }
}

/// Scans the field set. Returns its end.
fn fields(line: &[u8], key_end: usize, unsigned: bool) -> Result<usize, Refusal> {
    let mut i = skip_blanks(line, key_end);
    let mut field_start = i;
    let (mut quoted, mut equals, mut commas) = (false, 0, 0);
    while i < line.len() {
        match line[i] {
            b'\\' if i + 1 < line.len() => {
                i += 2;
                continue;
            }
            b'"' if equals > commas => quoted = !quoted,
            _ if quoted => {}
            b'=' => {
                equals += 1;
                if matches!(line[i - 1], b' ' | b',') && line[i - 2] != b'\\' {
                    return Err("missing field key".into());
                }
                // The series key, a separator of four bytes, the field's key.
                let key_length = key_end + 4 + (i - field_start);
                if key_length > MAX_KEY_LENGTH {
                    return Err(key_too_long(key_length));
                }
                match line.get(i + 1) {
                    None | Some(b',' | b' ') => return Err("missing field value".into()),
                    Some(b'0'..=b'9' | b'.' | b'-' | b'N' | b'n') => {
                        i = number(line, i + 1, unsigned)?;
                        continue;
                    }
                    Some(b'"') => {}
                    Some(_) => {
                        i = boolean(line, i + 1)?;
                        continue;
                    }
                }
            }
            b',' => {
                commas += 1;
                field_start = i + 1;
            }
            b' ' => break,
            _ => {}
        }
        i += 1;
    }
    let end = i.min(line.len());
    if quoted {
        Err("unbalanced quotes".into())
    } else if equals == 0 || commas != equals - 1 {
        Err("invalid field format".into())
    } else {
        Ok(end)
    }
}

/// The end of a value that isn't a string.
fn value_end(line: &[u8], start: usize) -> usize {
    let length = line[start..]
        .iter()
        .position(|byte| matches!(byte, b',' | b' '));
    length.map_or(line.len(), |length| start + length)
}

fn boolean(line: &[u8], start: usize) -> Result<usize, Refusal> {
    let end = value_end(line, start);
    match &line[start..end] {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" | b"f" | b"F" | b"false" | b"False"
        | b"FALSE" => Ok(end),
        _ => Err("invalid boolean".into()),
    }
}

fn number(line: &[u8], start: usize, unsigned: bool) -> Result<usize, Refusal> {
    let invalid = || Refusal::from("invalid number");
    let end = value_end(line, start);
    let text = std::str::from_utf8(&line[start..end]).map_err(|_| invalid())?;
    if let Some(digits) = text.strip_suffix('i') {
        whole_digits(digits.strip_prefix('-').unwrap_or(digits)).ok_or_else(invalid)?;
        let parsed = digits.parse::<i64>();
        parsed.map_err(|_| out_of_range(digits, "unable to parse integer"))?;
    } else if let Some(digits) = text.strip_suffix('u') {
        if !unsigned {
            return Err(invalid());
        }
        whole_digits(digits).ok_or_else(invalid)?;
        let parsed = digits.parse::<u64>();
        parsed.map_err(|_| out_of_range(digits, "unable to parse unsigned"))?;
    } else {
        float_shape(text).ok_or_else(invalid)?;
        let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
        if !finite {
            return Err("invalid float".into());
        }
    }
    Ok(end)
}

fn whole_digits(text: &str) -> Option<()> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
}

/// Whether `text` only contains the characters of a float. Parsing it decides the rest.
fn float_shape(text: &str) -> Option<()> {
    let bytes = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let sign_follows_exponent = |i: usize| i > 0 && matches!(bytes[i - 1], b'e' | b'E');
    let shaped = bytes.iter().enumerate().all(|(i, byte)| match byte {
        b'0'..=b'9' | b'.' => true,
        b'e' | b'E' => i > 0 || text.starts_with('-'),
        b'+' | b'-' => sign_follows_exponent(i),
        _ => false,
    });
    let points = bytes.iter().filter(|byte| **byte == b'.').count();
    (shaped && points <= 1 && bytes.len() > points).then_some(())
}

fn out_of_range(digits: &str, what: &str) -> Refusal {
    let call = if what.ends_with("unsigned") {
        "ParseUint"
    } else {
        "ParseInt"
    };
    format!("{what} {digits}: strconv.{call}: parsing \"{digits}\": value out of range").into()
}

fn timestamp(line: &[u8], fields_end: usize) -> Result<Option<i64>, Refusal> {
    let start = skip_blanks(line, fields_end);
    let rest = &line[start..];
    let length = rest
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at(length);
    if digits.is_empty() {
        return Ok(None);
    }
    let sign = usize::from(digits[0] == b'-');
    let text = match std::str::from_utf8(digits) {
        Ok(text) if digits[sign..].iter().all(u8::is_ascii_digit) => text,
        _ => return Err("bad timestamp".into()),
    };
    let parsed = text.parse::<i64>().map_err(|_| {
        let why = if text == "-" {
            "invalid syntax"
        } else {
            "value out of range"
        };
        Refusal::from(format!("strconv.ParseInt: parsing \"{text}\": {why}"))
    })?;
    if after.iter().any(|byte| *byte != b' ') {
        return Err("point is invalid".into());
    }
    Ok(Some(parsed))
}

/// Blanks according to 1.6.7, including NUL.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0)
}

fn skip_blanks(line: &[u8], from: usize) -> usize {
    let blanks = line[from..]
        .iter()
        .take_while(|byte| is_blank(**byte))
        .count();
    from + blanks
}

#[cfg(test)]
mod tests;
