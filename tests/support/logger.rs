//! The process's logger: it keeps what the crate logs.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    thread,
};

use log::{Level, LevelFilter, Log, Metadata, Record};

#[derive(Debug, PartialEq)]
pub struct Line {
    pub level: Level,
    /// The name of the thread that logged it; empty if it has none.
    pub thread: String,
    pub text: String,
}

/// Begins to keep what is logged.
///
/// # Panics
///
/// If it was called before.
pub fn install(level: LevelFilter) {
    log::set_logger(&Logger).expect("no other logger");
    log::set_max_level(level);
}

/// What was logged since the last call.
pub fn take() -> Vec<Line> {
    mem::take(&mut LINES.lock().unwrap_or_else(PoisonError::into_inner))
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "actix_influxdb"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = Line {
                level: record.level(),
                thread: thread::current().name().unwrap_or_default().to_owned(),
                text: record.args().to_string(),
            };
            let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line);
        }
    }

    fn flush(&self) {}
}
