//! The tables, one file each: they start the processes, and say what came out.

pub mod apps;
pub mod clients;
pub mod curves;
pub mod influxd;

use std::time::Duration;

/// For one process to do its part, on the slowest machine.
pub const TIMEOUT: Duration = Duration::from_secs(600);

/// A failure that costs a cell of a table, not the tables.
pub fn warn<T>(result: anyhow::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            eprintln!("not measured: {error:#}");
            None
        }
    }
}

/// Says on standard error what is going on: it takes minutes.
pub fn progress(what: &str) {
    eprintln!("… {what}");
}
