//! Chooses the endpoint for a database, by the breakers of the endpoints and of the databases.
//! Pure.
//!
//! A refused connection or a wrong password is the endpoint's fault: it gets one probe at a time. A
//! 5xx, a timeout or a web page may be the database's fault: its breaker opens. If a second
//! database fails before any request succeeds, the endpoint's breaker opens too; but only databases
//! that have failed wait for its probes. So databases that have not failed are never delayed by
//! those that have, and a server that is down gets one probe at a time.

use std::time::Instant;

use foldhash::{HashMap, HashSet};

use super::{
    breaker::{Breaker, Effect, Epoch, Failure, Recovery},
    verdict::{Retry, Scope},
};
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
    /// Does it still get databases that have not failed, though its breaker is open?
    is_soft: bool,
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

/// What a batch in flight was sent under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) endpoint: usize,
    endpoint_epoch: Epoch,
    /// Was the endpoint's breaker closed, or is this its probe?
    tells_of_endpoint: bool,
    database_epoch: Epoch,
    /// Had the database failed before?
    pub(crate) is_probe: bool,
}

/// Whether a database may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not failed.
    Ready,
    /// It has failed, and may be tried again at `until`.
    Waits { until: Instant },
    /// Its probe is in flight.
    Probed,
}

/// What a failure changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The endpoint's breaker opened.
    pub(crate) endpoint: bool,
    /// The database's breaker opened.
    pub(crate) database: bool,
    /// Does the failure count against the database? Not if it was sent before the breaker opened.
    pub(crate) counts: bool,
    /// The fault is probably the endpoint's.
    pub(crate) is_endpoints: bool,
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
    /// All closed, for `endpoints` endpoints.
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
            endpoint.breaker.allows(now) || (is_ready && endpoint.is_soft)
        })
    }

    /// Does any database fail? Then proven databases are told from new ones.
    pub(crate) fn any_fails(&self) -> bool {
        self.failing > 0
    }

    /// When the first open endpoint may be probed.
    pub(crate) fn opens_at(&self) -> Option<Instant> {
        let until = |endpoint: &EndpointBreaker| endpoint.breaker.until();
        self.endpoints.iter().filter_map(until).min()
    }

    /// Does any endpoint accept databases that have not failed?
    pub(crate) fn passes_any(&self, now: Instant) -> bool {
        let passes = |endpoint: &EndpointBreaker| endpoint.is_soft || endpoint.breaker.allows(now);
        self.endpoints.iter().any(passes)
    }

    /// Is any endpoint in service for databases that have not failed?
    pub(crate) fn any_in_service(&self) -> bool {
        let is_in_service = |there: &EndpointBreaker| there.is_soft || there.breaker.is_closed();
        self.endpoints.iter().any(is_in_service)
    }

    /// Notes that a batch of this database is sent to this endpoint.
    pub(crate) fn send(&mut self, database: &Database, endpoint: usize, now: Instant) -> Attempt {
        let own = self.databases.get_mut(database);
        let is_probe = own.as_ref().is_some_and(|own| !own.breaker.is_closed());
        let database_epoch = own.map(|own| own.breaker.send()).unwrap_or_default();
        self.preferred = self.preferred.filter(|preferred| *preferred != endpoint);
        let there = &mut self.endpoints[endpoint];
        let tells_of_endpoint = there.breaker.allows(now);
        Attempt {
            endpoint,
            endpoint_epoch: match tells_of_endpoint {
                true => there.breaker.send(),
                false => there.breaker.epoch(),
            },
            tells_of_endpoint,
            database_epoch,
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
            closed.database = own.breaker.succeed(attempt.database_epoch, now);
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
        let recovery = there.breaker.succeed(attempt.endpoint_epoch, now);
        let mut freed = Vec::new();
        if recovery.is_some() {
            there.is_soft = false;
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

    /// Handles a failure to deliver a batch that will be sent again.
    pub(crate) fn fail(
        &mut self,
        database: &Database,
        attempt: Attempt,
        retry: &Retry,
        failure: Failure,
    ) -> (Opened, Closed) {
        let (count, now) = (self.endpoints.len(), failure.now);
        let mut others = (0..count).filter(|other| *other != attempt.endpoint);
        let other_works = others.any(|other| {
            let other = &self.endpoints[other];
            other.is_soft || other.breaker.allows(now)
        });
        let own = self.databases.entry(database.clone()).or_default();
        let mut opened = Opened::default();
        let mut closed = Closed::default();
        let here = 1 << (attempt.endpoint % 64);
        let had_failed = own.failed_at & here != 0;
        if retry.scope == Scope::Endpoint {
            // The batch was the endpoint's probe, and says nothing of the database.
            own.breaker.abandon(attempt.database_epoch, now);
            opened.endpoint = self.open_endpoint(attempt, failure, false);
            opened.is_endpoints = true;
            return (opened, closed);
        }
        own.failed_at |= here;
        own.tried += 1;
        let goes_on = own.tried < count && other_works;
        let effect = match goes_on {
            // The next endpoint doesn't have to wait as this one asked.
            true => own.breaker.fail(
                attempt.database_epoch,
                Failure {
                    random: 0.0,
                    not_before: None,
                    ..failure
                },
            ),
            false => own.breaker.fail(attempt.database_epoch, failure),
        };
        if effect != Effect::None {
            own.endpoint = (count > 1).then(|| (attempt.endpoint + 1) % count);
            if !goes_on {
                own.tried = 0;
            }
        }
        opened.database = effect == Effect::Opened;
        self.failing += usize::from(opened.database);
        opened.counts = effect != Effect::None;
        match retry.scope {
            Scope::Endpoint => {}
            Scope::Path => {
                let there = &mut self.endpoints[attempt.endpoint];
                // A database that keeps failing while others work says nothing of the endpoint.
                if !(had_failed && there.breaker.is_closed()) {
                    there.failing.insert(database.clone());
                    opened.is_endpoints = true;
                    opened.endpoint = self.open_endpoint(attempt, failure, true);
                }
            }
            Scope::Database => {
                let there = &mut self.endpoints[attempt.endpoint];
                let is_the_same = there.fault.as_ref().is_some_and(|(other, words)| {
                    *words == retry.words && (other != database || !there.breaker.is_closed())
                });
                there.fault = Some((database.clone(), retry.words.clone()));
                if retry.is_misconfigured() && is_the_same && opened.counts {
                    there.failing.insert(database.clone());
                    opened.is_endpoints = true;
                    opened.endpoint = self.open_endpoint(attempt, failure, true);
                } else {
                    // This one has just failed: only others are freed.
                    there.failing.remove(database);
                    closed = self.endpoint_answers(attempt, now);
                }
            }
            Scope::Unclear => {
                let there = &mut self.endpoints[attempt.endpoint];
                // A database that keeps failing says nothing new of the endpoint.
                if !had_failed {
                    there.failing.insert(database.clone());
                }
                if there.failing.len() > 1 || !there.breaker.is_closed() {
                    opened.is_endpoints = true;
                    opened.endpoint = self.open_endpoint(attempt, failure, true);
                }
            }
        }
        (opened, closed)
    }

    /// Handles a failure of one batch while others of its database pass: counts against neither.
    pub(crate) fn fail_alone(&mut self, database: &Database, attempt: Attempt, now: Instant) {
        if let Some(own) = self.databases.get_mut(database) {
            own.breaker.abandon(attempt.database_epoch, now);
        }
        let there = &mut self.endpoints[attempt.endpoint];
        if attempt.tells_of_endpoint {
            there.breaker.abandon(attempt.endpoint_epoch, now);
        }
    }

    fn open_endpoint(&mut self, attempt: Attempt, failure: Failure, softly: bool) -> bool {
        let there = &mut self.endpoints[attempt.endpoint];
        // A request beside the probe says nothing new, unless it failed harder.
        if !attempt.tells_of_endpoint && (softly || !there.is_soft) {
            return false;
        }
        let effect = there.breaker.fail(attempt.endpoint_epoch, failure);
        if effect == Effect::None {
            return false;
        }
        // A soft failure has reached a server.
        there.is_soft = softly;
        if self.current == attempt.endpoint {
            let count = self.endpoints.len();
            let mut others = (0..count).filter(|other| *other != attempt.endpoint);
            let works = |at: &usize| self.endpoints[*at].breaker.is_closed();
            if let Some(other) = others.find(works) {
                self.current = other;
            }
        }
        effect == Effect::Opened
    }

    /// Prefers an endpoint again that answers pings. A ping doesn't prove that writes work, so one
    /// batch tests it.
    pub(crate) fn is_back(&mut self, endpoint: usize, now: Instant) {
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
