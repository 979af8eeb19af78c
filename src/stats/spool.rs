use std::{fmt, time::SystemTime};

use parking_lot::Mutex;

/// State of the spool: the folder for measurements that memory can't hold.
///
/// ```
/// # fn show(stats: &actix_influxdb::Stats) {
/// if let Some(spool) = &stats.spool {
///     println!("{} files of {} bytes, {}", spool.files, spool.bytes, spool.state);
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SpoolStats {
    /// Whether the spool is in use.
    pub state: SpoolState,
    /// Number of files.
    pub files: u64,
    /// Total bytes of these files.
    pub bytes: u64,
    /// When the newest measurement of the oldest file was recorded; `None` without a file.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::stats::rfc3339::serialize_option")
    )]
    pub oldest: Option<SystemTime>,
}

/// For example `open, 3 files of 4096 bytes`.
impl fmt::Display for SpoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            state,
            files,
            bytes,
            ..
        } = self;
        write!(f, "{state}, {files} files of {bytes} bytes")
    }
}

/// Whether a spool is in use.
///
/// ```
/// # use actix_influxdb::{SpoolState, Stats};
/// fn survives_an_outage(stats: &Stats) -> bool {
///     stats.spool.as_ref().is_some_and(|spool| spool.state == SpoolState::Open)
/// }
/// # let _ = survives_an_outage;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum SpoolState {
    /// The folder is being opened.
    #[default]
    #[display("opening")]
    Opening,
    /// In use.
    #[display("open")]
    Open,
    /// Another process uses the folder. Opened once it is free.
    #[display("taken")]
    Taken,
    /// The folder can't be opened or written: no space, no permission, no such folder. Tried again.
    #[display("failing")]
    Failing,
}

/// The spool's state as published by the buffer actor.
#[derive(Debug, Default)]
pub(crate) struct SpoolSnapshot(Mutex<Option<SpoolStats>>);

impl SpoolSnapshot {
    pub(crate) fn set(&self, stats: SpoolStats) {
        *self.0.lock() = Some(stats);
    }

    pub(crate) fn get(&self) -> Option<SpoolStats> {
        self.0.lock().clone()
    }
}
