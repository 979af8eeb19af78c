use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

#[cfg(feature = "testing")]
use std::sync::atomic::AtomicUsize;

use crate::{
    Api, Config, ConfigError, Delivery, DropReason, FlushReport, Health, HealthStatus, Precision,
    RecordError, ShutdownReport, Stats,
    actors::has_another_server,
    config::shown,
    endpoint::Endpoint,
    influx::process::OwnerProcess,
    influx::update_lock::{UpdateGuard, UpdateLock},
    ingest::{
        intake::{Intake, Recorded},
        settings::{Admission, IngestSettings},
    },
    logging,
    stats::{
        health::ServersSummary, ledger::Places, report::Ticket, server_states::ServerStates,
        spool::SpoolSnapshot,
    },
};

/// State shared by a handle and the actors of its pipeline.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) intake: Intake,
    pub(crate) health: ServerStates,
    config: Mutex<Arc<Config>>,
    pub(crate) update_lock: UpdateLock,
    pub(crate) spool: SpoolSnapshot,
    pub(crate) owner_process: OwnerProcess,
    /// Whether a measurement was logged that was recorded after the shutdown.
    late_logged: AtomicBool,
    /// Whether delivery was enabled at the start. Otherwise there are no actors, and never will be.
    has_actors: bool,
    end: Mutex<Option<ShutdownReport>>,
    ended: Condvar,
    /// Requests that the middleware has not recorded yet.
    #[cfg(feature = "testing")]
    pub(crate) open_requests: Arc<AtomicUsize>,
}

impl Shared {
    /// `config` must be valid.
    pub(crate) fn new(config: Config) -> Self {
        let has_actors = config.enabled;
        Self {
            intake: Intake::new(IngestSettings::new(&config, admission(&config))),
            config: Mutex::new(Arc::new(config)),
            health: ServerStates::default(),
            update_lock: UpdateLock::default(),
            spool: SpoolSnapshot::default(),
            owner_process: OwnerProcess::here(),
            late_logged: AtomicBool::new(false),
            has_actors,
            end: Mutex::new(None),
            ended: Condvar::new(),
            #[cfg(feature = "testing")]
            open_requests: Arc::default(),
        }
    }

    /// A snapshot of the ledger, with the health of endpoints and databases.
    pub(crate) fn stats(&self) -> Stats {
        let (endpoints, databases) = self.health.snapshot();
        let ledger = self.intake.stats();
        Stats {
            endpoints,
            databases,
            spool: self.spool.get(),
            health: self.health_with(&ledger),
            ..ledger
        }
    }

    /// The snapshot for the report passed to [`set_end`](Self::set_end).
    pub(crate) fn final_stats(&self) -> Stats {
        let mut stats = self.stats();
        stats.health.status = HealthStatus::Stopped;
        stats.health.recording = false;
        stats
    }

    /// Whether measurements arrive.
    pub(crate) fn health(&self) -> Health {
        if self.owner_process.is_forked() {
            // Any lock may be held forever.
            let buffered = self.pending();
            let places = Places {
                buffered,
                ..Places::default()
            };
            let status = Some(HealthStatus::Forked);
            return Health::new(status, ServersSummary::default(), buffered, places);
        }
        self.health_with(&self.intake.stats())
    }

    fn health_with(&self, ledger: &Stats) -> Health {
        let status = match self.intake.admission() {
            _ if self.end.lock().is_some() => Some(HealthStatus::Stopped),
            Admission::Open => None,
            Admission::Disabled => Some(HealthStatus::Disabled),
            Admission::Closed if !self.has_actors => Some(HealthStatus::Stopped),
            Admission::Closed => Some(HealthStatus::Stopping),
        };
        Health {
            spool: self.spool.get(),
            ..Health::new(status, self.health.servers(), ledger.pending, ledger.places)
        }
    }

