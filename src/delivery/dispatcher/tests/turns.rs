use super::*;

impl World {
    /// A database that fails, one of whose batches waits.
    fn with_a_failing_database(answer: Answer) -> Self {
        let mut world = Self::new();
        world.add("bad", 1);
        let (loan, database) = world.send().unwrap();
        world.answer(loan, database, answer);
        world
    }
}

#[test]
fn databases_that_have_proved_nothing_have_half_of_the_writers_while_another_fails() {
    let mut world = World::with_a_failing_database(Answer::Missing);
    for number in 0..2 * WRITERS {
        world.add(&format!("db{number}"), 1);
    }
    let sent: Vec<_> = std::iter::from_fn(|| world.send()).collect();
    assert_eq!(sent.len(), WRITERS / 2);
    // Those that have proved themselves have the others too.
    for (loan, database) in sent {
        world.answer(loan, database, Answer::Written);
    }
    for number in 0..2 * WRITERS {
        world.add(&format!("db{number}"), 1);
    }
    let sent = std::iter::from_fn(|| world.send()).count();
    assert_eq!(sent, WRITERS / 2 + WRITERS / 2);
}

#[test]
fn a_database_that_has_proved_nothing_has_one_batch_out_while_another_fails() {
    for fails in [false, true] {
        let mut world = match fails {
            true => World::with_a_failing_database(Answer::Missing),
            false => World::new(),
        };
        world
            .dispatcher
            .set_limits(BatchLimits { lines: 1, ..LIMITS }, None);
        world.add("new", 3);
        let sent = std::iter::from_fn(|| world.send()).count();
        assert_eq!(sent, if fails { 1 } else { 3 });
    }
}

#[test]
fn what_waits_for_its_time_is_sent_at_once_when_something_has_changed() {
    for answer in [Answer::Missing, Answer::Fails, Answer::NotConnected] {
        let mut world = World::with_a_failing_database(answer);
        assert!(world.send().is_none());
        world.dispatcher.retry_now(world.now);
        assert!(world.send().is_some(), "{answer:?}");

        let mut world = World::with_a_failing_database(answer);
        world.dispatcher.set_endpoints(1, world.now);
        assert!(world.send().is_some(), "{answer:?}");
    }
    let mut world = World::with_a_failing_database(Answer::Missing);
    world
        .dispatcher
        .retry_database_now(&"another".into(), world.now);
    assert!(world.send().is_none());
    world
        .dispatcher
        .retry_database_now(&"bad".into(), world.now);
    assert!(world.send().is_some());
}

#[test]
fn an_answer_of_an_endpoint_that_is_not_in_use_any_more_tells_nothing_of_those_that_are() {
    let mut world = World::new();
    world.add("a", 1);
    let (loan, database) = world.send().unwrap();
    assert_eq!(world.dispatcher.endpoint(loan), Some(0));
    for _ in 0..2 {
        world.dispatcher.set_endpoints(1, world.now);
        assert_eq!(world.dispatcher.endpoint(loan), None);
    }
    world.answer(loan, database, Answer::NotConnected);
    assert!(world.dispatcher.breakers().any_in_service());
    assert_eq!(world.dispatcher.in_flight(), 0);
    assert!(world.send().is_some());
}

#[test]
fn each_database_has_its_part_of_the_writers() {
    for databases in [1, 2, 3, 10] {
        let mut world = World::new();
        let limits = BatchLimits { lines: 1, ..LIMITS };
        world.dispatcher.set_limits(limits, None);
        for number in 0..databases {
            world.add(&format!("db{number}"), 2 * WRITERS);
        }
        let mut out = HashMap::<Database, usize>::default();
        while let Some((_, database)) = world.send() {
            *out.entry(database).or_default() += 1;
        }
        assert_eq!(out.len(), databases);
        assert!(out.values().all(|count| *count == WRITERS / databases));
    }
}
