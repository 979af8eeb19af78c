//! Encodings of a newline in a string field.

use std::str::FromStr;

use super::shown;
use crate::error::ConfigError;

/// How a newline in a string field is sent.
///
/// Parsed from and printed as `escape` and `raw`.
///
/// ```
/// use actix_influxdb::{Config, StringNewlines};
///
/// let config = Config::default().string_newlines(StringNewlines::Raw);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum StringNewlines {
    /// As a backslash and an `n`, which is also what a query returns. The default, safe for every
    /// server.
    #[default]
    #[display("escape")]
    Escape,
    /// As a newline, for servers that accept it, such as InfluxDB. VictoriaMetrics before 1.112
    /// splits the line there, and stores the second half as a point if it is valid.
    #[display("raw")]
    Raw,
}

impl FromStr for StringNewlines {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "escape" => Ok(Self::Escape),
            "raw" => Ok(Self::Raw),
            _ => Err(ConfigError::new(
                "string_newlines",
                shown::word(text, &["escape", "raw"]),
                "one of escape, raw",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_read_back_from_what_it_prints() {
        for newlines in [StringNewlines::Escape, StringNewlines::Raw] {
            assert_eq!(newlines.to_string().parse(), Ok(newlines));
        }
        assert_eq!(
            "escaped".parse::<StringNewlines>().unwrap_err().to_string(),
            r#"string_newlines is "escaped": one of escape, raw"#
        );
    }
}
