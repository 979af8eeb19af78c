pub(crate) mod own_thread;
pub(crate) mod process;
pub(crate) mod series;
pub(crate) mod shared;
pub(crate) mod turn;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix::{Addr, MailboxError, Recipient};

use crate::{
    Config, ConfigError, Delivery, Event, FlushReport, Measurement, PingError, RecordError,
    ServerInfo, ShutdownReport, StartError, Stats,
    actors::{
        self, Addresses, IngestActor,
        messages::{Flush, Ping, Shutdown, Subscribe, internal::Reconfigure},
    },
    influx::shared::Shared,
    logging,
    printable::{LIMIT, printable},
};

/// How long the last handle's drop leaves for delivery, where [`Influx::shutdown`] was not called.
const DROP_TIMEOUT: Duration = Duration::from_secs(30);

/// What a timeout may be late by.
const GRACE: Duration = Duration::from_millis(250);

static INSTALLED: OnceLock<Influx> = OnceLock::new();

/// A handle to the pipeline that delivers measurements. Clones are handles to the same one.
///
/// The pipeline runs on a thread of its own. It ends by [`shutdown`](Self::shutdown), by a
/// [`guard`](Self::guard), or in the background, with 30 s for what is pending, when the last
/// handle is dropped. When the process ends before, what is pending is lost: keep a guard in
/// `main`.
///
/// ```no_run
/// use std::time::Duration;
///
/// use actix_influxdb::{Config, Influx, Measurement};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let influx = Influx::start(Config::from_env()?)?;
/// let _guard = influx.guard(Duration::from_secs(10));
/// influx.record(Measurement::new("example", "login").tag("method", "oauth").field("ms", 12.5))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Influx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    actors: Addresses,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let timeout = DROP_TIMEOUT;
        self.actors.buffer.do_send(Shutdown { timeout });
    }
}

impl Influx {
    /// Starts a pipeline. Works with and without a running actix `System`.
    ///
    /// With [`Config::enabled`] off it starts nothing, and measurements are only counted.
    ///
    /// A process that forks to daemonize has to do so *before* this: a fork has none of its
    /// parent's threads, so nothing is delivered from it. There, [`flush`](Self::flush),
    /// [`shutdown`](Self::shutdown) and a guard return at once and one ERROR in the log says why;
    /// what is recorded is kept, up to the buffer's limit.
    ///
    /// # Errors
    ///
    /// A setting can't be used, or the thread could not be started. That the server is not there
    /// is no error: see [`ping`](Self::ping).
    pub fn start(config: Config) -> Result<Self, StartError> {
        config.validate()?;
        for warning in config.origin.warnings() {
            logging::warning!("{}", printable(warning, LIMIT));
        }
        let summary = config.summary();
        let shared = Arc::new(Shared::new(config));
        let actors = match shared.has_actors() {
            true => actors::start(&shared)?,
            false => Addresses::of_nobody(),
        };
        logging::info!("{summary}");
        Ok(Self(Arc::new(Inner { shared, actors })))
    }

    /// Starts a pipeline that [`record`](crate::record) and [`installed`](Self::installed) find
    /// from anywhere in the process.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); and [`StartError::AlreadyInstalled`] the second time.
    pub fn install(config: Config) -> Result<Self, StartError> {
        if INSTALLED.get().is_some() {
            return Err(StartError::AlreadyInstalled);
        }
        let influx = Self::start(config)?;
        // If another thread was faster, this one has recorded nothing and ends at once.
        INSTALLED
            .set(influx.clone())
            .map_err(|_| StartError::AlreadyInstalled)?;
        Ok(influx)
    }

    /// The one that was [installed](Self::install).
    pub fn installed() -> Option<Self> {
        INSTALLED.get().cloned()
    }

    /// Records a measurement: it is encoded and left for delivery. Never waits.
    ///
    /// A batch is sent when [`trigger_size`](Config::trigger_size) measurements wait, or
    /// [`interval`](Config::interval) after the first one that waits.
    ///
    /// # Errors
    ///
    /// The measurement is not recorded if it is invalid, if as much is pending as may be, or after
    /// shutdown. Either way it is counted in [`stats`](Self::stats).
    #[inline]
    pub fn record(&self, measurement: Measurement) -> Result<(), RecordError> {
        let shared = &self.0.shared;
        shared.recorded(shared.intake.take(measurement, None))
    }

