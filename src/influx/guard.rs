use std::time::Duration;

use super::{Influx, Inner, own_thread};
use crate::{actors::messages::Shutdown, logging};

/// Time that a shutdown may exceed its timeout by.
const GRACE: Duration = Duration::from_millis(250);

/// A guard that shuts down its pipeline when it is dropped, and waits for that. Returned by
/// [`Influx::guard`].
///
/// ```
/// use std::time::Duration;
///
/// use actix_influxdb::{Config, Influx, ShutdownGuard};
///
/// fn start(config: Config) -> Result<(Influx, ShutdownGuard), actix_influxdb::StartError> {
///     let influx = Influx::start(config)?;
///     let guard = influx.guard(Duration::from_secs(10));
///     Ok((influx, guard))
/// }
/// # let _ = start;
/// ```
#[derive(Debug)]
pub struct ShutdownGuard {
    pub(super) influx: Influx,
    pub(super) timeout: Duration,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        let Inner { shared, actors } = &*self.influx.0;
        if shared.owner_process.is_forked() {
            return;
        }
        let timeout = self.timeout;
        actors.buffer.do_send(Shutdown { timeout });
        // The thread that delivers would wait for itself.
        if !shared.has_actors() || own_thread::is_here() {
            return;
        }
        if !shared.wait_for_end(timeout.saturating_add(GRACE)) {
            let pending = shared.pending();
            logging::error!(
                "delivery has not ended within {timeout:?}, {pending} measurements are pending: \
                 its thread is blocked, perhaps by a logger"
            );
        }
    }
}
