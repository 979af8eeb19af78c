//! The process-wide pipeline.

use std::sync::OnceLock;

use super::Influx;
#[cfg(feature = "testing")]
use super::here;
use crate::{Config, Measurement, RecordError, StartError};

static INSTALLED: OnceLock<Influx> = OnceLock::new();

impl Influx {
    /// Starts a pipeline that [`record`](crate::record) and [`installed`](Self::installed) use from
    /// anywhere in the process.
    ///
    /// ```
    /// use actix_influxdb::{Config, Influx, Measurement};
    ///
    /// let influx = Influx::install(Config::v1("http://localhost:8086"))?;
    /// actix_influxdb::record(Measurement::new("example", "login").field("ms", 12.5))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Self::start), and [`StartError::AlreadyInstalled`] the second time.
    pub fn install(config: Config) -> Result<Self, StartError> {
        if INSTALLED.get().is_some() {
            return Err(StartError::AlreadyInstalled);
        }
        let influx = Self::start(config)?;
        // If another thread was faster, this one ends at once; it has recorded nothing.
        INSTALLED
            .set(influx.clone())
            .map_err(|_| StartError::AlreadyInstalled)?;
        Ok(influx)
    }

    /// Returns the [installed](Self::install) handle, if any.
    ///
    /// ```
    /// if let Some(influx) = actix_influxdb::Influx::installed() {
    ///     println!("{}", influx.stats());
    /// }
    /// ```
    pub fn installed() -> Option<Self> {
        with_installed(Self::clone)
    }
}

/// Records a measurement with the [installed](Influx::install) pipeline.
///
/// ```
/// use actix_influxdb::{Measurement, RecordError, record};
///
/// let login = Measurement::new("example", "login").field("ms", 12.5);
/// assert_eq!(record(login), Err(RecordError::NotInstalled));
/// ```
///
/// # Errors
///
/// The errors of [`Influx::record`], and [`RecordError::NotInstalled`].
#[inline]
pub fn record(measurement: Measurement) -> Result<(), RecordError> {
    let recorded = with_installed(|influx| influx.record(measurement));
    recorded.unwrap_or(Err(RecordError::NotInstalled))
}

/// Uses the installed pipeline; in tests that of this thread, if any.
#[inline]
pub(super) fn with_installed<T>(use_it: impl FnOnce(&Influx) -> T) -> Option<T> {
    #[cfg(feature = "testing")]
    if let Some(influx) = here::here() {
        return Some(use_it(&influx));
    }
    INSTALLED.get().map(use_it)
}
