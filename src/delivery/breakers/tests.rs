use std::time::Duration;

use super::*;
use crate::delivery::{
    breaker::Failure,
    verdict::{Cause, Retry, Scope},
};

mod accounts;

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
    breakers: Breakers,
    now: Instant,
}

impl World {
    fn new(endpoints: usize) -> Self {
        Self {
            breakers: Breakers::new(endpoints),
            now: Instant::now(),
        }
    }

    fn is_ready(&self, database: &Database) -> bool {
        self.breakers.state(database) == State::Ready
    }

    /// Where it may be sent now.
    fn endpoint(&self, database: &'static str) -> Option<usize> {
        let database = database.into();
        match self.breakers.state(&database) {
            State::Waits { until } if until > self.now => None,
            State::Probed => None,
            _ => {
                let is_ready = self.is_ready(&database);
                self.breakers.endpoint(&database, is_ready, self.now)
            }
        }
    }

    fn send(&mut self, database: &'static str) -> Attempt {
        let endpoint = self.endpoint(database).expect("it may be sent");
        self.breakers.send(&database.into(), endpoint, self.now)
    }

    fn fail(&mut self, database: &'static str, scope: Scope) -> Opened {
        self.fail_as(database, scope, "why")
    }

    fn fail_as(&mut self, database: &'static str, scope: Scope, reason: &str) -> Opened {
        let attempt = self.send(database);
        let cause = match scope {
            Scope::Database | Scope::Path => Cause::Configuration,
            Scope::Endpoint | Scope::Unclear => Cause::Unavailable,
        };
        let retry = Retry::new(scope, cause, reason);
        let failure = failure(self.now);
        self.breakers
            .fail(&database.into(), attempt, &retry, failure)
            .0
    }

    fn succeed(&mut self, database: &'static str) -> Closed {
        let attempt = self.send(database);
        self.breakers.succeed(&database.into(), attempt, self.now)
    }

    fn allows(&self, database: &'static str) -> bool {
        self.endpoint(database).is_some()
    }
}

#[test]
fn a_refused_connection_stops_every_database() {
    let mut world = World::new(1);
    assert!(world.fail("a", Scope::Endpoint).endpoint);
    assert!(!world.allows("a") && !world.allows("b"));
    assert!(!world.breakers.admits_any(world.now));
    world.now += LATER;
    world.send("a");
    assert!(!world.allows("b"), "one probe at a time");
}

#[test]
fn a_fault_of_one_database_delays_no_other() {
    let mut world = World::new(1);
    for scope in [Scope::Database, Scope::Unclear, Scope::Path] {
        world.fail("bad", scope);
        assert!(!world.allows("bad"));
        assert!(world.allows("good"), "{scope:?}");
        world.now += LATER;
        world.succeed("good");
        world.succeed("bad");
    }
}

#[test]
fn databases_that_have_not_failed_go_on_however_many_have() {
    let mut world = World::new(1);
    let bad = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for name in bad {
        world.fail(name, Scope::Unclear);
    }
    assert!(world.breakers.any_fails());
    assert!(bad.iter().all(|name| !world.allows(name)));
    assert!(world.allows("good"));
    assert!(world.succeed("good").endpoint.is_some());
}

#[test]
fn of_databases_that_fail_together_one_at_a_time_is_tried_again() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    assert!(world.fail("b", Scope::Unclear).endpoint);
    world.now += LATER;
    world.send("a");
    assert!(!world.allows("b"), "a is the probe of both");
    assert!(world.allows("new"));
}

#[test]
fn failures_beside_the_probes_do_not_make_an_endpoint_wait_longer() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.fail("b", Scope::Unclear);
    let next_probe_at = world.breakers.next_probe_at();
    assert!(next_probe_at.is_some());
    for name in ["c", "d", "e"] {
        assert!(!world.fail(name, Scope::Unclear).endpoint);
        assert_eq!(world.breakers.next_probe_at(), next_probe_at);
    }
}

