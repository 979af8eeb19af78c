//! What gives way when the buffer is full.

use std::str::FromStr;

use super::shown;
use crate::error::ConfigError;

/// Which measurement is dropped when one is recorded while the buffer is full. Dropped measurements are
/// counted in [`Stats::dropped`](crate::Stats::dropped).
///
/// Parsed from and printed as `drop_newest` and `drop_oldest`.
///
/// ```
/// use actix_influxdb::{Config, Overflow};
///
/// let config = Config::default().overflow(Overflow::DropOldest);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Overflow {
    /// The measurement that is being recorded: those from the beginning of an outage are kept. The
    /// default. (A database that has less than its share of the buffer may record all the same, and
    /// measurements of others are evicted.)
    #[default]
    #[display("drop_newest")]
    DropNewest,
    /// The oldest pending measurements: the most recent ones are kept.
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