    pub(crate) fn has_actors(&self) -> bool {
        self.has_actors
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.lock())
    }

    /// Changes the configuration that callers see. The buffer actor must be notified.
    ///
    /// While the program's closure runs, only the update lock is held: the closure may record, read
    /// the settings, log, or panic.
    pub(crate) fn update(&self, change: impl FnOnce(Config) -> Config) -> Result<(), ConfigError> {
        self.owner_process.refuse_if_forked()?;
        let update_lock = self.update_lock.take()?;
        self.change(change, &update_lock)
    }

    /// Like [`update`](Self::update), for a caller that holds the update lock.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(Config) -> Config,
        _: &UpdateGuard<'_>,
    ) -> Result<(), ConfigError> {
        let config = self.config();
        let changed = change(Config::clone(&config));
        changed.validate()?;
        if changed.precision != config.precision {
            return Err(ConfigError::new(
                "precision",
                format!("\"{}\"", changed.precision),
                format!(
                    "it can't be changed while delivery runs: pending measurements are encoded in {}",
                    config.precision
                ),
            ));
        }
        if changed.spool_dir != config.spool_dir {
            let folder = changed.spool_dir.as_deref().map(shown::folder);
            return Err(ConfigError::new(
                "spool_dir",
                format!("{:?}", folder.unwrap_or_default()),
                "it can't be changed while delivery runs",
            ));
        }
        let is_v1 = |config: &Config| config.api == Api::V1;
        if changed.precision == Precision::Microseconds && is_v1(&changed) != is_v1(&config) {
            return Err(ConfigError::new(
                "api",
                format!("\"{}\"", changed.api),
                format!(
                    "it can't be changed from {} while delivery runs with microseconds, which API v1 writes as \
                     nanoseconds",
                    config.api
                ),
            ));
        }
        if changed.enabled && !self.has_actors {
            return Err(ConfigError::new(
                "enabled",
                "true",
                "a pipeline that was started disabled can't be enabled, start a new one",
            ));
        }
        // Faults of files are only found by reading them.
        if self.has_actors && has_another_server(&config, &changed) {
            Endpoint::all(&changed)?;
        }
        // Both under the lock, so that a concurrent shutdown is not undone.
        let mut current = self.config.lock();
        self.intake.reconfigure(&changed, admission(&changed));
        *current = Arc::new(changed);
        Ok(())
    }

    /// Passes on the result of recording a measurement. The first one after the shutdown is logged
    /// on the thread that records it, as no other thread is left: the only line that a recording
    /// thread ever logs.
    #[inline]
    pub(crate) fn recorded(&self, result: Recorded) -> Result<(), RecordError> {
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                if *error == RecordError::Stopping {
                    self.log_late();
                }
                Err(*error)
            }
        }
    }

    /// Records a measurement with a ticket, and waits for its result.
    pub(crate) async fn deliver(&self, record: impl FnOnce(Ticket) -> Recorded) -> Delivery {
        if self.owner_process.is_forked() {
            return Delivery::Dropped {
                reason: DropReason::Forked,
            };
        }
        let (ticket, delivery) = Ticket::new();
        match self.recorded(record(ticket)) {
            Ok(()) => delivery.await,
            Err(error) => Delivery::Dropped {
                reason: DropReason::of(error),
            },
        }
    }

    #[cold]
    fn log_late(&self) {
        if !self.late_logged.swap(true, Ordering::Relaxed) {
            logging::warning!(
                "a measurement was recorded after the shutdown began: it is dropped, and so are all \
                 that follow (counted in Stats::dropped.stopping). Influx::shutdown was called, or \
                 a guard was dropped: `let _ = influx.guard(...)` drops it at once, \
                 `let _guard = influx.guard(...)` keeps it to the end of its block"
            );
        }
    }

    /// Number of pending measurements, read without a lock.
    pub(crate) fn pending(&self) -> u64 {
        self.intake.quota.lines() as u64
    }

    /// Stops recording.
    pub(crate) fn close(&self) {
        let config = self.config.lock();
        self.intake.reconfigure(&config, Admission::Closed);
    }

    /// The report of a flush if the buffer actor has ended before answering.
    pub(crate) fn not_flushed(&self) -> FlushReport {
        FlushReport {
            undelivered: self.intake.stats().pending,
            ..FlushReport::default()
        }
    }

    /// The report of a shutdown if the buffer actor has ended before answering.
    pub(crate) fn not_shut_down(&self) -> ShutdownReport {
        self.end().unwrap_or_else(|| ShutdownReport {
            undelivered: self.intake.stats().pending,
            stats: self.stats(),
            ..ShutdownReport::default()
        })
    }

    pub(crate) fn set_end(&self, report: ShutdownReport) {
        self.end.lock().get_or_insert(report);
        self.ended.notify_all();
    }

    pub(crate) fn end(&self) -> Option<ShutdownReport> {
        self.end.lock().clone()
    }

    /// Blocks until delivery has ended, or for `limit`. Returns whether it has ended.
    pub(crate) fn wait_for_end(&self, limit: Duration) -> bool {
        // `None` if the limit is too long for a deadline.
        let deadline = Instant::now().checked_add(limit);
        let mut end = self.end.lock();
        while end.is_none() {
            match deadline {
                None => self.ended.wait(&mut end),
                Some(deadline) => {
                    if self.ended.wait_until(&mut end, deadline).timed_out() {
                        return end.is_some();
                    }
                }
            }
        }
        true
    }
}

fn admission(config: &Config) -> Admission {
    match config.enabled {
        true => Admission::Open,
        false => Admission::Disabled,
    }
}
