//! Which databases may be sent to now: the endpoint's breaker and theirs, together. Pure.
//!
//! A refused connection is the endpoint's fault. A 5xx or a timeout may be one database's: it
//! stops that database, and the endpoint only if a second one fails with no success in between.
//! So a database that the server can't serve never delays the others, and a server that can't
//! serve any gets a single probe at a time.

use std::time::Instant;

use foldhash::{HashMap, HashSet};

use crate::{
    Database,
    delivery::backlog::{Backlog, Lent},
    delivery::breaker::{Breaker, Effect, Epoch, Failure, Recovery},
    delivery::verdict::Scope,
};

#[derive(Debug, Default)]
pub(crate) struct Gate {
    endpoint: Breaker,
    /// Of those that have failed, as long as they have something pending. All others have one like
    /// the default.
    databases: HashMap<Database, Breaker>,
    /// Since the last success, with faults that may be theirs or the endpoint's.
    failing: HashSet<Database>,
}

/// What a batch was sent with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    endpoint: Epoch,
    database: Epoch,
}

/// Which breakers a failure opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) endpoint: bool,
    pub(crate) database: bool,
    /// Does it say anything at all of the database? Not what was sent before its breaker opened.
    pub(crate) counts: bool,
}

/// Which breakers a success closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) endpoint: Option<Recovery>,
    pub(crate) database: Option<Recovery>,
}

impl Gate {
    /// May a batch of this database be sent?
    fn allows(&self, database: &Database, now: Instant) -> bool {
        let own = self.databases.get(database);
        self.endpoint.allows(now) && own.is_none_or(|own| own.allows(now))
    }

    /// The next batch of the backlog that may be sent now.
    pub(crate) fn lend(
        &self,
        backlog: &mut Backlog,
        max_loans: usize,
        now: Instant,
    ) -> Option<Lent> {
        let allowed = |database: &Database| self.allows(database, now);
        if self.endpoint.is_closed() {
            return backlog.lend(max_loans, allowed);
        }
        // A probe is better not a batch that may fail for its database's sake.
        let trusted = |database: &Database| self.allows(database, now) && self.trusts(database);
        let probe = backlog.lend(max_loans, trusted);
        probe.or_else(|| backlog.lend(max_loans, allowed))
    }

    /// Is this a database that nothing is known against?
    fn trusts(&self, database: &Database) -> bool {
        self.databases.get(database).is_none_or(Breaker::is_closed)
    }

    /// A batch of this database is sent.
    pub(crate) fn send(&mut self, database: &Database) -> Pass {
        let own = self.databases.get_mut(database).map(Breaker::send);
        Pass {
            endpoint: self.endpoint.send(),
            database: own.unwrap_or_default(),
        }
    }

    /// The server has taken a batch, or has said what is wrong with its lines.
    pub(crate) fn succeed(&mut self, database: &Database, pass: Pass, now: Instant) -> Closed {
        let endpoint = self.endpoint.succeed(pass.endpoint, now);
        if endpoint.is_some() {
            for failing in self.failing.drain() {
                if let Some(own) = self.databases.get_mut(&failing) {
                    own.retry_now(now);
                }
            }
        }
        self.failing.clear();
        let own = self.databases.get_mut(database);
        Closed {
            endpoint,
            database: own.and_then(|own| own.succeed(pass.database, now)),
        }
    }

    /// A batch could not be delivered, and is to be sent again.
    pub(crate) fn fail(
        &mut self,
        database: &Database,
        pass: Pass,
        scope: Scope,
        failure: Failure,
    ) -> Opened {
        let own = self.databases.entry(database.clone()).or_default();
        let mut opened = Opened {
            endpoint: false,
            database: false,
            counts: false,
        };
        let failed_before = !own.is_closed();
        // Its probe was this batch, whoever is at fault.
        if scope != Scope::Endpoint || !own.is_closed() {
            let effect = own.fail(pass.database, failure);
            opened.database = effect == Effect::Opened;
            opened.counts = effect != Effect::None;
        }
        match scope {
            Scope::Endpoint => opened.endpoint = self.stop_endpoint(pass, failure),
            Scope::Database => {
                self.endpoint.succeed(pass.endpoint, failure.now);
            }
            Scope::Unclear => {
                // One that has failed all along says nothing new of the endpoint.
                if !failed_before {
                    self.failing.insert(database.clone());
                }
                if self.failing.len() > 1 || !self.endpoint.is_closed() {
                    opened.endpoint = self.stop_endpoint(pass, failure);
                }
            }
        }
        opened
    }

    fn stop_endpoint(&mut self, pass: Pass, failure: Failure) -> bool {
        self.endpoint.fail(pass.endpoint, failure) == Effect::Opened
    }

