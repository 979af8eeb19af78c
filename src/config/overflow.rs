//! Measurements to drop when the buffer is full.

use std::str::FromStr;

use super::shown;
use crate::error::ConfigError;

/// Which measurements are dropped when one is recorded while the buffer is full. Dropped
/// measurements are counted in [`Stats::dropped`](crate::Stats::dropped).
///
/// Parsed from and printed as `drop_newest`, `drop_oldest` and `spool`.
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
    /// default. (A database that has less than its share of the buffer may still record, and
    /// measurements of other databases are evicted.)
    #[default]
    #[display("drop_newest")]
    DropNewest,
    /// The oldest pending measurements: the most recent ones are kept.
    #[display("drop_oldest")]
    DropOldest,
    /// None, as long as there is disk space: the oldest pending measurements go to the
    /// [spool](crate::Config::spool_dir), the most recent ones stay in memory. If the disk fails or
    /// is full, this is [`DropOldest`](Self::DropOldest); if it is too slow, measurements beyond
    /// 110 % of the buffer's limit are refused.
    #[display("spool")]
    Spool,
}

impl FromStr for Overflow {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let words = ["drop_newest", "drop_oldest", "spool"];
        match text.to_ascii_lowercase().as_str() {
            "drop_newest" => Ok(Self::DropNewest),
            "drop_oldest" => Ok(Self::DropOldest),
            "spool" => Ok(Self::Spool),
            _ => Err(ConfigError::new(
                "overflow",
                shown::word(text, &words),
                "one of drop_newest, drop_oldest, spool",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_read_back_from_what_it_prints() {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Spool] {
            assert_eq!(overflow.to_string().parse(), Ok(overflow));
        }
    }

    #[test]
    fn another_word_is_refused_with_those_that_are_allowed() {
        assert_eq!(
            "drop_new".parse::<Overflow>().unwrap_err().to_string(),
            r#"overflow is [redacted]: one of drop_newest, drop_oldest, spool"#
        );
    }
}
