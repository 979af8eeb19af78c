//! Owns every measurement from the thread buffers until it is settled, and decides which batch is
//! sent when.
//!
//! Messages are in `handlers.rs`. No state lives in a future: a batch in flight stays in the
//! [`Backlog`](crate::delivery::backlog::Backlog).

mod advice;
mod alarms;
mod barrier;
mod creation;
mod delivery;
mod draining;
mod files;
mod first_contact;
mod handlers;
mod notifications;
mod outages;
mod ping_back;
mod rejections;
mod reports;
mod self_measuring;
mod sending;
mod spool;
mod undelivered;
mod updating;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Recipient, SpawnHandle, System};

use self::{
    alarms::Alarms, creation::Creations, draining::Interval, files::WatchedFiles, outages::Outages,
    rejections::Rejections, reports::PendingReports, self_measuring::SelfMeasuring, spool::Spool,
};
use super::{
    budget::Budget,
    messages::internal::{Barrier, Isolate},
    pool::Pool,
    subscribers::Subscribers,
};
use crate::{
    Config,
    batch::BatchLimits,
    config::Files,
    delivery::{backlog::Leftover, contacts::Contacts, dispatcher::Dispatcher},
    endpoint::{Endpoint, Http, Identity},
    influx::shared::Shared,
    ingest::QuotaLimits,
    logging,
};

/// Starts a replay actor, initially and when one has died.
pub(crate) type StartReplay = Box<dyn Fn() -> Recipient<Isolate>>;

/// Time for subscribers to handle queued events at the end.
const LAST_EVENTS: Duration = Duration::from_millis(100);

/// Time at the end in which messages in the mailbox of `addr()` are counted as dropped.
const LAST_MESSAGES: Duration = Duration::from_secs(1);

/// The actor that owns all batches.
pub(crate) struct BufferActor {
    shared: Arc<Shared>,
    /// The configuration in force here; [`Shared`] may be one message ahead.
    config: Arc<Config>,
    limits: QuotaLimits,
    dispatcher: Dispatcher,
    /// Indexed by the dispatcher's endpoint numbers.
    endpoints: Vec<Endpoint>,
    http: Http,
    writers: Pool,
    replay: Recipient<Isolate>,
    start_replay: StartReplay,
    /// Set while thread buffers are not empty.
    interval: Option<Interval>,
    /// Timer and its time, while only a breaker or a later time prevents sending.
    reopening: Option<(Instant, SpawnHandle)>,
    /// Set while pending measurements may reach `max_age`.
    expiry: Option<SpawnHandle>,
    /// Set while an endpoint or a database is out of service.
    reminder: Option<SpawnHandle>,
    reports: PendingReports,
    subscribers: Subscribers,
    alarms: Alarms,
    outages: Outages,
    rejections: Rejections,
    /// Endpoints that were pinged to identify them.
    pinged: BTreeSet<usize>,
    /// Set while an endpoint other than the first is in use.
    ping_back: Option<SpawnHandle>,
    files: WatchedFiles,
    /// The endpoints that are identified.
    identities: BTreeMap<usize, Identity>,
    contacts: Contacts,
    creations: Creations,
    /// Whether it was logged that measurements arrive.
    has_arrived: bool,
    budget: Budget,
    self_measuring: SelfMeasuring,
    /// The actor behind `addr()`.
    ingest: Option<Recipient<Barrier>>,
    spool: Option<Spool>,
    /// At the end, batches that could not be written to disk.
    unsaved: Vec<Leftover>,
}

impl std::fmt::Debug for BufferActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferActor").finish_non_exhaustive()
    }
}

