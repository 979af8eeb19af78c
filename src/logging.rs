//! The crate's log macros. They go to [`log`], and contain a panic of the program's logger: it
//! must not take the pipeline, or a thread that is unwinding, with it.

use std::{
    fmt::Arguments,
    panic::{AssertUnwindSafe, catch_unwind},
};

use log::Level;

/// Target of all log records of this crate.
const TARGET: &str = "actix_influxdb";

/// Is a record of this level wanted? Asks no logger, so it can't panic.
#[inline]
pub(crate) fn is_enabled(level: Level) -> bool {
    level <= log::STATIC_MAX_LEVEL && level <= log::max_level()
}

/// Hands a record to the program's logger.
#[cold]
pub(crate) fn log(level: Level, message: Arguments<'_>) {
    let log = || log::log!(target: TARGET, level, "{message}");
    if let Err(payload) = catch_unwind(AssertUnwindSafe(log)) {
        // Its drop may panic too.
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
