//! Chooses the endpoint for a database, by the breakers of the endpoints and of the databases.
//! Pure.
//!
//! A refused connection or a wrong password is the endpoint's fault: it gets one probe at a time. A
//! 5xx, a timeout or a web page may be the database's fault: its breaker opens. If a second
//! database fails before any request succeeds, the endpoint's breaker opens too; but only databases
//! that have failed wait for its probes. So databases that have not failed are never delayed by
//! those that have, and a server that is down gets one probe at a time.

mod failures;

use std::time::Instant;

use foldhash::{HashMap, HashSet};

pub(crate) use self::failures::Opened;
use super::breaker::{Breaker, OpenCount, Recovery};
use crate::Database;

/// The breakers of all endpoints, and of the databases that have failed.
#[derive(Debug)]
pub(crate) struct Breakers {
    /// Never empty.
    endpoints: Vec<EndpointBreaker>,
    /// Index of the endpoint in use.
    current: usize,
    /// A more preferred endpoint that answers pings again: the next batch is sent there to test it.
    preferred: Option<usize>,
    /// A database without an entry has a closed breaker.
    databases: HashMap<Database, DatabaseBreaker>,
    /// Number of database breakers that are not closed.
    failing: usize,
}

#[derive(Debug, Default)]
struct EndpointBreaker {
    breaker: Breaker,
    /// Whether the endpoint still gets databases that have not failed, though its breaker is open.
    admits_healthy: bool,
    /// Databases that failed since the last success, with faults that may be theirs or the
    /// endpoint's.
    failing: HashSet<Database>,
    /// Latest configuration fault of a database since the last success: the database and the
    /// normalized text.
    fault: Option<(Database, String)>,
}

#[derive(Debug, Default)]
struct DatabaseBreaker {
    breaker: Breaker,
    /// The endpoint that it is sent to, if not the one in use.
    endpoint: Option<usize>,
    /// Number of endpoints at which it has failed since its last wait.
    tried: usize,
    /// Bit set of the endpoints at which it has failed since its last success.
    failed_at: u64,
}

/// The state of the breakers when a batch in flight was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) endpoint: usize,
    endpoint_open_count: OpenCount,
    /// Whether the endpoint's breaker was closed, or this is its probe.
    tells_of_endpoint: bool,
    database_open_count: OpenCount,
    /// Whether the database had failed before.
    pub(crate) is_probe: bool,
}

/// Whether a database may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The database has not failed.
    Ready,
    /// The database has failed, and may be tried again at `until`.
    Waits { until: Instant },
    /// A probe of the database is in flight.
    Probed,
}

/// Which breakers a success closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) endpoint: Option<Recovery>,
    pub(crate) database: Option<Recovery>,
    /// Databases that may be tried at once because of it.
    pub(crate) freed: Vec<Database>,
}

impl Breakers {
    /// Closed breakers for `endpoints` endpoints.
    pub(crate) fn new(endpoints: usize) -> Self {
        let endpoint = |_| EndpointBreaker::default();
        Self {
            endpoints: (0..endpoints.max(1)).map(endpoint).collect(),
            current: 0,
            preferred: None,
            databases: HashMap::default(),
            failing: 0,
        }
    }

