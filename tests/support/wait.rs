//! Waiting for what another thread or process brings about.

use std::{
    thread,
    time::{Duration, Instant},
};

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
