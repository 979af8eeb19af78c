//! Waiting for what another thread or process brings about.

use std::{
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{Influx, Stats};

use super::pipeline::LONG;

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until `condition` holds; says whether it did within `timeout`.
#[must_use]
pub fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until a pipeline's ledger, which adds up all the time, is as `is_so` says, and returns it.
pub fn until(influx: &Influx, what: &str, is_so: impl Fn(&Stats) -> bool) -> Stats {
    let holds = wait_until(LONG, || {
        let stats = influx.stats();
        assert!(stats.balanced(), "{stats}");
        is_so(&stats)
    });
    assert!(holds, "not in time: {what}: {:?}", influx.stats());
    influx.stats()
}
