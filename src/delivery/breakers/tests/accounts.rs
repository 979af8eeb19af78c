use super::*;

#[test]
fn no_database_fails_any_more_once_those_that_did_are_written_or_forgotten() {
    let mut world = World::new(1);
    for database in ["a", "b"] {
        world.fail(database, Scope::Database);
        assert!(world.breakers.any_fails());
    }
    world.now += LATER;
    world.succeed("a");
    assert!(world.breakers.any_fails());
    world.breakers.forget(&"b".into());
    assert!(!world.breakers.any_fails());
    world.fail("a", Scope::Database);
    assert!(world.breakers.any_fails());
}

#[test]
fn what_is_sent_of_a_database_that_has_failed_is_a_probe_until_it_is_written() {
    let mut world = World::new(1);
    assert!(!world.send("a").is_probe);
    world.fail("a", Scope::Database);
    world.now += LATER;
    let attempt = world.send("a");
    assert!(attempt.is_probe);
    world.breakers.succeed(&"a".into(), attempt, world.now);
    assert!(!world.send("a").is_probe);
}

#[test]
fn a_database_that_is_written_at_another_endpoint_leaves_the_one_in_use_in_use() {
    let mut world = World::new(2);
    world.fail("a", Scope::Unclear);
    world.succeed("b");
    world.now += LATER;
    let attempt = world.send("a");
    assert_eq!(attempt.endpoint, 1);
    world.breakers.succeed(&"a".into(), attempt, world.now);
    assert_eq!(world.breakers.current(), 0);
    assert_eq!(
        (world.endpoint("a"), world.endpoint("b")),
        (Some(1), Some(0))
    );
}

#[test]
fn at_any_endpoint_a_database_that_fails_all_along_says_nothing_new_of_it() {
    for endpoint in 0..3 {
        let mut world = World::new(3);
        let fail = |world: &mut World, database: &'static str| {
            world.now += LATER;
            let database = database.into();
            let attempt = world.breakers.send(&database, endpoint, world.now);
            let retry = Retry::new(Scope::Unclear, Cause::Unavailable, "why");
            let failure = failure(world.now);
            world.breakers.fail(&database, attempt, &retry, failure).0
        };
        assert!(!fail(&mut world, "bad").endpoint);
        let attempt = world.breakers.send(&"good".into(), endpoint, world.now);
        world.breakers.succeed(&"good".into(), attempt, world.now);
        assert!(!fail(&mut world, "new").endpoint);
        assert!(!fail(&mut world, "bad").endpoint, "it did before");
        assert!(fail(&mut world, "newer").endpoint);
    }
}

#[test]
fn a_ping_that_the_endpoint_in_use_answers_makes_it_no_earlier() {
    let mut world = World::new(1);
    world.fail("a", Scope::Endpoint);
    world.breakers.fail_back(0, world.now);
    assert!(!world.allows("a"));
}
