//! A parsed line.

use std::{collections::BTreeMap, fmt};

/// A point as stored in the database: names and strings without escapes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The measurement's name.
    pub measurement: String,
    /// The tags, sorted by key.
    pub tags: BTreeMap<String, String>,
    /// The fields, sorted by key. A repeated field has its last value, as in InfluxDB.
    pub fields: BTreeMap<String, Value>,
    /// Nanoseconds since 1970, in any precision of the write; `None` if the line had no timestamp.
    pub timestamp: Option<i64>,
    /// The retention policy of the request (`rp=`), if any.
    pub retention_policy: Option<String>,
    /// The line as it arrived, without its line end. Invalid UTF-8 is replaced by U+FFFD, here and
    /// above.
    pub line: String,
}

impl Point {
    /// Returns the value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// Returns the value of a field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// The identity of a point in InfluxDB, except its timestamp; length-prefixed, because names
    /// may contain any character.
    pub(super) fn series_key(&self) -> Vec<u8> {
        let rp = self.retention_policy.as_deref().unwrap_or_default();
        let tags = self
            .tags
            .iter()
            .flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        let mut series = Vec::with_capacity(self.line.len() + 32);
        for part in [rp, self.measurement.as_str()].into_iter().chain(tags) {
            series.extend_from_slice(&part.len().to_le_bytes());
            series.extend_from_slice(part.as_bytes());
        }
        series
    }
}

/// The value of a field.
///
/// Its `Display` is the format of line protocol: `1.5`, `7i`, `7u`, `true`, `"text"`.
///
/// ```
/// use actix_influxdb::testing::Value;
///
/// assert_eq!(Value::from(12.5).as_float(), Some(12.5));
/// assert_eq!(Value::from(7_i64).to_string(), "7i");
/// ```
#[derive(Clone, Debug, PartialEq)]
// Exhaustive: the types of line protocol.
pub enum Value {
    /// A 64-bit float: `1.5`.
    Float(f64),
    /// A signed integer: `7i`.
    Integer(i64),
    /// An unsigned integer: `7u`, only accepted by v2 and v3.
    Unsigned(u64),
    /// `true` or `false`, in any of the forms of line protocol.
    Boolean(bool),
    /// A string, without quotes and escapes.
    String(String),
}

impl Value {
    /// Returns the number, if the value is a float.
    pub fn as_float(&self) -> Option<f64> {
        if let Self::Float(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// Returns the number, if the value is a signed integer.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// Returns the text, if the value is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// The type's name in InfluxDB's messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer(_) => "integer",
            Self::Unsigned(_) => "unsigned",
            Self::Boolean(_) => "boolean",
            Self::String(_) => "string",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}i"),
            Self::Unsigned(value) => write!(f, "{value}u"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::String(value) => {
                write!(
                    f,
                    "\"{}\"",
                    value.replace('\\', "\\\\").replace('"', "\\\"")
                )
            }
        }
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_in_line_protocol() {
        let printed = [
            Value::from(1.5),
            Value::from(-7_i64),
            Value::from(7_u64),
            Value::from(true),
            Value::from(r#"a "b" \"#),
        ]
        .map(|value| value.to_string());
        assert_eq!(printed, ["1.5", "-7i", "7u", "true", r#""a \"b\" \\""#]);
    }
}