    /// Something has changed: try everything at once.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        self.endpoint.retry_now(now);
        self.databases
            .values_mut()
            .for_each(|own| own.retry_now(now));
    }

    /// Something has changed for this database: try it at once.
    pub(crate) fn retry_database_now(&mut self, database: &Database, now: Instant) {
        if let Some(own) = self.databases.get_mut(database) {
            own.retry_now(now);
        }
    }

    /// When the first of these databases that may not be sent to `now` may be, if only time keeps
    /// them from it. (Where a probe is out, its answer does.)
    pub(crate) fn opens_at<'a>(
        &self,
        databases: impl Iterator<Item = &'a Database>,
        now: Instant,
    ) -> Option<Instant> {
        // Asked for with every batch: usually nothing is open.
        let is_closed =
            self.endpoint.is_closed() && self.databases.values().all(Breaker::is_closed);
        if is_closed || self.endpoint.is_half_open() {
            return None;
        }
        let endpoint = self.endpoint.until();
        let opens_at = |database| match self.databases.get(database) {
            Some(own) if own.is_half_open() => None,
            Some(own) => endpoint.max(own.until()),
            None => endpoint,
        };
        databases.filter_map(opens_at).filter(|at| *at > now).min()
    }

    /// Is the endpoint out of service, or being probed?
    pub(crate) fn is_open(&self) -> bool {
        !self.endpoint.is_closed()
    }

    /// The database has nothing pending any more.
    pub(crate) fn forget(&mut self, database: &Database) {
        self.databases.remove(database);
        self.failing.remove(database);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LATER: Duration = Duration::from_secs(60);

    fn failure(now: Instant) -> Failure {
        Failure {
            now,
            random: 1.0,
            max_delay: LATER,
            not_before: None,
        }
    }

    struct World {
        gate: Gate,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            Self {
                gate: Gate::default(),
                now: Instant::now(),
            }
        }

        fn fail(&mut self, database: &'static str, scope: Scope) -> Opened {
            let database = database.into();
            let pass = self.gate.send(&database);
            self.gate.fail(&database, pass, scope, failure(self.now))
        }

        fn succeed(&mut self, database: &'static str) -> Closed {
            let database = database.into();
            let pass = self.gate.send(&database);
            self.gate.succeed(&database, pass, self.now)
        }

        fn allows(&self, database: &'static str) -> bool {
            self.gate.allows(&database.into(), self.now)
        }
    }

    #[test]
    fn a_refused_connection_stops_every_database() {
        let mut world = World::new();
        assert!(world.fail("a", Scope::Endpoint).endpoint);
        assert!(!world.allows("a") && !world.allows("b"));
    }

    #[test]
    fn a_fault_of_one_database_delays_no_other() {
        let mut world = World::new();
        for scope in [Scope::Database, Scope::Unclear, Scope::Unclear] {
            assert!(!world.fail("bad", scope).endpoint);
            assert!(!world.allows("bad"));
            assert!(world.allows("good"));
            world.succeed("good");
        }
    }

    #[test]
    fn a_second_database_that_fails_with_no_success_in_between_stops_the_endpoint() {
        let mut world = World::new();
        world.fail("a", Scope::Unclear);
        world.succeed("c");
        assert!(!world.fail("b", Scope::Unclear).endpoint);
        assert!(world.fail("d", Scope::Unclear).endpoint);
        assert!(!world.allows("c"));
    }

    #[test]
    fn databases_that_always_fail_do_not_stop_the_endpoint_again_and_again() {
        let mut world = World::new();
        world.fail("bad", Scope::Unclear);
        world.fail("worse", Scope::Unclear);
        world.now += LATER;
        assert!(world.succeed("good").endpoint.is_some());
        for _ in 0..5 {
            world.now += LATER;
            assert!(!world.fail("bad", Scope::Unclear).endpoint);
            assert!(!world.fail("worse", Scope::Unclear).endpoint);
            assert!(world.allows("good"));
        }
    }

    #[test]
    fn while_a_probe_is_out_its_answer_is_what_is_waited_for() {
        let mut world = World::new();
        world.fail("a", Scope::Endpoint);
        world.now += LATER;
        world.gate.send(&"a".into());
        let databases = ["a".into()];
        assert_eq!(world.gate.opens_at(databases.iter(), world.now), None);
    }

    #[test]
    fn an_endpoint_that_comes_back_is_tried_with_all_that_failed_at_once() {
        let mut world = World::new();
        world.fail("a", Scope::Unclear);
        world.fail("b", Scope::Unclear);
        world.now += LATER;
        let closed = world.succeed("c");
        assert_eq!(closed.endpoint.map(|recovery| recovery.attempts), Some(1));
        assert_eq!(closed.database, None);
        assert!(world.allows("a") && world.allows("b"));
    }

    #[test]
    fn a_probe_that_fails_for_the_endpoints_sake_does_not_leave_its_database_half_open() {
        let mut world = World::new();
        world.fail("a", Scope::Unclear);
        world.now += LATER;
        world.fail("a", Scope::Endpoint);
        world.now += LATER;
        assert!(world.allows("a"));
    }

    #[test]
    fn a_missing_database_proves_that_the_endpoint_works() {
        let mut world = World::new();
        world.fail("a", Scope::Endpoint);
        world.now += LATER;
        world.fail("missing", Scope::Database);
        assert!(world.allows("b"));
        assert!(!world.allows("missing"));
    }

    #[test]
    fn it_opens_when_both_breakers_of_some_database_do() {
        let mut world = World::new();
        let databases = ["a".into(), "b".into()];
        let opens_at = |gate: &Gate, now| gate.opens_at(databases.iter(), now);
        assert_eq!(opens_at(&world.gate, world.now), None);
        world.fail("a", Scope::Unclear);
        let first = opens_at(&world.gate, world.now).unwrap();
        assert!(first > world.now);
        world.now += LATER;
        world.fail("a", Scope::Unclear);
        world.fail("b", Scope::Unclear);
        assert_eq!(
            opens_at(&world.gate, world.now),
            Some(world.now + Duration::from_millis(500))
        );
    }

    #[test]
    fn a_change_lets_everything_be_tried() {
        let mut world = World::new();
        world.fail("a", Scope::Endpoint);
        world.gate.retry_now(world.now);
        assert!(world.allows("a"));
    }
}
