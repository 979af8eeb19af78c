//! Shutdown of a pipeline by its handle.

use std::time::Duration;

use actix::MailboxError;

use super::{Influx, ShutdownGuard};
use crate::{ShutdownReport, Stats, actors::messages::Shutdown};

impl Influx {
    /// Stops recording, sends all pending measurements, and ends the pipeline when each is written,
    /// rejected or dropped, or `timeout` has passed. A second call waits for the first, or returns
    /// its report again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn shutdown(influx: &actix_influxdb::Influx) {
    /// let report = influx.shutdown(Duration::from_secs(10)).await;
    /// for (database, line) in report.undelivered_lines() {
    ///     print!("{database}: {line}"); // each line has its newline
    /// }
    /// # }
    /// ```
    pub async fn shutdown(&self, timeout: Duration) -> ShutdownReport {
        if self.0.shared.owner_process.is_forked() {
            return self.fork_report();
        }
        match self.0.actors.buffer.send(Shutdown { timeout }).await {
            Ok(report) => report,
            Err(MailboxError::Closed | MailboxError::Timeout) => self.end(),
        }
    }

    /// The report of a shutdown that has ended.
    fn end(&self) -> ShutdownReport {
        let shared = &self.0.shared;
        if !shared.has_actors() {
            shared.close();
        }
        shared.not_shut_down()
    }

    /// The report of a fork, in which any lock may be held forever: only the number of pending
    /// measurements is known without one.
    fn fork_report(&self) -> ShutdownReport {
        let undelivered = self.0.shared.pending();
        let mut stats = Stats {
            recorded: undelivered,
            ..Stats::default()
        };
        stats.dropped.undelivered = undelivered;
        ShutdownReport {
            undelivered,
            stats,
            ..ShutdownReport::default()
        }
    }

    /// Returns a guard that [shuts down](Self::shutdown) the pipeline when it is dropped, and
    /// blocks until it has ended. Keep it in `main`, so that nothing is lost however that ends.
    ///
    /// Give the guard a name: `let _ = influx.guard(…)` drops it at once. If the guard is dropped
    /// on a thread of this library (in a logger, for example), the shutdown begins without waiting.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use actix_influxdb::{Config, Influx};
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let influx = Influx::start(Config::from_env()?)?;
    ///     let _guard = influx.guard(Duration::from_secs(10));
    ///     // …
    ///     Ok(())
    /// }
    /// ```
    #[must_use = "a guard that is dropped at once ends delivery at once"]
    pub fn guard(&self, timeout: Duration) -> ShutdownGuard {
        ShutdownGuard {
            influx: self.clone(),
            timeout,
        }
    }
}
