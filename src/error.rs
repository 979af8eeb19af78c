//! Errors, which say what is wrong, where, the value and what is allowed.

use std::borrow::Cow;

use crate::{
    Timestamp,
    printable::{LIMIT, printable, quoted},
};

/// A setting that can't be used.
///
/// The error names the setting (or its environment variable), the value and what is allowed. A
/// value that could be a misplaced credential is not repeated.
///
/// ```
/// use actix_influxdb::Config;
///
/// let error = Config::v1("http://localhost:8086").max_clients(0).validate().unwrap_err();
/// assert_eq!(error.setting, "max_clients");
/// assert_eq!(error.to_string(), "max_clients is 0: from 1 to 1000 requests");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[display("{setting} is {value}: {allowed}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The builder method or environment variable, for example `INFLUXDB_INTERVAL`.
    pub setting: Cow<'static, str>,
    /// The value, text in quotes; `[redacted]` if it is or may be a secret.
    pub value: String,
    /// The accepted values.
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
/// The loss is always counted in [`Stats::dropped`](crate::Stats::dropped), except for
/// [`NotInstalled`](Self::NotInstalled): a service may ignore the error without losing track.
///
/// ```
/// use actix_influxdb::{Config, Influx, Measurement, RecordError};
///
/// # let influx = Influx::start(Config::v1("http://127.0.0.1:9"))?;
/// let error = influx.record(Measurement::new("example", "login")).unwrap_err();
/// assert!(matches!(error, RecordError::NoFields { .. }));
/// assert!(error.is_invalid());
/// # Ok::<(), actix_influxdb::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// [`shutdown`](crate::Influx::shutdown) has begun: recording has stopped.
    #[display("the measurement was not recorded: delivery is stopping or has stopped")]
    Stopping,
    /// The limit on pending measurements is reached. The server is down, or slower than the program
    /// records.
    #[display(
        "the measurement was not recorded: {pending} of at most {limit} {unit} are pending \
         (raise {}, or find out why the server does not keep up)",
        unit.setting()
    )]
    #[non_exhaustive]
    BufferFull {
        /// Pending measurements or bytes, in `unit`.
        pending: usize,
        /// Maximum, in `unit`.
        limit: usize,
        /// The unit, which identifies the limit.
        unit: BufferUnit,
    },
    /// The measurement has no field that can be written. InfluxDB stores no point without a field.
    #[display(
        "measurement {} has no field that can be written: it needs at least one \
         (a NaN or infinite one does not count)",
        quoted(measurement)
    )]
    #[non_exhaustive]
    NoFields {
        /// The measurement's name.
        measurement: String,
    },
    /// A name or key that InfluxDB does not accept.
    #[display(
        "{kind} {} of measurement {} is not valid: {allowed}",
        quoted(name),
        quoted(measurement)
    )]
    #[non_exhaustive]
    InvalidName {
        /// The kind of the name.
        kind: NameKind,
        /// The name.
        name: String,
        /// The measurement's name.
        measurement: String,
        /// The accepted names.
        allowed: &'static str,
    },
    /// A timestamp outside the range that InfluxDB stores, in the configured
    /// [`precision`](crate::Config::precision).
    #[display(
        "timestamp {} of measurement {} is out of range: InfluxDB stores \
         -9223372036854775806 to 9223372036854775806 nanoseconds since 1970",
        timestamp.as_nanos(),
        quoted(measurement)
    )]
    #[non_exhaustive]
    InvalidTimestamp {
        /// The timestamp.
        timestamp: Timestamp,
        /// The measurement's name.
        measurement: String,
    },
    /// [`record`](crate::record) was called before [`Influx::install`](crate::Influx::install).
    #[display("the measurement was not recorded: no Influx is installed (see Influx::install)")]
    NotInstalled,
}

impl RecordError {
    /// Whether the measurement itself is at fault, so that recording it again fails again.
    pub fn is_invalid(&self) -> bool {
        matches!(
            self,
            Self::NoFields { .. } | Self::InvalidName { .. } | Self::InvalidTimestamp { .. }
        )
    }
}

/// The unit of a limit on pending measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum BufferUnit {
    /// Number of measurements: [`Config::max_buffer_size`](crate::Config::max_buffer_size).
    #[display("measurements")]
    Measurements,
    /// Bytes of their lines: [`Config::max_buffer_bytes`](crate::Config::max_buffer_bytes).
    #[display("bytes")]
    Bytes,
}

impl BufferUnit {
    /// Name of the setting that holds the limit.
    ///
    /// ```
    /// # use actix_influxdb::BufferUnit;
    /// assert_eq!(BufferUnit::Bytes.setting(), "max_buffer_bytes");
    /// ```
    pub fn setting(self) -> &'static str {
        match self {
            Self::Measurements => "max_buffer_size",
            Self::Bytes => "max_buffer_bytes",
        }
    }
}

/// What has an invalid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum NameKind {
    /// A database.
    #[display("database")]
    Database,
    /// A measurement.
    #[display("measurement")]
    Measurement,
    /// The key of a tag.
    #[display("tag key")]
    TagKey,
    /// The key of a field.
    #[display("field key")]
    FieldKey,
}

/// Why delivery did not start.
///
/// ```
/// use actix_influxdb::{Config, Influx, StartError};
///
/// let error = Influx::start(Config::v1("localhost:8086")).unwrap_err();
/// assert!(matches!(&error, StartError::Config(error) if error.setting == "url"));
/// ```
#[derive(Debug, derive_more::Display, derive_more::Error, derive_more::From)]
#[non_exhaustive]
pub enum StartError {
    /// A setting can't be used.
    // The text contains the whole error, so it is not a source.
    #[display("a setting can't be used: {_0}")]
    Config(#[error(not(source))] ConfigError),
    /// The thread for the actors could not be started: [`source`](std::error::Error::source) says why.
    #[from(skip)]
    #[display("the thread of the influx actors could not be started")]
    Thread(#[error(source)] std::io::Error),
    /// [`Influx::install`](crate::Influx::install) was called a second time. The first pipeline
    /// stays installed.
    #[from(skip)]
    #[display(
        "an Influx is installed already: Influx::installed() returns it (use Influx::start for \
         a second one)"
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
                unit: BufferUnit::Measurements,
            }),
            "the measurement was not recorded: 7 of at most 7 measurements are pending (raise \
             max_buffer_size, or find out why the server does not keep up)"
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
                kind: NameKind::TagKey,
                name: "a\nb".to_owned(),
                measurement: "m".to_owned(),
                allowed: "anything else",
            }),
            "tag key \"a\\nb\" of measurement \"m\" is not valid: anything else"
        );
        assert_eq!(
            text(RecordError::InvalidTimestamp {
                timestamp: Timestamp::from_nanos(i64::MAX),
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
            "an Influx is installed already: Influx::installed() returns it (use Influx::start for a \
             second one)"
        );
    }

    #[test]
    fn no_error_prints_its_source_and_returns_it_too() {
        use std::error::Error as _;

        let config = StartError::from(ConfigError::new("interval", "0ns", "from 1 ms"));
        assert!(config.source().is_none());
        let thread = StartError::Thread(std::io::Error::other("no more threads"));
        assert_eq!(thread.source().unwrap().to_string(), "no more threads");
        assert!(!thread.to_string().contains("no more threads"));
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
                kind: NameKind::Database,
                name: long.clone(),
                measurement: long.clone(),
                allowed: "anything else",
            }
            .to_string(),
            RecordError::InvalidTimestamp {
                timestamp: Timestamp::from_nanos(1),
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
