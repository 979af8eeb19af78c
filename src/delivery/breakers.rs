//! Which endpoint a database may be sent to now: the endpoints' breakers and the databases',
//! together. Pure.
//!
//! A refused connection or a wrong password is the endpoint's fault: nothing is sent there but one
//! probe at a time. A 5xx, a timeout or a web page may be one database's: its breaker opens. If a
//! second database fails with no success in between, the endpoint's opens as well; but then only
//! databases that have failed already wait for its probes. So no database that has not failed is
//! ever delayed by those that have, and a server that can't serve any gets one probe at a time.

use std::time::Instant;

use foldhash::{HashMap, HashSet};

use super::{
    breaker::{Breaker, Effect, Epoch, Failure, Recovery},
    verdict::{Retry, Scope},
};
use crate::Database;

/// The breakers of all endpoints and of the databases that have failed.
#[derive(Debug)]
pub(crate) struct Breakers {
    /// At least one.
    endpoints: Vec<EndpointBreaker>,
    /// The one in use.
    current: usize,
    /// One before it that answers again: the next batch goes there, and tells.
    preferred: Option<usize>,
    /// All others have one like the default.
    databases: HashMap<Database, DatabaseBreaker>,
    /// How many of these are not closed.
    failing: usize,
}

#[derive(Debug, Default)]
struct EndpointBreaker {
    breaker: Breaker,
    /// May databases be sent there that have not failed, though it is open?
    is_soft: bool,
    /// Databases that have begun to fail since the last success, with faults that may be theirs or
    /// the endpoint's.
    failing: HashSet<Database>,
    /// The last fault of a database's configuration since the last success.
    fault: Option<(Database, String)>,
}

#[derive(Debug, Default)]
struct DatabaseBreaker {
    breaker: Breaker,
    /// Where it is sent to, if not to the endpoint in use.
    endpoint: Option<usize>,
    /// At how many endpoints it has failed since it waited last.
    tried: usize,
    /// The endpoints, by bit, at which it has failed since it was written last.
    failed_at: u64,
}

/// What a batch was sent under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) endpoint: usize,
    endpoint_epoch: Epoch,
    /// Is it the probe of its endpoint, or was this closed?
    tells_of_endpoint: bool,
    database_epoch: Epoch,
    /// Had its database failed before?
    pub(crate) is_probe: bool,
}

/// What may be sent of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not failed.
    Ready,
    /// It has, and may be tried again from then on.
    Waits { until: Instant },
    /// A probe of it is out.
    Probed,
}

/// What a failure did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The endpoint's breaker has opened.
    pub(crate) endpoint: bool,
    /// The database's has.
    pub(crate) database: bool,
    /// Does the failure tell anything of the database? Not if it was sent before its breaker opened.
    pub(crate) counts: bool,
    /// The fault is the endpoint's, as far as can be told.
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
    /// Of so many endpoints, nothing being known against any.
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

    /// The endpoint in use.
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

    /// Where a batch of this database may be sent now, if anywhere. `is_ready` says that the
    /// database has not failed.
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

    /// Does any database fail? Then those are to be told apart that have proved to work.
    pub(crate) fn any_fails(&self) -> bool {
        self.failing > 0
    }

    /// When the first endpoint may be probed, if all wait for that.
    pub(crate) fn opens_at(&self) -> Option<Instant> {
        let until = |endpoint: &EndpointBreaker| endpoint.breaker.until();
        self.endpoints.iter().filter_map(until).min()
    }

    /// Does any endpoint let databases pass that have not failed?
    pub(crate) fn passes_any(&self, now: Instant) -> bool {
        let passes = |endpoint: &EndpointBreaker| endpoint.is_soft || endpoint.breaker.allows(now);
        self.endpoints.iter().any(passes)
    }

    /// Is any endpoint in service for databases that have not failed?
    pub(crate) fn any_in_service(&self) -> bool {
        let is_in_service = |there: &EndpointBreaker| there.is_soft || there.breaker.is_closed();
        self.endpoints.iter().any(is_in_service)
    }

    /// A batch of this database is sent to that endpoint.
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

    /// The server has taken a batch, or has said what is wrong with its lines.
    pub(crate) fn succeed(
        &mut self,
        database: &Database,
        attempt: Attempt,
        now: Instant,
    ) -> Closed {
        let mut closed = self.endpoint_answers(attempt, now);
        let there = &mut self.endpoints[attempt.endpoint];
        // A success of long ago may leave it open: then those that wait for it are freed later.
        if there.breaker.is_closed() {
            there.failing.clear();
            self.current = self.current.min(attempt.endpoint);
        }
        there.fault = None;
        // Nothing was taken at the endpoint in use since this database failed there, and here it was: also
        // where it is the only database, whose timeouts alone open no endpoint.
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

    /// The endpoint works, whatever the database does. With it, all that failed with it may be tried
    /// again.
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

    /// A batch could not be delivered, and is to be sent again.
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
            // Its probe was this batch, and says nothing of it.
            own.breaker.abandon(attempt.database_epoch, now);
            opened.endpoint = self.open_endpoint(attempt, failure, false);
            opened.is_endpoints = true;
            return (opened, closed);
        }
        own.failed_at |= here;
        own.tried += 1;
        let goes_on = own.tried < count && other_works;
        let effect = match goes_on {
            // The next endpoint need not wait for what this one asks for.
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
                // One that has failed all along while others work says nothing of the endpoint.
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
                    // It has just failed: others are freed by that, not this one.
                    there.failing.remove(database);
                    closed = self.endpoint_answers(attempt, now);
                }
            }
            Scope::Unclear => {
                let there = &mut self.endpoints[attempt.endpoint];
                // One that has failed all along says nothing new of the endpoint.
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

    /// A batch could not be delivered, but others of its database are: that says nothing of it.
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
        // What was sent beside its probes says nothing new, unless it is worse.
        if !attempt.tells_of_endpoint && (softly || !there.is_soft) {
            return false;
        }
        let effect = there.breaker.fail(attempt.endpoint_epoch, failure);
        if effect == Effect::None {
            return false;
        }
        // What fails softly has reached a server.
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

    /// An endpoint before the one in use answers pings again. That is no proof that it takes what is written: one batch
    /// is sent there first.
    pub(crate) fn is_back(&mut self, endpoint: usize, now: Instant) {
        if endpoint < self.current && self.preferred.is_none_or(|other| endpoint < other) {
            self.preferred = Some(endpoint);
            self.endpoints[endpoint].breaker.retry_now(now);
        }
    }

    /// Something has changed: try everything at once.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        let endpoints = self.endpoints.iter_mut().map(|there| &mut there.breaker);
        let databases = self.databases.values_mut().map(|own| &mut own.breaker);
        endpoints
            .chain(databases)
            .for_each(|breaker| breaker.retry_now(now));
    }

    /// Something has changed for this database: try it at once.
    pub(crate) fn retry_database_now(&mut self, database: &Database, now: Instant) {
        if let Some(own) = self.databases.get_mut(database) {
            own.breaker.retry_now(now);
        }
    }

    /// Since when an endpoint has been out of service, and how many tries have failed.
    pub(crate) fn endpoint_outage(&self, endpoint: usize) -> Option<(Instant, u32)> {
        self.endpoints[endpoint].breaker.outage()
    }

    /// The database has nothing pending any more.
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