    /// Records a measurement and waits for what becomes of it: at most the
    /// [`interval`](Config::interval) and one answer of the server, or for as long as the server
    /// does not take it. Dropping the future changes nothing for the measurement.
    pub async fn deliver(&self, measurement: Measurement) -> Delivery {
        let shared = &self.0.shared;
        shared
            .deliver(|ticket| shared.intake.take(measurement, Some(ticket)))
            .await
    }

    /// Sends all that is pending, and waits until everything that was recorded before the call is
    /// settled, but no longer than `timeout`. What is not settled by then stays pending.
    pub async fn flush(&self, timeout: Duration) -> FlushReport {
        if self.0.shared.home.is_elsewhere() {
            return FlushReport {
                undelivered: self.0.shared.pending(),
                ..FlushReport::default()
            };
        }
        let report = self.0.actors.buffer.send(Flush { timeout }).await;
        report.unwrap_or_else(|_| self.0.shared.not_flushed())
    }

    /// Takes nothing more, sends all that is pending, and ends: when everything is settled, or
    /// when `timeout` has passed. A second call waits for the end of the first, or gives its
    /// report again.
    pub async fn shutdown(&self, timeout: Duration) -> ShutdownReport {
        if self.0.shared.home.is_elsewhere() {
            return self.end_elsewhere();
        }
        match self.0.actors.buffer.send(Shutdown { timeout }).await {
            Ok(report) => report,
            Err(MailboxError::Closed | MailboxError::Timeout) => self.end(),
        }
    }

    /// The report of an end that has come.
    fn end(&self) -> ShutdownReport {
        let shared = &self.0.shared;
        if !shared.has_actors() {
            shared.close();
        }
        shared.not_shut_down()
    }

