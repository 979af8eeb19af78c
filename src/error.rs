//! What can go wrong, said so that it can be mended: what, where, which value, what is allowed.

use std::borrow::Cow;

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
        Self {
            setting: setting.into(),
            value: value.into(),
            allowed: allowed.into(),
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
        "measurement {measurement:?} has no field that can be written: it needs at least one \
         (a NaN or infinite one does not count)"
    )]
    NoFields {
        /// The measurement's name.
        measurement: String,
    },
    /// A name or key that InfluxDB does not take.
    #[display("{kind} {name:?} of measurement {measurement:?} is not valid: {allowed}")]
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
        "timestamp {timestamp} of measurement {measurement:?} is out of range: InfluxDB stores \
         -9223372036854775806 to 9223372036854775806 nanoseconds since 1970"
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