impl BufferActor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        endpoints: Vec<Endpoint>,
        http: Http,
        writers: Pool,
        start_replay: StartReplay,
    ) -> Self {
        let config = shared.config();
        shared
            .health
            .set_endpoints(endpoints.iter().map(Endpoint::to_string));
        Self {
            shared,
            limits: QuotaLimits::new(&config),
            dispatcher: Dispatcher::new(endpoints.len(), BatchLimits::new(&config), config.max_age),
            config,
            endpoints,
            http,
            writers,
            replay: start_replay(),
            start_replay,
            interval: None,
            reopening: None,
            expiry: None,
            reminder: None,
            reports: PendingReports::default(),
            subscribers: Subscribers::default(),
            alarms: Alarms::default(),
            outages: Outages::default(),
            rejections: Rejections::default(),
            pinged: BTreeSet::new(),
            ping_back: None,
            files: WatchedFiles::default(),
            identities: BTreeMap::new(),
            contacts: Contacts::default(),
            creations: Creations::default(),
            has_arrived: false,
            budget: Budget::default(),
            self_measuring: SelfMeasuring::new(actix_rt::time::Instant::now().into_std()),
            ingest: None,
            spool: None,
            unsaved: Vec::new(),
        }
    }

    pub(super) fn set_ingest(&mut self, ingest: Recipient<Barrier>) {
        self.ingest = Some(ingest);
    }

    /// The time of the runtime's clock, which timers use.
    fn now(&self) -> Instant {
        actix_rt::time::Instant::now().into_std()
    }

    /// Ends the thread, after earlier messages are counted as dropped.
    fn end(&mut self, context: &mut Context<Self>) {
        self.after_ingest(LAST_MESSAGES, context, Self::stop);
    }

    fn stop(&mut self, context: &mut Context<Self>) {
        match self.subscribers.are_waiting() {
            false => System::current().stop(),
            // Sends the last events, unless a subscriber is slow.
            true => _ = context.run_later(LAST_EVENTS, |_, _| System::current().stop()),
        }
    }

    /// Replaces the endpoints; nothing is known of the new ones.
    pub(super) fn use_endpoints(&mut self, endpoints: Vec<Endpoint>) {
        self.endpoints = endpoints;
        let urls = self.endpoints.iter().map(Endpoint::to_string);
        self.shared.health.set_endpoints(urls);
        let now = self.now();
        self.dispatcher.set_endpoints(self.endpoints.len(), now);
        self.pinged.clear();
        self.identities.clear();
        self.creations.forget_all();
    }

    fn reconfigure(&mut self, context: &mut Context<Self>) {
        let old = mem::replace(&mut self.config, self.shared.config());
        let config = &self.config;
        self.limits = QuotaLimits::new(config);
        let limits = BatchLimits::new(config);
        self.dispatcher.set_limits(limits, config.max_age);
        self.writers.resize(config.max_clients);
        if has_another_server(&old, config) {
            let files = Files::read(config);
            let made = files.and_then(|files| Ok((Endpoint::with_files(config, &files)?, files)));
            match made {
                Ok((endpoints, files)) => {
                    self.use_endpoints(endpoints);
                    self.set_files(files);
                    let config = &self.config;
                    if old.url != config.url {
                        self.outages.forget_all();
                        self.has_arrived = false;
                    }
                    let destination = config.destination();
                    logging::info!("measurements now go to {destination}");
                }
                Err(error) => logging::error!(
                    "the new server settings can't be used, measurements go to the same servers as before: {error}"
                ),
            }
        }
        self.watch_files(context);
        if let Some(expiry) = self.expiry.take() {
            context.cancel_future(expiry);
        }
        // The interval still begins with the first measurement.
        if let Some(began) = self.stop_interval(context) {
            self.start_interval(began, context);
        }
        self.arm_self_measuring(context);
        self.drain_if_due(context);
        self.pump(context);
    }
}

/// Whether a server may accept now what was refused before.
pub(crate) fn has_another_server(old: &Config, new: &Config) -> bool {
    (&old.url, &old.user, &old.password) != (&new.url, &new.user, &new.password)
        || (&old.token, &old.org, old.api) != (&new.token, &new.org, new.api)
        || (&old.password_file, &old.token_file) != (&new.password_file, &new.token_file)
        || (&old.tls_ca, &old.tls_cert, &old.tls_key) != (&new.tls_ca, &new.tls_cert, &new.tls_key)
        || old.danger_accept_invalid_certs != new.danger_accept_invalid_certs
        || (&old.proxy, &old.headers, old.gzip) != (&new.proxy, &new.headers, new.gzip)
        || (old.consistency, old.no_sync) != (new.consistency, new.no_sync)
}

/// Answers pending requests and counts every measurement, also if the actor panicked or its thread
/// was stopped.
impl Drop for BufferActor {
    fn drop(&mut self) {
        if self.shared.end().is_none() {
            logging::error!(
                "delivery has ended without a shutdown: its actor panicked, or its thread was stopped \
                 (see the messages before this one)"
            );
            self.end_unexpectedly();
            if let Some(system) = System::try_current() {
                system.stop();
            }
        }
    }
}

impl Actor for BufferActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Unbounded, so that no sender waits: the ingest actor sends one message at a time, recording
        // threads wake at thresholds only, and handles wait for their answers.
        context.set_mailbox_capacity(0);
        self.watch_files(context);
        self.open_spool(context);
        self.arm_self_measuring(context);
    }
}

#[cfg(test)]
mod tests;
