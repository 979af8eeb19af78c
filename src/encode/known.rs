//! Lines of which the series part (name and tags) is known already: it is written once per series,
//! and copied into every line.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Encoder, LineBuffer, digits::padded};
use crate::{
    Measurement, RecordError, Timestamp,
    encode::text::{Part, first_word, is_plain},
};

/// Tells an encoder from every other one of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncoderId(u64);

impl EncoderId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Encoder {
    /// Which one it is: a series part fits only the encoder that has made it.
    pub(crate) fn id(&self) -> EncoderId {
        self.id
    }

    /// The series part of the measurement's line.
    pub(crate) fn encode_series(&self, measurement: &Measurement) -> Result<Vec<u8>, RecordError> {
        let mut line = LineBuffer::default();
        super::push_name(&mut line, &measurement.0)?;
        self.push_tags(&mut line, &measurement.0)?;
        Ok(line.into_bytes())
    }

    /// Begins a line with a series part that this encoder has made.
    #[inline]
    pub(crate) fn begin<'a>(&self, series: &[u8], line: &'a mut LineBuffer) -> KnownLine<'_, 'a> {
        line.push_all(series);
        KnownLine {
            encoder: self,
            line,
            separator: b' ',
        }
    }
}

/// A line whose series part is written. It needs a field, and ends with [`end`](Self::end).
///
/// Keys are the crate's own, so they hold nothing to be escaped.
#[derive(Debug)]
pub(crate) struct KnownLine<'e, 'a> {
    encoder: &'e Encoder,
    line: &'a mut LineBuffer,
    separator: u8,
}

impl KnownLine<'_, '_> {
    #[inline(always)]
    fn key(&mut self, key: &'static str) {
        debug_assert!(!key.is_empty() && is_plain(key, Part::Key), "{key:?}");
        let first = first_word(key.as_bytes()).to_le_bytes();
        self.line.push_key(self.separator, key.as_bytes(), first);
        self.separator = b',';
    }

    /// As decimals, which costs less than the shortest digits of a float, and says the same.
    #[inline(always)]
    pub(crate) fn seconds(&mut self, key: &'static str, value: Duration) {
        self.key(key);
        let (seconds, nanoseconds) = (value.as_secs(), value.subsec_nanos());
        let mut text = *b"0.000000000";
        let eight = padded(u64::from(nanoseconds / 10));
        text[2..10].copy_from_slice(&eight.to_le_bytes());
        text[10] = b'0' + (nanoseconds % 10) as u8;
        let zeros = text[3..].iter().rev().take_while(|digit| **digit == b'0');
        let len = text.len() - zeros.count();
        if seconds == 0 {
            self.line.push_bytes(&text[..len]);
        } else {
            self.line.push_unsigned(seconds, b'.');
            self.line.push_bytes(&text[2..len]);
        }
    }

    /// It has to be finite.
    #[inline(always)]
    pub(crate) fn float(&mut self, key: &'static str, value: f64) {
        debug_assert!(value.is_finite());
        self.key(key);
        self.line.push_float(value);
    }

    #[inline(always)]
    pub(crate) fn unsigned(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.encoder.push_unsigned(self.line, value);
    }

    /// It has to be UTF-8.
    #[inline(always)]
    pub(crate) fn string(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        self.line.push(b'"');
        self.line.push_text(value, self.encoder.string);
        self.line.push(b'"');
    }

    /// A string of characters that are not to be escaped.
    #[inline(always)]
    pub(crate) fn plain_string(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        self.line.push(b'"');
        self.line.push_bytes(value);
        self.line.push(b'"');
    }

    #[inline]
    pub(crate) fn end(self, timestamp: Timestamp) {
        debug_assert!(self.separator == b',', "a line needs a field");
        self.line
            .push_end(self.encoder.precision.from_nanos(timestamp.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;

    #[test]
    fn seconds_are_decimals_that_read_as_the_duration() {
        let encoder = Encoder::new([], Precision::Nanoseconds, false);
        let written = |value: Duration| {
            let mut buffer = LineBuffer::default();
            let mut line = encoder.begin(b"m", &mut buffer);
            line.seconds("s", value);
            line.end(Timestamp::from_nanos(1));
            String::from_utf8(buffer.into_bytes()).unwrap()
        };
        for (value, text) in [
            (Duration::ZERO, "0.0"),
            (Duration::from_nanos(1), "0.000000001"),
            (Duration::from_millis(1_500), "1.5"),
            (Duration::from_secs(12), "12.0"),
            (Duration::new(3_600, 20_000_000), "3600.02"),
            (Duration::from_nanos(123_456_789), "0.123456789"),
        ] {
            assert_eq!(written(value), format!("m s={text} 1\n"));
            assert_eq!(text.parse::<f64>().unwrap(), value.as_secs_f64());
        }
        let longest = written(Duration::MAX);
        assert_eq!(longest, "m s=18446744073709551615.999999999 1\n");
    }
}
