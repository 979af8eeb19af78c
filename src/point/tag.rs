use std::borrow::Cow;

/// The value of a tag, which is always a string.
///
/// Strings, integers, booleans and characters convert into a `TagValue`, written as [`ToString`]
/// writes them. Floats don't, on purpose: a tag whose value is a reading makes a series of every
/// reading.
///
/// ```
/// use actix_influxdb::TagValue;
///
/// assert_eq!(TagValue::from(200).as_str(), "200");
/// assert_eq!(TagValue::from(true).as_str(), "true");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagValue(pub(crate) Cow<'static, str>);

impl TagValue {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! from_text {
    ($($text:ty),+) => {$(
        impl From<$text> for TagValue {
            #[inline]
            fn from(value: $text) -> Self {
                Self(value.into())
            }
        }
    )+};
}

macro_rules! from_display {
    ($($primitive:ty),+) => {$(
        impl From<$primitive> for TagValue {
            fn from(value: $primitive) -> Self {
                Self(value.to_string().into())
            }
        }
    )+};
}

from_text!(&'static str, String, Cow<'static, str>);
from_display!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, char
);

impl From<bool> for TagValue {
    fn from(value: bool) -> Self {
        Self(if value { "true" } else { "false" }.into())
    }
}