    /// The index of the endpoint in use.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    pub(crate) fn state(&self, database: &Database) -> State {
        match self.databases.get(database) {
            None => State::Ready,
            Some(own) if own.breaker.is_closed() => State::Ready,
            Some(own) => match own.breaker.until() {
                Some(until) => State::Waits { until },
                None => State::Probed,
            },
        }
    }

    /// The endpoint to which a batch of this database may be sent now, if any. `is_ready` says that
    /// the database has not failed.
    pub(crate) fn endpoint(
        &self,
        database: &Database,
        is_ready: bool,
        now: Instant,
    ) -> Option<usize> {
        let own = self.databases.get(database).and_then(|own| own.endpoint);
        let preferred = self.preferred.filter(|_| own.is_none());
        let first = own.unwrap_or(self.current);
        let count = self.endpoints.len();
        let rest = (0..count).map(|offset| (first + offset) % count);
        let mut order = preferred.into_iter().chain(rest);
        order.find(|endpoint| {
            let endpoint = &self.endpoints[*endpoint];
            endpoint.breaker.allows(now) || (is_ready && endpoint.admits_healthy)
        })
    }

    /// Whether any database fails. Then proven databases are distinguished from new ones.
    pub(crate) fn any_fails(&self) -> bool {
        self.failing > 0
    }

    /// When the first open endpoint may be probed.
    pub(crate) fn next_probe_at(&self) -> Option<Instant> {
        let until = |endpoint: &EndpointBreaker| endpoint.breaker.until();
        self.endpoints.iter().filter_map(until).min()
    }

    /// Whether any endpoint accepts databases that have not failed.
    pub(crate) fn admits_any(&self, now: Instant) -> bool {
        let passes =
            |endpoint: &EndpointBreaker| endpoint.admits_healthy || endpoint.breaker.allows(now);
        self.endpoints.iter().any(passes)
    }

    /// Whether any endpoint is in service for databases that have not failed.
    pub(crate) fn any_in_service(&self) -> bool {
        let is_in_service =
            |there: &EndpointBreaker| there.admits_healthy || there.breaker.is_closed();
        self.endpoints.iter().any(is_in_service)
    }

    /// Notes that a batch of this database is sent to this endpoint.
    pub(crate) fn send(&mut self, database: &Database, endpoint: usize, now: Instant) -> Attempt {
        let own = self.databases.get_mut(database);
        let is_probe = own.as_ref().is_some_and(|own| !own.breaker.is_closed());
        let database_open_count = own.map(|own| own.breaker.send()).unwrap_or_default();
        self.preferred = self.preferred.filter(|preferred| *preferred != endpoint);
        let there = &mut self.endpoints[endpoint];
        let tells_of_endpoint = there.breaker.allows(now);
        Attempt {
            endpoint,
            endpoint_open_count: match tells_of_endpoint {
                true => there.breaker.send(),
                false => there.breaker.open_count(),
            },
            tells_of_endpoint,
            database_open_count,
            is_probe,
        }
    }

    /// Handles a success: the server has accepted a batch, or has said what is wrong with its
    /// lines.
    pub(crate) fn succeed(
        &mut self,
        database: &Database,
        attempt: Attempt,
        now: Instant,
    ) -> Closed {
        let mut closed = self.endpoint_answers(attempt, now);
        let there = &mut self.endpoints[attempt.endpoint];
        // A late success may leave the breaker open; those that wait for it are freed later.
        if there.breaker.is_closed() {
            there.failing.clear();
            self.current = self.current.min(attempt.endpoint);
        }
        there.fault = None;
        // The endpoint in use has taken nothing since this database failed there, and this one did.
        // Also true of a single database, whose timeouts alone open no endpoint.
        let is_in_service = there.breaker.is_closed();
        if is_in_service && self.endpoints[self.current].failing.contains(database) {
            self.current = attempt.endpoint;
        }
        if let Some(own) = self.databases.get_mut(database) {
            closed.database = own.breaker.succeed(attempt.database_open_count, now);
            self.failing -= usize::from(closed.database.is_some());
            own.tried = 0;
            own.failed_at = 0;
            own.endpoint = (attempt.endpoint != self.current).then_some(attempt.endpoint);
        }
        closed
    }

    /// Notes that the endpoint works. If it had been out, databases that failed with it may be
    /// tried at once.
    fn endpoint_answers(&mut self, attempt: Attempt, now: Instant) -> Closed {
        let there = &mut self.endpoints[attempt.endpoint];
        let recovery = there.breaker.succeed(attempt.endpoint_open_count, now);
        let mut freed = Vec::new();
        if recovery.is_some() {
            there.admits_healthy = false;
            for failing in there.failing.drain() {
                if let Some(own) = self.databases.get_mut(&failing) {
                    own.breaker.retry_now(now);
                    freed.push(failing);
                }
            }
        }
        Closed {
            endpoint: recovery,
            database: None,
            freed,
        }
    }

    /// Prefers an endpoint again that answers pings. A ping doesn't prove that writes work, so one
    /// batch tests it.
    pub(crate) fn fail_back(&mut self, endpoint: usize, now: Instant) {
        if endpoint < self.current && self.preferred.is_none_or(|other| endpoint < other) {
            self.preferred = Some(endpoint);
            self.endpoints[endpoint].breaker.retry_now(now);
        }
    }

    /// Lets everything be tried at once.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        let endpoints = self.endpoints.iter_mut().map(|there| &mut there.breaker);
        let databases = self.databases.values_mut().map(|own| &mut own.breaker);
        endpoints
            .chain(databases)
            .for_each(|breaker| breaker.retry_now(now));
    }

    /// Lets this database be tried at once.
    pub(crate) fn retry_database_now(&mut self, database: &Database, now: Instant) {
        if let Some(own) = self.databases.get_mut(database) {
            own.breaker.retry_now(now);
        }
    }

    /// When the endpoint's outage began, and how many attempts have failed since.
    pub(crate) fn endpoint_outage(&self, endpoint: usize) -> Option<(Instant, u32)> {
        self.endpoints[endpoint].breaker.outage()
    }

    /// Forgets a database that has nothing pending.
    pub(crate) fn forget(&mut self, database: &Database) {
        if let Some(own) = self.databases.remove(database) {
            self.failing -= usize::from(!own.breaker.is_closed());
            for there in &mut self.endpoints {
                there.failing.remove(database);
            }
        }
    }
}

#[cfg(test)]
mod tests;