#[test]
fn a_worse_fault_beside_the_probes_stops_everything() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.fail("b", Scope::Unclear);
    assert!(world.allows("c"));
    world.fail("c", Scope::Endpoint);
    assert!(!world.allows("d"));
}

#[test]
fn a_second_database_that_fails_with_no_success_in_between_stops_the_endpoint() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.succeed("c");
    assert!(!world.fail("b", Scope::Unclear).endpoint);
    assert!(world.fail("d", Scope::Unclear).endpoint);
}

#[test]
fn databases_that_always_fail_do_not_stop_the_endpoint_again_and_again() {
    let mut world = World::new(1);
    world.fail("bad", Scope::Unclear);
    world.fail("worse", Scope::Unclear);
    world.now += LATER;
    assert!(world.succeed("good").endpoint.is_some());
    for _ in 0..5 {
        world.now += LATER;
        assert!(!world.fail("bad", Scope::Unclear).endpoint);
        assert!(!world.fail("worse", Scope::Unclear).endpoint);
    }
}

#[test]
fn the_same_fault_of_two_databases_is_the_endpoints_and_another_one_is_not() {
    let mut world = World::new(1);
    assert!(
        !world
            .fail_as("a", Scope::Database, "403 \"a\" may not")
            .is_endpoints
    );
    let other = world.fail_as("b", Scope::Database, "something else");
    assert!(!other.is_endpoints && other.database);
    let same = world.fail_as("c", Scope::Database, "something else");
    assert!(same.is_endpoints && same.endpoint);
    assert!(world.allows("good"));
}

#[test]
fn with_a_success_in_between_the_same_fault_is_each_databases_own() {
    let mut world = World::new(1);
    world.fail("a", Scope::Database);
    world.succeed("good");
    let opened = world.fail("b", Scope::Database);
    assert!(opened.database && !opened.is_endpoints && !opened.endpoint);
}

#[test]
fn an_endpoint_that_comes_back_is_tried_with_all_that_failed_at_once() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.fail("b", Scope::Unclear);
    let closed = world.succeed("c");
    assert_eq!(closed.endpoint.map(|recovery| recovery.attempts), Some(1));
    assert_eq!((closed.database, closed.freed.len()), (None, 2));
    assert!(world.allows("a") && world.allows("b"));
}

#[test]
fn a_probe_that_fails_for_the_endpoints_sake_does_not_leave_its_database_half_open() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.now += LATER;
    world.fail("a", Scope::Endpoint);
    world.now += LATER;
    assert!(world.allows("a"));
}

#[test]
fn a_batch_that_fails_while_others_pass_leaves_the_breakers_as_they_were() {
    let mut world = World::new(1);
    let attempt = world.send("a");
    world.breakers.fail_alone(&"a".into(), attempt, world.now);
    assert!(world.allows("a"));
    world.fail("a", Scope::Unclear);
    world.now += LATER;
    let probe = world.send("a");
    assert!(!world.allows("a"));
    world.breakers.fail_alone(&"a".into(), probe, world.now);
    assert!(world.allows("a"), "the next probe may go");
}

#[test]
fn a_missing_database_proves_that_the_endpoint_works() {
    let mut world = World::new(1);
    world.fail("a", Scope::Endpoint);
    world.now += LATER;
    let attempt = world.send("missing");
    let retry = Retry::new(Scope::Database, Cause::Configuration, "missing");
    let failure = failure(world.now);
    let (opened, closed) = world
        .breakers
        .fail(&"missing".into(), attempt, &retry, failure);
    assert!(
        closed.endpoint.is_some(),
        "somebody is to hear that it is back"
    );
    assert!(opened.database && !opened.endpoint);
    assert!(world.allows("b") && !world.allows("missing"));
}

