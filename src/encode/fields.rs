use super::{LineBuffer, invalid, text::Part};
use crate::{
    FieldValue, NameKind, RecordError,
    point::measurement::{Contents, Key},
};

/// How field values are written, by the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldFormat {
    /// Write `u64` as such, with the suffix `u`?
    pub(super) unsigned: bool,
    /// What a string escapes.
    pub(super) string: Part,
}

const NOT_EMPTY_NOT_TIME: &str = "it must not be empty, nor `time`, the timestamp's own name";

/// The error of a field key that [can't be written](is_writable).
#[cold]
pub(super) fn invalid_key(measurement: &str, key: &str) -> RecordError {
    invalid(NameKind::FieldKey, measurement, key, NOT_EMPTY_NOT_TIME)
}

#[cold]
pub(super) fn no_fields(measurement: &str) -> RecordError {
    let measurement = measurement.to_owned();
    RecordError::NoFields { measurement }
}

#[inline(always)]
pub(super) fn is_writable(key: &Key) -> bool {
    !key.is_empty() && !key.is_time()
}

impl FieldFormat {
    /// To be kept in an atomic.
    pub(crate) fn to_bits(self) -> u8 {
        u8::from(self.unsigned) | u8::from(self.string == Part::RawString) << 1
    }

    #[inline]
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self {
            unsigned: bits & 1 != 0,
            string: match bits & 2 {
                0 => Part::String,
                _ => Part::RawString,
            },
        }
    }

    /// Appends a measurement's fields, and the blank before them.
    #[inline]
    pub(crate) fn push_fields(
        self,
        point: &Contents,
        line: &mut LineBuffer,
    ) -> Result<(), RecordError> {
        let mut separator = b' ';
        for part in point.fields.parts() {
            for (key, value) in part {
                if !is_writable(key) {
                    return Err(invalid_key(&point.name, key.as_str()));
                }
                if value.is_writable() {
                    push_key(line, separator, key);
                    self.push_value(line, value);
                    separator = b',';
                }
            }
        }
        match separator {
            b',' => Ok(()),
            _ => Err(no_fields(&point.name)),
        }
    }

    #[inline(always)]
    pub(super) fn push_value(self, line: &mut LineBuffer, value: &FieldValue) {
        match *value {
            FieldValue::Float(value) => line.push_float(value),
            FieldValue::Integer(value) => line.push_integer(value, b'i'),
            FieldValue::Unsigned(value) => self.push_unsigned(line, value),
            FieldValue::Boolean(value) => line.push_boolean(value),
            FieldValue::String(ref value) => self.push_string(line, value),
        }
    }

    #[inline]
    pub(crate) fn push_unsigned(self, line: &mut LineBuffer, value: u64) {
        if self.unsigned {
            line.push_unsigned(value, b'u');
        } else {
            line.push_unsigned(value.min(i64::MAX as u64), b'i');
        }
    }

    #[inline(never)]
    pub(crate) fn push_string(self, line: &mut LineBuffer, value: &str) {
        line.push(b'"');
        line.push_text(value.as_bytes(), self.string);
        line.push(b'"');
    }
}

impl FieldValue {
    /// NaN and the infinities have no text that servers take.
    #[inline(always)]
    pub(super) fn is_writable(&self) -> bool {
        !matches!(self, Self::Float(float) if !float.is_finite())
    }
}

/// The key, and an equals sign.
#[inline(always)]
pub(super) fn push_key(line: &mut LineBuffer, separator: u8, key: &Key) {
    match key.is_plain() {
        true => line.push_key(separator, key.as_str().as_bytes(), key.first_bytes()),
        false => push_odd_key(line, separator, key),
    }
}

#[cold]
fn push_odd_key(line: &mut LineBuffer, separator: u8, key: &Key) {
    line.push(separator);
    line.push_text(key.as_str().as_bytes(), Part::Key);
    line.push(b'=');
}

/// What the crate's own fields are written by.
#[cfg(feature = "middleware")]
impl LineBuffer {
    /// Appends a key that goes out as it is, and an equals sign.
    #[inline(always)]
    pub(crate) fn push_literal_key(&mut self, separator: u8, key: &'static str) {
        let first = super::words::first_word(key.as_bytes());
        self.push_key(separator, key.as_bytes(), first.to_le_bytes());
    }

    /// Appends seconds as decimals, which costs less than the shortest digits of a float, and says
    /// the same.
    #[inline]
    pub(crate) fn push_seconds(&mut self, value: std::time::Duration) {
        let (seconds, nanoseconds) = (value.as_secs(), value.subsec_nanos());
        let mut text = *b"0.000000000";
        let eight = super::words::eight_digits(u64::from(nanoseconds / 10));
        text[2..10].copy_from_slice(&eight.to_le_bytes());
        text[10] = b'0' + (nanoseconds % 10) as u8;
        let zeros = text[3..].iter().rev().take_while(|digit| **digit == b'0');
        let len = text.len() - zeros.count();
        if seconds == 0 {
            self.push_all(&text[..len]);
        } else {
            self.push_unsigned(seconds, b'.');
            self.push_all(&text[2..len]);
        }
    }
}

#[cfg(all(test, feature = "middleware"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn seconds_are_decimals_that_read_as_the_duration() {
        let written = |value: Duration| {
            let mut line = LineBuffer::default();
            line.push_seconds(value);
            String::from_utf8(line.into_bytes()).unwrap()
        };
        for (value, text) in [
            (Duration::ZERO, "0.0"),
            (Duration::from_nanos(1), "0.000000001"),
            (Duration::from_millis(1_500), "1.5"),
            (Duration::from_secs(12), "12.0"),
            (Duration::new(3_600, 20_000_000), "3600.02"),
            (Duration::from_nanos(123_456_789), "0.123456789"),
        ] {
            assert_eq!(written(value), text);
            assert_eq!(text.parse::<f64>().unwrap(), value.as_secs_f64());
        }
        assert_eq!(written(Duration::MAX), "18446744073709551615.999999999");
    }
}
