//! The unit of the timestamps that are sent.

use std::str::FromStr;

use crate::{Timestamp, config::shown, error::ConfigError};

/// The unit of the timestamps that are sent to the server.
///
/// Measurements are stamped in nanoseconds, each stamp once per process. Anything coarser makes
/// smaller requests, but two points of one series in one unit of time then overwrite each other
/// in the database.
///
/// Parsed from and printed as `ns`, `us`, `ms` and `s`.
///
/// ```
/// use actix_influxdb::{Config, Precision};
///
/// let config = Config::default().precision(Precision::Milliseconds);
/// assert_eq!(config.settings().precision().to_string(), "ms");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Precision {
    /// `ns`, the default: the only unit in which timestamps stay unique.
    #[default]
    #[display("ns")]
    Nanoseconds,
    /// `us`, microseconds.
    #[display("us")]
    Microseconds,
    /// `ms`, milliseconds.
    #[display("ms")]
    Milliseconds,
    /// `s`, seconds.
    #[display("s")]
    Seconds,
}

impl Precision {
    /// The time in this unit; or none, if InfluxDB does not store it once it is rounded to the unit. The
    /// server multiplies it again, so what is rounded towards the past may leave the range.
    #[inline]
    pub(crate) fn stored(self, timestamp: Timestamp) -> Option<i64> {
        let rounded = self.from_nanos(timestamp.0);
        let sent = Timestamp(rounded.checked_mul(self.nanoseconds())?);
        (timestamp.is_storable() && sent.is_storable()).then_some(rounded)
    }

    /// One of this unit.
    #[inline]
    fn nanoseconds(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }

    /// Nanoseconds since 1970 in this unit, rounded towards the past, before 1970 as well.
    #[expect(
        clippy::wrong_self_convention,
        reason = "it is nanoseconds that it comes from, and `self` is what it goes to"
    )]
    #[inline]
    pub(crate) fn from_nanos(self, ns: i64) -> i64 {
        match self {
            Self::Nanoseconds => ns,
            Self::Microseconds => ns.div_euclid(1_000),
            Self::Milliseconds => ns.div_euclid(1_000_000),
            Self::Seconds => ns.div_euclid(1_000_000_000),
        }
    }
}

impl FromStr for Precision {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "ns" => Ok(Self::Nanoseconds),
            "us" => Ok(Self::Microseconds),
            "ms" => Ok(Self::Milliseconds),
            "s" => Ok(Self::Seconds),
            _ => Err(ConfigError::new(
                "precision",
                shown::word(text, &["ns", "us", "ms", "s"]),
                "one of ns, us, ms, s",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_back_from_what_it_prints() {
        for precision in [
            Precision::Nanoseconds,
            Precision::Microseconds,
            Precision::Milliseconds,
            Precision::Seconds,
        ] {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
    }

    #[test]
    fn another_unit_is_an_error_that_names_it_and_what_is_allowed() {
        let error = "min".parse::<Precision>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"precision is "min": one of ns, us, ms, s"#
        );
    }

    #[test]
    fn a_time_that_leaves_the_range_when_it_is_rounded_is_not_stored() {
        let first = Timestamp(i64::MIN + 2);
        assert!(Precision::Nanoseconds.stored(first).is_some());
        for precision in [
            Precision::Microseconds,
            Precision::Milliseconds,
            Precision::Seconds,
        ] {
            assert!(precision.stored(first).is_none(), "{precision}");
            assert!(
                precision
                    .stored(Timestamp(i64::MIN + 1_000_000_000))
                    .is_some(),
                "{precision}"
            );
            assert!(
                precision.stored(Timestamp(i64::MAX - 1)).is_some(),
                "{precision}"
            );
            assert_eq!(precision.stored(Timestamp(i64::MAX)), None, "{precision}");
        }
        let last_refused = Timestamp(i64::MIN + 1);
        assert_eq!(Precision::Nanoseconds.stored(last_refused), None);
    }

    #[test]
    fn a_timestamp_is_rounded_towards_the_past_even_before_1970() {
        let ns = 1_500_000_000;
        assert_eq!(Precision::Nanoseconds.from_nanos(ns), ns);
        assert_eq!(Precision::Microseconds.from_nanos(ns), 1_500_000);
        assert_eq!(Precision::Milliseconds.from_nanos(ns), 1_500);
        assert_eq!(Precision::Seconds.from_nanos(ns), 1);
        assert_eq!(Precision::Seconds.from_nanos(-ns), -2);
        assert_eq!(Precision::Microseconds.from_nanos(-1), -1);
        assert_eq!(Precision::Nanoseconds.from_nanos(i64::MIN), i64::MIN);
    }
}
