//! What a failure does to the breakers of its endpoint and its database.

use std::time::Instant;

use super::{Attempt, Breakers, Closed};
use crate::{
    Database,
    delivery::{
        breaker::{Effect, Failure},
        verdict::{Retry, Scope},
    },
};

/// What a failure changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The endpoint's breaker opened.
    pub(crate) endpoint: bool,
    /// The database's breaker opened.
    pub(crate) database: bool,
    /// Whether the failure counts against the database. Not if it was sent before the breaker opened.
    pub(crate) counts: bool,
    /// The fault is probably the endpoint's.
    pub(crate) is_endpoints: bool,
}

impl Breakers {
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
            other.admits_healthy || other.breaker.allows(now)
        });
        let own = self.databases.entry(database.clone()).or_default();
        let mut opened = Opened::default();
        let mut closed = Closed::default();
        let here = 1 << (attempt.endpoint % 64);
        let had_failed = own.failed_at & here != 0;
        if retry.scope == Scope::Endpoint {
            // The batch was the endpoint's probe, and says nothing of the database.
            own.breaker.abandon(attempt.database_open_count, now);
            opened.endpoint = self.open_endpoint(attempt, failure, false);
            opened.is_endpoints = true;
            return (opened, closed);
        }
        own.failed_at |= here;
        own.tried += 1;
        let fails_over = own.tried < count && other_works;
        let effect = match fails_over {
            // The next endpoint doesn't have to wait as this one asked.
            true => own.breaker.fail(
                attempt.database_open_count,
                Failure {
                    random: 0.0,
                    not_before: None,
                    ..failure
                },
            ),
            false => own.breaker.fail(attempt.database_open_count, failure),
        };
        if effect != Effect::None {
            own.endpoint = (count > 1).then(|| (attempt.endpoint + 1) % count);
            if !fails_over {
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
                let is_the_same = there.fault.as_ref().is_some_and(|(other, normalized)| {
                    *normalized == retry.normalized
                        && (other != database || !there.breaker.is_closed())
                });
                there.fault = Some((database.clone(), retry.normalized.clone()));
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
            own.breaker.abandon(attempt.database_open_count, now);
        }
        let there = &mut self.endpoints[attempt.endpoint];
        if attempt.tells_of_endpoint {
            there.breaker.abandon(attempt.endpoint_open_count, now);
        }
    }

    fn open_endpoint(&mut self, attempt: Attempt, failure: Failure, admits_healthy: bool) -> bool {
        let there = &mut self.endpoints[attempt.endpoint];
        // A request beside the probe says nothing new, unless it failed harder.
        if !attempt.tells_of_endpoint && (admits_healthy || !there.admits_healthy) {
            return false;
        }
        let effect = there.breaker.fail(attempt.endpoint_open_count, failure);
        if effect == Effect::None {
            return false;
        }
        // A soft failure has reached a server.
        there.admits_healthy = admits_healthy;
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
}
