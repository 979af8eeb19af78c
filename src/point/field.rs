use std::{borrow::Cow, time::Duration};

/// A typed field value, written the way the [line protocol] types it.
///
/// A string stays a string, and `true` is a boolean: no type is guessed from a text. Every Rust
/// primitive, strings and [`Duration`] (seconds) convert into a `FieldValue`, so that
/// [`Measurement::field`](crate::Measurement::field) takes them as they are.
///
/// ```
/// use std::time::Duration;
///
/// use actix_influxdb::FieldValue;
///
/// assert_eq!(FieldValue::from(7_i32), FieldValue::Integer(7));
/// assert_eq!(FieldValue::from("7"), FieldValue::String("7".into()));
/// assert_eq!(FieldValue::from(Duration::from_millis(1500)), FieldValue::Float(1.5));
/// ```
///
/// [line protocol]: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
#[derive(Clone, Debug, PartialEq)]
// Exhaustive: these are the types that the line protocol has.
pub enum FieldValue {
    /// A 64-bit float. A NaN or infinite field is left out, because it can't be written.
    Float(f64),
    /// A signed 64-bit integer, written with the suffix `i`.
    Integer(i64),
    /// An unsigned 64-bit integer. Written with the suffix `i`, and what is above [`i64::MAX`]
    /// clipped to it, unless [`Config::unsigned`](crate::Config::unsigned) is set: then with `u`.
    Unsigned(u64),
    /// `true` or `false`.
    Boolean(bool),
    /// A string, kept byte for byte.
    String(Cow<'static, str>),
}

macro_rules! from {
    ($($variant:ident: $($primitive:ty),+;)+) => {$($(
        impl From<$primitive> for FieldValue {
            #[inline]
            fn from(value: $primitive) -> Self {
                Self::$variant(value.into())
            }
        }
    )+)+};
}

from! {
    Float: f32, f64;
    Integer: i8, i16, i32, i64;
    Unsigned: u8, u16, u32, u64;
    Boolean: bool;
    String: &'static str, String, Cow<'static, str>;
}

/// Widened to 64 bits; on a machine with wider ones, clipped.
impl From<isize> for FieldValue {
    fn from(value: isize) -> Self {
        Self::from(value as i128)
    }
}

/// Widened to 64 bits; on a machine with wider ones, clipped.
impl From<usize> for FieldValue {
    fn from(value: usize) -> Self {
        Self::from(value as u128)
    }
}

/// InfluxDB has no 128-bit integers: what does not fit an [`i64`] is clipped.
impl From<i128> for FieldValue {
    fn from(value: i128) -> Self {
        Self::Integer(value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

/// InfluxDB has no 128-bit integers: what does not fit a [`u64`] is clipped.
impl From<u128> for FieldValue {
    fn from(value: u128) -> Self {
        Self::Unsigned(value.min(u64::MAX.into()) as u64)
    }
}

impl From<char> for FieldValue {
    fn from(value: char) -> Self {
        Self::String(value.to_string().into())
    }
}

/// Seconds.
impl From<Duration> for FieldValue {
    fn from(value: Duration) -> Self {
        Self::Float(value.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_primitive_becomes_the_type_it_is() {
        assert_eq!(FieldValue::from(1.5_f32), FieldValue::Float(1.5));
        assert_eq!(FieldValue::from(-1_i8), FieldValue::Integer(-1));
        assert_eq!(FieldValue::from(-1_isize), FieldValue::Integer(-1));
        assert_eq!(FieldValue::from(1_u16), FieldValue::Unsigned(1));
        assert_eq!(FieldValue::from(1_usize), FieldValue::Unsigned(1));
        assert_eq!(FieldValue::from(true), FieldValue::Boolean(true));
        assert_eq!(FieldValue::from('ä'), FieldValue::String("ä".into()));
    }

    #[test]
    fn a_string_stays_a_string_whatever_it_spells() {
        for text in ["7", "true", "1.5", "7i", ""] {
            assert_eq!(FieldValue::from(text), FieldValue::String(text.into()));
        }
    }

    #[test]
    fn integers_of_128_bits_are_clipped() {
        assert_eq!(FieldValue::from(i128::MIN), FieldValue::Integer(i64::MIN));
        assert_eq!(FieldValue::from(i128::MAX), FieldValue::Integer(i64::MAX));
        assert_eq!(FieldValue::from(u128::MAX), FieldValue::Unsigned(u64::MAX));
    }
}
