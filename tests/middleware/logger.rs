//! The process's logger: it keeps what the middleware logs, and panics if that is about a panic.

use std::sync::{Mutex, Once, PoisonError};

struct Logger;

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = format!("{} {}", record.level(), record.args());
        let panics = text.contains("panicked");
        LOGGED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
        assert!(!panics, "on purpose, in the logger");
    }

    fn flush(&self) {}
}

/// Begins to keep what is logged.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| log::set_logger(&Logger).unwrap());
    log::set_max_level(log::LevelFilter::Error);
}

/// What was logged that has `part` in it; other tests log too.
pub fn logged_with(part: &str) -> Vec<String> {
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let logged = logged.iter().filter(|text| text.contains(part));
    logged.cloned().collect()
}