    /// The report of a fork, in which any lock may be taken for ever: all that is known without
    /// one is how much was pending.
    fn end_elsewhere(&self) -> ShutdownReport {
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

    /// A guard that does what [`shutdown`](Self::shutdown) does, blocking, when it is dropped:
    /// for `main`, so that nothing is lost however it ends.
    ///
    /// Give it a name: `let _ = influx.guard(…)` drops it at once. On a thread of this library (its
    /// own logger's call, say) the drop begins the shutdown and does not wait for it.
    #[must_use = "a guard that is dropped at once ends delivery at once"]
    pub fn guard(&self, timeout: Duration) -> ShutdownGuard {
        ShutdownGuard {
            influx: self.clone(),
            timeout,
        }
    }

    /// A snapshot of the ledger: how many measurements were recorded, and what became of each.
    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// Returns the configuration in force.
    ///
    /// [`Config::settings`] reads the single settings. `Debug` and all getters leave secrets out, but the
    /// configuration has them: it can start another pipeline.
    ///
    /// ```no_run
    /// # fn show(influx: &actix_influxdb::Influx) {
    /// let config = influx.config();
    /// println!("at most {} requests at a time", config.settings().max_clients());
    /// # }
    /// ```
    pub fn config(&self) -> Config {
        Config::clone(&self.0.shared.config())
    }

    /// Changes settings while delivery runs. Callers see limits, tags and the like at once; what is sent
    /// follows from the next batch on.
    ///
    /// ```no_run
    /// # fn rotate(influx: actix_influxdb::Influx) -> Result<(), actix_influxdb::ConfigError> {
    /// influx.update(|config| config.password("new").max_clients(4))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A setting can't be used: then nothing is changed. What was started with
    /// [`Config::enabled`] off can't be enabled. An update inside the closure of another one is an
    /// error; one from another thread waits until this one is done. A closure that panics changes
    /// nothing.
    pub fn update(&self, change: impl FnOnce(Config) -> Config) -> Result<(), ConfigError> {
        self.0.shared.update(change)?;
        self.0.actors.buffer.do_send(Reconfigure);
        Ok(())
    }

    /// Asks the server whether it is there, and for its version.
    ///
    /// # Errors
    ///
    /// The server does not answer, or not as one that takes line protocol does: another status than 2xx, a
    /// redirect, a web page, another protocol. [`PingError`] says which, and what to do.
    pub async fn ping(&self) -> Result<ServerInfo, PingError> {
        if self.0.shared.home.is_elsewhere() {
            return Err(PingError::Stopped);
        }
        let info = self.0.actors.buffer.send(Ping).await;
        info.unwrap_or(Err(PingError::Stopped))
    }

    /// Sends every [`Event`](crate::Event) from now on to `subscriber`, in order, the next one when
    /// it has handled the one before. One that is slow or dead never slows delivery: at most
    /// 10,000 events or 8 MiB of them wait for it, and it is told how many it
    /// [missed](crate::Event::Missed).
    ///
    /// ```
    /// use actix::prelude::*;
    /// use actix_influxdb::{Event, Influx};
    ///
    /// struct Watch;
    ///
    /// impl Actor for Watch {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Event> for Watch {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, event: Event, _: &mut Context<Self>) {
    ///         if let Event::Rejected { line, reason, .. } = event {
    ///             eprintln!("{reason}: {line}");
    ///         }
    ///     }
    /// }
    ///
    /// fn watch(influx: &Influx) {
    ///     influx.subscribe(Watch.start().recipient());
    /// }
    /// ```
    pub fn subscribe(&self, subscriber: Recipient<Event>) {
        self.0.actors.buffer.do_send(Subscribe(subscriber));
    }

    /// The address for [`Measurement`]s as messages, from any actor of any thread. The other
    /// messages of this library can be sent to it too: [`Deliver`](crate::Deliver),
    /// [`Flush`](crate::Flush), [`Shutdown`](crate::Shutdown), [`GetStats`](crate::GetStats),
    /// [`Ping`](crate::Ping), [`Update`](crate::Update) and [`Subscribe`](crate::Subscribe).
    ///
    /// Messages are handled in order, so a [`Flush`](crate::Flush) covers what the same actor sent
    /// before it. The methods of this handle do not wait behind them: [`flush`](Self::flush) and
    /// [`shutdown`](Self::shutdown) cover what was sent to the address before as well, but leave it
    /// no more than a quarter of their timeout.
    ///
    /// `do_send` **has no bound**: whoever sends more than one core encodes (about a million
    /// measurements per second) fills the mailbox, at some hundred bytes each, until memory is
    /// used up. Delivery goes on meanwhile. Bounded are [`record`](Self::record), by
    /// [`max_buffer_size`](Config::max_buffer_size), which is also faster and returns its error;
    /// and `try_send`, by 1,024 messages: an error gives the measurement back.
    ///
    /// What was sent, and not yet taken, when shutdown begins is counted as dropped
    /// ([`stopping`](crate::Dropped::stopping)), as far as that takes no more than a second. What
    /// is sent after the end reaches nobody, and is not counted.
    pub fn addr(&self) -> Addr<IngestActor> {
        self.0.actors.ingest.clone()
    }
}

/// Shuts delivery down when it is dropped, and waits for it. See [`Influx::guard`].
#[derive(Debug)]
pub struct ShutdownGuard {
    influx: Influx,
    timeout: Duration,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        let Inner { shared, actors } = &*self.influx.0;
        if shared.home.is_elsewhere() {
            return;
        }
        let timeout = self.timeout;
        actors.buffer.do_send(Shutdown { timeout });
        // What is to end would wait for itself.
        if !shared.has_actors() || own_thread::is_here() {
            return;
        }
        if !shared.wait_for_end(timeout.saturating_add(GRACE)) {
            let pending = shared.pending();
            logging::error!(
                "delivery has not ended within {timeout:?}, {pending} measurements are pending: \
                 its thread is busy with something else, a logger that blocks perhaps"
            );
        }
    }
}

/// Records a measurement with the [installed](Influx::install) pipeline.
///
/// # Errors
///
/// As [`Influx::record`]; and [`RecordError::NotInstalled`].
#[inline]
pub fn record(measurement: Measurement) -> Result<(), RecordError> {
    match INSTALLED.get() {
        Some(influx) => influx.record(measurement),
        None => Err(RecordError::NotInstalled),
    }
}
