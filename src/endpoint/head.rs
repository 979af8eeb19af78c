//! Parses the head of a response, and rewrites it for awc, with only the fields in use and a single
//! length.
//!
//! As lenient as RFC 9112 allows, because the status is evidence of what happened to a batch.
//! Sources: RFC 9112 §2.2 (line ends), §4 (status line), §5 (fields), §6.3 (length), §9.3
//! (persistence).

use std::{borrow::Cow, io::Write as _};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::framing::{Chunks, Framing};

/// The fields in use; others are dropped.
const USED: [&str; 12] = [
    "cluster-uuid",
    "content-type",
    "date",
    "location",
    "retry-after",
    "server",
    "x-geminidb-version",
    "x-greptime-err-code",
    "x-influxdb-build",
    "x-influxdb-error",
    "x-influxdb-version",
    "x-server-hostname",
];

/// Maximum length of a field's value, in bytes.
const MAX_VALUE: usize = 4 << 10;

/// Characters that awc refuses in a value. InfluxDB 1.6.7 repeats lines raw in `X-Influxdb-Error`,
/// with control characters; [`Response::text`](super::exchange::Response::text) undoes the escapes.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The head of a final response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) framing: Framing,
    /// Whether the connection can be used again after this response.
    pub(super) is_reusable: bool,
}

/// The end of the head at the start of `bytes`, if it is complete. It is known not to end before
/// `from`.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let is_end = |line_feed: usize| match &bytes[line_feed + 1..] {
        [b'\n', ..] => Some(line_feed + 2),
        [b'\r', b'\n', ..] => Some(line_feed + 3),
        _ => None,
    };
    let candidates = bytes[from..].iter().enumerate();
    let line_feeds = candidates.filter(|(_, byte)| **byte == b'\n');
    line_feeds.map(|(at, _)| from + at).find_map(is_end)
}

/// Parses the status code and the minor version of a status line.
pub(super) fn status_line(line: &[u8]) -> Result<(u16, u8), String> {
    let words = line
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.split_first())
        .filter(|(minor, _)| minor.is_ascii_digit());
    let status = words.and_then(|(minor, rest)| {
        let code = rest.trim_ascii_start();
        let (digits, after) = code.split_at_checked(3)?;
        let is_separate =
            code.len() < rest.len() && after.first().is_none_or(|byte| byte.is_ascii_whitespace());
        let is_code = digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0';
        let number = || {
            let digit = |digit: &u8| u16::from(digit - b'0');
            digits
                .iter()
                .map(digit)
                .fold(0, |sum, digit| sum * 10 + digit)
        };
        (is_separate && is_code).then(|| (number(), minor - b'0'))
    });
    status.ok_or_else(|| {
        let line = line[..line.len().min(100)].trim_ascii_end();
        format!(
            "its status line is not HTTP/1.1: \"{}\"",
            line.escape_ascii()
        )
    })
}

/// Parses the complete head of a final response, and appends the start of the head for awc to
/// `out`; [`finish`] appends the rest.
///
/// # Errors
///
/// If it is not HTTP/1.1 or has no definite length: a text that can follow "the response can't be
/// used".
pub(super) fn read_head(head: &[u8], out: &mut Vec<u8>) -> Result<Head, String> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| match line {
        [line @ .., b'\r'] => line,
        line => line,
    });
    let (status, minor) = status_line(lines.next().unwrap_or_default())?;
    _ = write!(out, "HTTP/1.1 {status} \r\n");
    let mut fields = Fields::default();
    let mut field: Option<(&[u8], Cow<'_, [u8]>)> = None;
    for line in lines {
        match (line, &mut field) {
            // A folded line (§5.2); ignored without a line before it (§2.2).
            ([b' ' | b'\t', ..], field) => {
                if let Some((_, value)) = field {
                    let value = value.to_mut();
                    value.push(b' ');
                    value.extend_from_slice(trimmed(line));
                }
            }
            _ => {
                fields.take(field.take(), out)?;
                let colon = line.iter().position(|byte| *byte == b':');
                field = colon.map(|at| (trimmed(&line[..at]), trimmed(&line[at + 1..]).into()));
            }
        }
    }
    fields.take(field, out)?;
    fields.into_head(status, minor)
}

