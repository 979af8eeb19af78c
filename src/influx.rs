mod guard;
#[cfg(feature = "testing")]
pub(crate) mod here;
mod installed;
pub(crate) mod own_thread;
pub(crate) mod process;
#[cfg(feature = "testing")]
pub(crate) mod registry;
pub(crate) mod series;
pub(crate) mod shared;
mod shutdown;
pub(crate) mod update_lock;

use std::{sync::Arc, time::Duration};

use actix::{Addr, Recipient};

use self::installed::with_installed;
pub use self::{guard::ShutdownGuard, installed::record};

use crate::{
    Config, ConfigError, Delivery, Event, FlushReport, Health, Measurement, PingError, RecordError,
    ServerInfo, StartError, Stats,
    actors::{
        self, Addresses, IngestActor,
        messages::{Flush, Ping, Shutdown, Subscribe, internal::Reconfigure},
    },
    influx::shared::Shared,
    logging,
    printable::{LIMIT, printable},
};

/// Timeout of the shutdown after the last handle is dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(30);

/// A handle to a pipeline that delivers measurements. Clones are handles to the same pipeline.
///
/// The pipeline runs on its own thread. It is shut down by [`shutdown`](Self::shutdown), by a
/// [`guard`](Self::guard), or, when the last handle is dropped, in the background with a timeout of
/// 30 s. Measurements still pending when the process ends are lost: keep a guard in `main`.
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
    /// With [`Config::enabled`] off no thread is started, and measurements are only counted.
    ///
    /// A process that forks to daemonize must call this *after* the fork: a fork has none of its
    /// parent's threads, so it delivers nothing. In a fork, [`flush`](Self::flush),
    /// [`shutdown`](Self::shutdown) and a guard return at once, and one ERROR in the log says why;
    /// measurements are kept, up to the buffer's limit.
    ///
    /// ```
    /// use actix_influxdb::{Config, Influx};
    ///
    /// let influx = Influx::start(Config::v1("http://localhost:8086").max_clients(4))?;
    /// # Ok::<(), actix_influxdb::StartError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting can't be used ([`StartError::Config`]), or the thread could not be started
    /// ([`StartError::Thread`]). An unreachable server is not an error: see [`ping`](Self::ping).
    pub fn start(config: Config) -> Result<Self, StartError> {
        config.validate()?;
        for warning in config.origin.warnings() {
            logging::warning!("{}", printable(warning, LIMIT));
        }
        let summary = config.summary();
        let accepts_anybody = config.enabled && config.danger_accept_invalid_certs;
        let shared = Arc::new(Shared::new(config));
        #[cfg(feature = "testing")]
        registry::add(&shared);
        let actors = match shared.has_actors() {
            true => actors::start(&shared)?,
            false => Addresses::without_actors(),
        };
        logging::info!("{summary}");
        if accepts_anybody {
            logging::error!(
                "danger_accept_invalid_certs is set: any certificate of the server is accepted, so anyone on the network \
                 path can read and change what is sent, including the credentials"
            );
        }
        Ok(Self(Arc::new(Inner { shared, actors })))
    }

    /// Records a measurement: encodes it into the calling thread's buffer. Never waits.
    ///
    /// Buffered measurements are sent when their number reaches
    /// [`trigger_size`](Config::trigger_size), or [`interval`](Config::interval) after the first of
    /// them.
    ///
    /// ```
    /// # use actix_influxdb::{Influx, Measurement};
    /// # fn login(influx: &Influx) {
    /// let login = Measurement::new("example", "login").tag("method", "oauth").field("ms", 12.5);
    /// if let Err(error) = influx.record(login) {
    ///     log::debug!("{error}"); // counted anyway
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the measurement is invalid, a limit on pending measurements is reached, or shutdown has
    /// begun: see [`RecordError`]. [`stats`](Self::stats) counts the measurement as dropped.
    #[inline]
    pub fn record(&self, measurement: Measurement) -> Result<(), RecordError> {
        let shared = &self.0.shared;
        shared.recorded(shared.intake.take(measurement, None))
    }

    /// Records a measurement and waits until it is written, rejected or dropped.
    ///
    /// Takes up to the [`interval`](Config::interval) and one response of the server, or as long as
    /// the server accepts no measurements. Dropping the future doesn't affect the measurement.
    ///
    /// ```
    /// # use actix_influxdb::{Delivery, Influx, Measurement};
    /// # async fn order(influx: &Influx) -> bool {
    /// let order = Measurement::new("example", "order").field("price", 9.9);
    /// influx.deliver(order).await == Delivery::Written
    /// # }
    /// ```
    pub async fn deliver(&self, measurement: Measurement) -> Delivery {
        let shared = &self.0.shared;
        shared
            .deliver(|ticket| shared.intake.take(measurement, Some(ticket)))
            .await
    }

    /// Sends all pending measurements. Waits until each that was recorded before the call is
    /// written, rejected or dropped, or `timeout` has passed. The others stay pending.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn flush(influx: &actix_influxdb::Influx) {
    /// let report = influx.flush(Duration::from_secs(5)).await;
    /// if !report.is_complete() {
    ///     log::warn!("{} measurements are still pending", report.undelivered);
    /// }
    /// # }
    /// ```
    pub async fn flush(&self, timeout: Duration) -> FlushReport {
        if self.0.shared.owner_process.is_forked() {
            return FlushReport {
                undelivered: self.0.shared.pending(),
                ..FlushReport::default()
            };
        }
        let report = self.0.actors.buffer.send(Flush { timeout }).await;
        report.unwrap_or_else(|_| self.0.shared.not_flushed())
    }

    /// Returns a snapshot of the ledger: how many measurements were recorded, and how they ended.
    ///
    /// ```
    /// # fn show(influx: &actix_influxdb::Influx) {
    /// let stats = influx.stats();
    /// println!("{stats}; dropped: {}", stats.dropped);
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// Returns whether measurements arrive, and if not, since when and why. Sends no request:
    /// everything is known from previous ones.
    ///
    /// Intended for a page or a log, not for a decision to restart: the program is alive while its
    /// database is down, and a restart loses pending measurements. `examples/health.rs` serves it
    /// at `/healthz`.
    ///
    /// ```
    /// # fn show(influx: &actix_influxdb::Influx) {
    /// let health = influx.health();
    /// println!("{health}"); // down: 12 pending for 3s, nothing was stored yet; http://…
    /// for database in &health.databases_down {
    ///     println!("{}: {}", database.database, database.outage.reason);
    /// }
    /// # }
    /// ```
    pub fn health(&self) -> Health {
        self.0.shared.health()
    }

    /// Returns the configuration in force.
    ///
    /// Use [`Config::settings`] to read single settings. `Debug` and all getters omit secrets, but
    /// the configuration contains them and can start another pipeline.
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

    /// Changes settings while delivery runs. Limits, base tags and other settings of recording
    /// apply from the next measurement, everything else from the next batch.
    ///
    /// ```no_run
    /// # fn rotate(influx: actix_influxdb::Influx) -> Result<(), actix_influxdb::ConfigError> {
    /// influx.update(|config| config.password("new").max_clients(4))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting can't be used; then nothing is changed. A pipeline started with
    /// [`Config::enabled`] off can't be enabled, and [`precision`](Config::precision) can't be
    /// changed. An update within the closure of another update is an error; one from another thread
    /// waits for the first. A closure that panics changes nothing.
    pub fn update(&self, change: impl FnOnce(Config) -> Config) -> Result<(), ConfigError> {
        self.0.shared.update(change)?;
        self.0.actors.buffer.do_send(Reconfigure);
        Ok(())
    }

    /// Asks the server for its version.
    ///
    /// ```
    /// # async fn check(influx: &actix_influxdb::Influx) {
    /// match influx.ping().await {
    ///     Ok(server) => println!("{} runs version {:?}", server.url, server.version),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server does not answer, or not like a server for line protocol: a status other than
    /// 2xx, a redirect, a web page, another protocol. [`PingError`] says which, and what to do.
    pub async fn ping(&self) -> Result<ServerInfo, PingError> {
        if self.0.shared.owner_process.is_forked() {
            return Err(PingError::Stopped);
        }
        let info = self.0.actors.buffer.send(Ping).await;
        info.unwrap_or(Err(PingError::Stopped))
    }

    /// Sends every [`Event`](crate::Event) from now on to `subscriber`, in order, each when the
    /// subscriber has handled the previous one. A slow or dead subscriber never slows delivery: at
    /// most 10,000 events or 8 MiB are queued for it, and [`Missed`](crate::Event::Missed) tells
    /// how many were dropped.
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

    /// Returns the address that accepts [`Measurement`]s as messages, from any actor on any thread,
    /// and the other [`messages`](crate::messages) of this library.
    ///
    /// ```
    /// # fn login(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::Measurement;
    ///
    /// influx.addr().do_send(Measurement::new("example", "login").field("ok", true));
    /// # }
    /// ```
    ///
    /// Messages are handled in order, so a [`Flush`](crate::messages::Flush) covers what the same
    /// actor sent before. This handle's [`flush`](Self::flush) and [`shutdown`](Self::shutdown)
    /// also cover earlier messages, but wait for them at most a quarter of their timeout.
    ///
    /// `do_send` **is unbounded**: a program that sends more than one core encodes (about a million
    /// measurements per second) fills the mailbox, at some hundred bytes per message, until memory
    /// is exhausted. Delivery continues meanwhile. [`record`](Self::record) is bounded by
    /// [`max_buffer_size`](Config::max_buffer_size), is faster, and returns its error; `try_send`
    /// is bounded by 1,024 messages, and its error returns the measurement.
    ///
    /// Measurements still in the mailbox when shutdown begins are counted as dropped
    /// ([`stopping`](crate::Dropped::stopping)), for at most a second. Measurements sent after the
    /// end are not counted.
    pub fn addr(&self) -> Addr<IngestActor> {
        self.0.actors.ingest.clone()
    }
}