#[test]
fn a_database_that_fails_at_one_endpoint_is_soon_tried_at_the_next() {
    let mut world = World::new(2);
    world.fail("a", Scope::Database);
    assert!(!world.allows("a"));
    world.now += Duration::from_millis(30);
    assert_eq!(world.endpoint("a"), Some(1));
    assert_eq!(world.endpoint("b"), Some(0), "others stay");
    world.succeed("a");
    assert_eq!(world.endpoint("a"), Some(1));
}

#[test]
fn only_a_database_that_fails_at_all_endpoints_waits() {
    let mut world = World::new(2);
    let asked = Duration::from_secs(30);
    for _ in 0..2 {
        let attempt = world.send("a");
        let retry = Retry::new(Scope::Unclear, Cause::Unavailable, "busy");
        let failure = Failure {
            not_before: Some(asked),
            ..failure(world.now)
        };
        world.breakers.fail(&"a".into(), attempt, &retry, failure);
        world.now += Duration::from_millis(30);
    }
    assert!(!world.allows("a"));
    world.now += asked;
    assert_eq!(world.endpoint("a"), Some(0));
}

#[test]
fn another_endpoint_is_used_while_the_first_is_out_of_service() {
    let mut world = World::new(3);
    assert_eq!(world.breakers.current(), 0);
    world.fail("a", Scope::Endpoint);
    assert_eq!(world.breakers.endpoint_outage(0), Some((world.now, 1)));
    assert_eq!(world.breakers.endpoint_outage(1), None);
    assert_eq!(world.endpoint("a"), Some(1));
    assert_eq!(world.breakers.current(), 1);
    world.fail("a", Scope::Endpoint);
    assert_eq!(world.endpoint("b"), Some(2));
}

#[test]
fn an_endpoint_that_fails_the_only_database_is_left_once_another_one_has_taken_it() {
    let mut world = World::new(2);
    world.fail("a", Scope::Unclear);
    world.now += Duration::from_millis(30);
    assert_eq!(world.endpoint("a"), Some(1));
    world.succeed("a");
    assert_eq!(world.breakers.current(), 1);
    world.breakers.forget(&"a".into());
    assert_eq!(
        world.endpoint("a"),
        Some(1),
        "also when nothing of it is pending"
    );
}

#[test]
fn a_database_that_has_left_an_endpoint_goes_on_to_the_next_one_and_not_back() {
    let mut world = World::new(3);
    world.fail("a", Scope::Database);
    world.now += Duration::from_millis(30);
    world.fail("a", Scope::Endpoint);
    assert_eq!(world.endpoint("a"), Some(2));
    assert_eq!(world.endpoint("b"), Some(0), "others stay");
}

#[test]
fn a_change_lets_everything_be_tried() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.fail("a2", Scope::Endpoint);
    world.breakers.retry_now(world.now);
    assert!(world.allows("a"));
}

#[test]
fn what_is_forgotten_has_not_failed() {
    let mut world = World::new(1);
    world.fail("a", Scope::Unclear);
    world.breakers.forget(&"a".into());
    assert!(!world.breakers.any_fails());
    assert!(world.is_ready(&"a".into()));
    assert!(
        !world.fail("b", Scope::Unclear).endpoint,
        "a counts no longer"
    );
}

#[test]
fn a_server_that_comes_up_serves_databases_that_have_not_failed_beside_those_that_do() {
    let mut world = World::new(1);
    world.fail("bad", Scope::Endpoint);
    world.now += LATER;
    world.fail("bad", Scope::Unclear);
    assert!(
        world.allows("good"),
        "it answers: whatever it has against bad"
    );
}

#[test]
fn the_same_fault_of_two_databases_lasts_until_something_succeeds() {
    let mut world = World::new(1);
    world.fail("a", Scope::Database);
    assert!(world.fail("b", Scope::Database).endpoint);
    for name in ["a", "b", "a", "a", "b"] {
        world.now += LATER;
        let opened = world.fail(name, Scope::Database);
        assert!(
            opened.is_endpoints && !opened.endpoint,
            "{name}: {opened:?}"
        );
    }
    world.now += LATER;
    assert!(world.succeed("a").endpoint.is_some());
}