/// Appends the end of the head.
pub(super) fn finish(head: &Head, out: &mut Vec<u8>) {
    match &head.framing {
        Framing::Nothing => {}
        Framing::Length(length) => _ = write!(out, "content-length: {length}\r\n"),
        Framing::Chunked(_) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // To awc, only an HTTP/1.0 body without a length ends with the connection.
        Framing::UntilClose => out[b"HTTP/1.".len()] = b'0',
    }
    if !head.is_reusable {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The fields about length and connection.
#[derive(Debug, Default)]
struct Fields {
    length: Option<u64>,
    /// Whether there is a `Transfer-Encoding`, and `chunked` is its last coding.
    chunked: Option<bool>,
    /// Why the length can't be determined.
    fault: Option<String>,
    closes: bool,
    keeps_alive: bool,
}

impl Fields {
    fn take(
        &mut self,
        field: Option<(&[u8], Cow<'_, [u8]>)>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let Some((name, value)) = field else {
            return Ok(());
        };
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("content-length") {
            self.take_length(&value);
        } else if is("transfer-encoding") {
            for coding in elements(&value) {
                let coding = coding
                    .split(|byte| *byte == b';')
                    .next()
                    .unwrap_or_default();
                // RFC 2616's word for no coding.
                if !trimmed(coding).eq_ignore_ascii_case(b"identity") {
                    self.chunked = Some(trimmed(coding).eq_ignore_ascii_case(b"chunked"));
                }
            }
        } else if is("connection") {
            for option in elements(&value) {
                self.closes |= option.eq_ignore_ascii_case(b"close");
                self.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if let Some(name) = USED.into_iter().find(|name| is(name)) {
            let value = percent_encode(&value[..value.len().min(MAX_VALUE)], ESCAPED);
            _ = write!(out, "{name}: {value}\r\n");
        }
        Ok(())
    }

    /// Repeated equal lengths count as one (§6.3, 5).
    fn take_length(&mut self, value: &[u8]) {
        let mut numbers = elements(value).peekable();
        if numbers.peek().is_none() {
            self.fault = Some("its Content-Length is empty".to_owned());
        }
        for number in numbers {
            let digits = || {
                number
                    .iter()
                    .map(|digit| u64::from(digit.wrapping_sub(b'0')))
            };
            if !digits().all(|digit| digit <= 9) {
                let number = number[..number.len().min(40)].escape_ascii();
                self.fault = Some(format!("its Content-Length is \"{number}\""));
                continue;
            }
            let length = digits().fold(0_u64, |sum, digit| {
                sum.saturating_mul(10).saturating_add(digit)
            });
            match self.length {
                Some(other) if other != length => {
                    self.fault = Some(format!("it has two lengths, {other} and {length}"));
                }
                _ => self.length = Some(length),
            }
        }
    }

    /// Applies RFC 9112 §6.3, in its order.
    fn into_head(self, status: u16, minor: u8) -> Result<Head, String> {
        let is_persistent = !self.closes && (minor > 0 || self.keeps_alive);
        let has_content = self.chunked.is_some() || self.length.is_some_and(|length| length > 0);
        let (framing, is_clean) = match (self.chunked, self.length) {
            // Never has a body. If the fields claim one, it may still come.
            _ if matches!(status, 204 | 304) => {
                (Framing::Nothing, !has_content && self.fault.is_none())
            }
            // With a length, or in HTTP/1.0, the framing is suspect.
            (Some(true), length) => {
                let is_clean = length.is_none() && self.fault.is_none() && minor > 0;
                (Framing::Chunked(Chunks::default()), is_clean)
            }
            (Some(false), _) => (Framing::UntilClose, false),
            (None, length) => match (self.fault, length) {
                (Some(fault), _) => return Err(fault),
                (None, Some(length)) => (Framing::Length(length), true),
                (None, None) => (Framing::UntilClose, false),
            },
        };
        Ok(Head {
            status,
            framing,
            is_reusable: is_persistent && is_clean,
        })
    }
}

/// Comma-separated elements (RFC 9110 §5.6.1).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let elements = value.split(|byte| *byte == b',').map(trimmed);
    elements.filter(|element| !element.is_empty())
}

/// Without surrounding whitespace; a bare CR counts as whitespace (§2.2).
fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

#[cfg(test)]
mod tests;
