//! What gives way when the buffer is full.

use std::str::FromStr;

use super::shown;
use crate::error::ConfigError;

/// What is dropped, and counted, when a measurement is recorded while the buffer is full.
///
/// Parsed from and printed as `drop_newest` and `drop_oldest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Overflow {
    /// The measurement being recorded: what led up to the outage is kept. The default.
    #[default]
    #[display("drop_newest")]
    DropNewest,
    /// The measurements that have waited longest: the most recent past is kept.
    #[display("drop_oldest")]
    DropOldest,
}

impl FromStr for Overflow {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        const ALLOWED: &str = "one of drop_newest, drop_oldest";
        let words = ["drop_newest", "drop_oldest", "spool"];
        let refused =
            |allowed: String| ConfigError::new("overflow", shown::word(text, &words), allowed);
        match text.to_ascii_lowercase().as_str() {
            "drop_newest" => Ok(Self::DropNewest),
            "drop_oldest" => Ok(Self::DropOldest),
            "spool" => Err(refused(format!(
                "{ALLOWED} (spool is not supported by this version)"
            ))),
            _ => Err(refused(ALLOWED.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_read_back_from_what_it_prints() {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            assert_eq!(overflow.to_string().parse(), Ok(overflow));
        }
    }

    #[test]
    fn the_spool_is_refused_as_not_supported_and_not_as_unknown() {
        assert_eq!(
            "spool".parse::<Overflow>().unwrap_err().to_string(),
            r#"overflow is "spool": one of drop_newest, drop_oldest (spool is not supported by this version)"#
        );
        assert_eq!(
            "drop_new".parse::<Overflow>().unwrap_err().to_string(),
            r#"overflow is [redacted]: one of drop_newest, drop_oldest"#
        );
    }
}
