//! What can go wrong, said so that it can be mended: what, where, which value, what is allowed.

use std::borrow::Cow;

use crate::printable::{LIMIT, printable, quoted};

/// A setting that can't be used.
///
/// It names the setting (or the environment variable it came from), the value that was found and
/// what is allowed. A value that could be a credential in the wrong place is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[display("{setting} is {value}: {allowed}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The builder method or environment variable, for example `INFLUXDB_INTERVAL`.
    pub setting: Cow<'static, str>,
    /// What was found, text in quotes; `[redacted]` for a secret, and for what may be one.
    pub value: String,
    /// What would have been accepted.
    pub allowed: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(
        setting: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (value, allowed) = (value.into(), allowed.into());
        Self {
            setting: setting.into(),
            value: printable(&value, LIMIT).into_owned(),
            allowed: match printable(&allowed, LIMIT) {
                Cow::Borrowed(_) => allowed,
                Cow::Owned(cut) => cut.into(),
            },
        }
    }
}

/// Why a measurement was not recorded.
///
/// Whatever the reason, the loss is counted in [`Stats::dropped`](crate::Stats::dropped): a
/// service may ignore the error without losing track.
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// [`shutdown`](crate::Influx::shutdown) has begun: nothing is taken any more.
    #[display("the measurement was not recorded: delivery is stopping or has stopped")]
    Stopping,
    /// As much is pending as may be. The server is down, or slower than the measurements come.
    #[display(
        "the measurement was not recorded: {pending} of at most {limit} {unit} are pending \
         (raise {setting}, or see why the server does not keep up)"
    )]
    BufferFull {
        /// How much was pending.
        pending: usize,
        /// How much may be.
        limit: usize,
        /// `measurements` or `bytes`.
        unit: &'static str,
        /// The setting that holds the limit.
        setting: &'static str,
    },
    /// There is no field left to write. InfluxDB stores no point without one.
    #[display(
        "measurement {} has no field that can be written: it needs at least one \
         (a NaN or infinite one does not count)",
        quoted(measurement)
    )]
    NoFields {
        /// The measurement's name.
        measurement: String,
    },
    /// A name or key that InfluxDB does not take.
    #[display(
        "{kind} {} of measurement {} is not valid: {allowed}",
        quoted(name),
        quoted(measurement)
    )]
    InvalidName {
        /// What it names: `database`, `measurement`, `tag key` or `field key`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The measurement's name.
        measurement: String,
        /// What would have been accepted.
        allowed: &'static str,
    },
    /// A timestamp outside the range that InfluxDB stores.
    #[display(
        "timestamp {timestamp} of measurement {} is out of range: InfluxDB stores \
         -9223372036854775806 to 9223372036854775806 nanoseconds since 1970",
        quoted(measurement)
    )]
    InvalidTimestamp {
        /// The timestamp, in nanoseconds since 1970.
        timestamp: i64,
        /// The measurement's name.
        measurement: String,
    },
    /// [`record`](crate::record) was called before [`Influx::install`](crate::Influx::install).
    #[display("the measurement was not recorded: no Influx is installed (see Influx::install)")]
    NotInstalled,
}

impl RecordError {
    /// Is the measurement itself at fault, so that recording it again fails again?
    pub fn is_invalid(&self) -> bool {
        matches!(
            self,
            Self::NoFields { .. } | Self::InvalidName { .. } | Self::InvalidTimestamp { .. }
        )
    }
}

/// Why delivery did not start.
#[derive(Debug, derive_more::Display, derive_more::Error, derive_more::From)]
#[non_exhaustive]
pub enum StartError {
    /// A setting can't be used.
    #[display("a setting can't be used: {_0}")]
    Config(ConfigError),
    /// The thread for the actors could not be started.
    #[display("the thread of the influx actors could not be started: {_0}")]
    Thread(std::io::Error),
    /// [`Influx::install`](crate::Influx::install) was called a second time. The first one stays.
    #[from(skip)]
    #[display(
        "an Influx is installed already: it stays, and Influx::installed() returns it \
         (use Influx::start for a second one)"
    )]
    AlreadyInstalled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_says_what_is_wrong_and_what_to_do() {
        let text = |error: RecordError| error.to_string();
        assert_eq!(
            text(RecordError::Stopping),
            "the measurement was not recorded: delivery is stopping or has stopped"
        );
        assert_eq!(
            text(RecordError::BufferFull {
                pending: 7,
                limit: 7,
                unit: "measurements",
                setting: "max_buffer_size",
            }),
            "the measurement was not recorded: 7 of at most 7 measurements are pending (raise \
             max_buffer_size, or see why the server does not keep up)"
        );
        assert_eq!(
            text(RecordError::NoFields {
                measurement: "m\u{202e}".to_owned()
            }),
            "measurement \"m\\u{202e}\" has no field that can be written: it needs at least one \
             (a NaN or infinite one does not count)"
        );
        assert_eq!(
            text(RecordError::InvalidName {
                kind: "tag key",
                name: "a\nb".to_owned(),
                measurement: "m".to_owned(),
                allowed: "anything else",
            }),
            "tag key \"a\\nb\" of measurement \"m\" is not valid: anything else"
        );
        assert_eq!(
            text(RecordError::InvalidTimestamp {
                timestamp: i64::MAX,
                measurement: "m".to_owned()
            }),
            "timestamp 9223372036854775807 of measurement \"m\" is out of range: InfluxDB stores \
             -9223372036854775806 to 9223372036854775806 nanoseconds since 1970"
        );
        assert_eq!(
            text(RecordError::NotInstalled),
            "the measurement was not recorded: no Influx is installed (see Influx::install)"
        );
        assert_eq!(
            StartError::from(ConfigError::new("interval", "0ns", "from 1 ms")).to_string(),
            "a setting can't be used: interval is 0ns: from 1 ms"
        );
        assert_eq!(
            StartError::AlreadyInstalled.to_string(),
            "an Influx is installed already: it stays, and Influx::installed() returns it (use \
             Influx::start for a second one)"
        );
    }

    #[test]
    fn every_error_is_one_bounded_line_whatever_it_repeats() {
        let long = "x\r\n\u{1b}[2J".repeat(100_000);
        let errors = [
            RecordError::NoFields {
                measurement: long.clone(),
            }
            .to_string(),
            RecordError::InvalidName {
                kind: "database",
                name: long.clone(),
                measurement: long.clone(),
                allowed: "anything else",
            }
            .to_string(),
            RecordError::InvalidTimestamp {
                timestamp: 1,
                measurement: long.clone(),
            }
            .to_string(),
            ConfigError::new("url", long.clone(), long).to_string(),
        ];
        for error in errors {
            assert!(error.chars().count() < 3 * LIMIT, "{error}");
            assert!(!error.contains(char::is_control), "{error}");
        }
    }
}