#[test]
fn a_database_whose_path_fails_while_others_work_does_not_stop_the_endpoint_again_and_again() {
    let mut world = World::new(1);
    assert!(world.fail("bad", Scope::Path).endpoint);
    for _ in 0..5 {
        world.succeed("good");
        world.now += LATER;
        let opened = world.fail("bad", Scope::Path);
        assert!(!opened.endpoint && !opened.is_endpoints, "{opened:?}");
    }
}

#[test]
fn all_that_failed_for_a_path_is_tried_at_once_when_it_works() {
    let mut world = World::new(1);
    world.fail("a", Scope::Path);
    world.fail("b", Scope::Path);
    assert_eq!(world.succeed("c").freed.len(), 2);
}

#[test]
fn databases_that_fail_at_both_endpoints_stop_both() {
    let mut world = World::new(2);
    for name in ["a", "b"] {
        world.fail(name, Scope::Unclear);
        world.now += Duration::from_millis(30);
        world.fail(name, Scope::Unclear);
    }
    let outages = [0, 1].map(|endpoint| world.breakers.endpoint_outage(endpoint).is_some());
    assert_eq!(outages, [true, true]);
}

#[test]
fn where_no_other_endpoint_works_a_server_is_given_the_time_that_it_asks_for() {
    let mut world = World::new(2);
    let attempt = world.breakers.send(&"x".into(), 1, world.now);
    let refused = Retry::new(Scope::Endpoint, Cause::Unavailable, "refused");
    world
        .breakers
        .fail(&"x".into(), attempt, &refused, failure(world.now));
    let asked = Duration::from_secs(30);
    let attempt = world.send("a");
    let busy = Retry::new(Scope::Unclear, Cause::Unavailable, "busy");
    let failure = Failure {
        not_before: Some(asked),
        ..failure(world.now)
    };
    world.breakers.fail(&"a".into(), attempt, &busy, failure);
    world.now += asked / 2;
    assert!(!world.allows("a"));
}

#[test]
fn an_endpoint_that_is_back_gets_one_batch_and_is_used_again_only_if_that_succeeds() {
    let mut world = World::new(3);
    world.fail("a", Scope::Endpoint);
    world.fail("a", Scope::Endpoint);
    assert_eq!(world.breakers.current(), 2);
    // It is not its turn, although its breaker would let a probe through.
    world.now += LATER;
    assert_eq!(world.endpoint("a"), Some(2));

    let now = world.now;
    world.breakers.fail_back(1, now);
    world.breakers.fail_back(0, now);
    let probe = world.send("a");
    assert_eq!(probe.endpoint, 0);
    // One batch, the others go where they went.
    assert_eq!(world.endpoint("b"), Some(2));
    let retry = Retry::new(Scope::Endpoint, Cause::Configuration, "why");
    world
        .breakers
        .fail(&"a".into(), probe, &retry, failure(now));
    assert_eq!(
        (world.breakers.current(), world.endpoint("a")),
        (2, Some(2))
    );

    // At once, however long its breaker is open.
    world.breakers.fail_back(0, now);
    assert_eq!(world.endpoint("a"), Some(0));
    world.succeed("a");
    assert_eq!(
        (world.breakers.current(), world.endpoint("a")),
        (0, Some(0))
    );
    // What comes after the one in use is no way back.
    world.breakers.fail_back(1, now);
    assert_eq!(world.endpoint("a"), Some(0));
}

#[test]
fn after_a_failure_the_first_in_order_that_works_is_used() {
    let mut world = World::new(3);
    world.fail("a", Scope::Endpoint);
    world.fail("a", Scope::Endpoint);
    let now = world.now;
    world.breakers.fail_back(0, now);
    world.succeed("a");
    world.breakers.retry_now(now);
    world.fail("a", Scope::Endpoint);
    assert_eq!(
        world.breakers.current(),
        2,
        "the only one that has not failed"
    );
}
