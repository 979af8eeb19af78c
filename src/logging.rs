//! The crate's log macros. They call [`log`] and catch panics of the program's logger, which must
//! not affect the pipeline, or a thread that is unwinding.

use std::{
    fmt::Arguments,
    panic::{AssertUnwindSafe, catch_unwind},
};

use log::Level;

/// Target of this crate's log records.
const TARGET: &str = "actix_influxdb";

/// Whether this level is enabled. Calls no logger, so it can't panic.
#[inline]
pub(crate) fn is_enabled(level: Level) -> bool {
    level <= log::STATIC_MAX_LEVEL && level <= log::max_level()
}

/// Passes a record to the program's logger.
#[cold]
pub(crate) fn log(level: Level, message: Arguments<'_>) {
    let log = || log::log!(target: TARGET, level, "{message}");
    if let Err(payload) = catch_unwind(AssertUnwindSafe(log)) {
        // Dropping it could panic too.
        std::mem::forget(payload);
    }
}

macro_rules! log_at {
    ($level:expr, $($arguments:tt)+) => {
        if $crate::logging::is_enabled($level) {
            $crate::logging::log($level, format_args!($($arguments)+));
        }
    };
}

macro_rules! error {
    ($($arguments:tt)+) => { $crate::logging::log_at!(log::Level::Error, $($arguments)+) };
}

macro_rules! warning {
    ($($arguments:tt)+) => { $crate::logging::log_at!(log::Level::Warn, $($arguments)+) };
}

macro_rules! info {
    ($($arguments:tt)+) => { $crate::logging::log_at!(log::Level::Info, $($arguments)+) };
}

macro_rules! debug {
    ($($arguments:tt)+) => { $crate::logging::log_at!(log::Level::Debug, $($arguments)+) };
}

pub(crate) use {debug, error, info, log_at, warning};
