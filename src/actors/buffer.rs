//! Owns every measurement from the thread buffers to its end, and decides which batch is sent when.
//!
//! Its messages are in `handlers.rs`.
//!
//! No state lives in a future: a batch in flight stays in the [`Backlog`](crate::delivery::backlog::Backlog).

mod advice;
mod alarms;
mod barrier;
mod collecting;
mod creation;
mod delivery;
mod files;
mod first_contact;
mod handlers;
mod outages;
mod ping_back;
mod rejections;
mod reports;
mod self_measuring;
mod sending;
mod spool;
mod telling;
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
    alarms::Alarms, collecting::Interval, creation::Creations, files::WatchedFiles,
    outages::Outages, rejections::Rejections, reports::Waiting, self_measuring::SelfMeasuring,
    spool::Spool,
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
    delivery::{backlog::Taken, contacts::Contacts, dispatcher::Dispatcher},
    endpoint::{Endpoint, Http, Identity},
    influx::shared::Shared,
    ingest::QuotaLimits,
    logging,
};

/// Starts a replay actor: the first one, and another when that has died.
pub(crate) type StartReplay = Box<dyn Fn() -> Recipient<Isolate>>;

/// Time that subscribers have at the end for the events that are queued.
const LAST_EVENTS: Duration = Duration::from_millis(100);

/// Time at the end in which measurements in the mailbox of `addr()` are counted as dropped.
const LAST_MESSAGES: Duration = Duration::from_secs(1);

/// The actor that owns all batches.
pub(crate) struct BufferActor {
    shared: Arc<Shared>,
    /// The configuration that the actor follows: [`Shared`] may be one message ahead.
    config: Arc<Config>,
    limits: QuotaLimits,
    dispatcher: Dispatcher,
    /// The endpoints, by the dispatcher's numbers.
    endpoints: Vec<Endpoint>,
    http: Http,
    writers: Pool,
    replay: Recipient<Isolate>,
    start_replay: StartReplay,
    /// Runs while a thread buffer is not empty.
    interval: Option<Interval>,
    /// Runs while only a breaker or a later time prevents sending: until when.
    reopening: Option<(Instant, SpawnHandle)>,
    /// Runs while pending measurements may reach `max_age`.
    expiry: Option<SpawnHandle>,
    /// Runs while an endpoint or a database is out of service.
    reminder: Option<SpawnHandle>,
    waiting: Waiting,
    subscribers: Subscribers,
    alarms: Alarms,
    outages: Outages,
    rejections: Rejections,
    /// The endpoints that were pinged because their answers don't tell what they are.
    asked: BTreeSet<usize>,
    /// Runs while an endpoint is in use that is not the first.
    ping_back: Option<SpawnHandle>,
    files: WatchedFiles,
    /// What the endpoints are, as far as they have told.
    known: BTreeMap<usize, Identity>,
    contacts: Contacts,
    creations: Creations,
    /// Whether it was logged that measurements arrive.
    has_arrived: bool,
    budget: Budget,
    own: SelfMeasuring,
    /// The actor behind `addr()`.
    ingest: Option<Recipient<Barrier>>,
    spool: Option<Spool>,
    /// At the end, what could not be put on disk.
    unsaved: Vec<Taken>,
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
            waiting: Waiting::default(),
            subscribers: Subscribers::default(),
            alarms: Alarms::default(),
            outages: Outages::default(),
            rejections: Rejections::default(),
            asked: BTreeSet::new(),
            ping_back: None,
            files: WatchedFiles::default(),
            known: BTreeMap::new(),
            contacts: Contacts::default(),
            creations: Creations::default(),
            has_arrived: false,
            budget: Budget::default(),
            own: SelfMeasuring::new(actix_rt::time::Instant::now().into_std()),
            ingest: None,
            spool: None,
            unsaved: Vec::new(),
        }
    }

    pub(super) fn set_ingest(&mut self, ingest: Recipient<Barrier>) {
        self.ingest = Some(ingest);
    }

    /// The time of the runtime's clock, which the timers run by.
    fn now(&self) -> Instant {
        actix_rt::time::Instant::now().into_std()
    }

    /// Ends the thread, when the messages that were sent before are counted as dropped.
    fn end(&mut self, context: &mut Context<Self>) {
        self.behind_ingest(LAST_MESSAGES, context, Self::stop);
    }

    fn stop(&mut self, context: &mut Context<Self>) {
        match self.subscribers.are_waiting() {
            false => System::current().stop(),
            // The last events are sent, unless a subscriber is slow.
            true => _ = context.run_later(LAST_EVENTS, |_, _| System::current().stop()),
        }
    }

    /// Nothing is known of them, nor of the same with other credentials.
    pub(super) fn use_endpoints(&mut self, endpoints: Vec<Endpoint>) {
        self.endpoints = endpoints;
        let urls = self.endpoints.iter().map(Endpoint::to_string);
        self.shared.health.set_endpoints(urls);
        let now = self.now();
        self.dispatcher.set_endpoints(self.endpoints.len(), now);
        self.asked.clear();
        self.known.clear();
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
                    "measurements go to the same servers as before, the new settings can't be used: {error}"
                ),
            }
        }
        self.watch_files(context);
        if let Some(expiry) = self.expiry.take() {
            context.cancel_future(expiry);
        }
        // The interval began when the first measurement came.
        if let Some(began) = self.stop_interval(context) {
            self.start_interval(began, context);
        }
        self.arm_self_measuring(context);
        self.look(context);
        self.pump(context);
    }
}

/// Whether a server may take now what was refused before.
pub(crate) fn has_another_server(old: &Config, new: &Config) -> bool {
    (&old.url, &old.user, &old.password) != (&new.url, &new.user, &new.password)
        || (&old.token, &old.org, old.api) != (&new.token, &new.org, new.api)
        || (&old.password_file, &old.token_file) != (&new.password_file, &new.token_file)
        || (&old.tls_ca, &old.tls_cert, &old.tls_key) != (&new.tls_ca, &new.tls_cert, &new.tls_key)
        || old.danger_accept_invalid_certs != new.danger_accept_invalid_certs
        || (&old.proxy, &old.headers, old.gzip) != (&new.proxy, &new.headers, new.gzip)
        || (old.consistency, old.no_sync) != (new.consistency, new.no_sync)
}

/// Answers those who wait for the end, and counts every measurement, also if the actor panicked or its
/// thread was stopped.
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
