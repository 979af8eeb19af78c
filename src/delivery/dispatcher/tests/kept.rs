//! What becomes of a batch that is kept, and what is held against its database.

use super::*;
use crate::delivery::isolation::NamedLines;

impl World {
    /// A database with these lines, each a batch of its own where that is asked for.
    fn with_lines(texts: &[&str], one_by_one: bool) -> Self {
        let mut world = Self::new();
        if one_by_one {
            let limits = BatchLimits { lines: 1, ..LIMITS };
            world.dispatcher.set_limits(limits, None);
        }
        world.dispatcher.add("db".into(), lines(texts), world.now);
        world
    }

    /// Sends the next batch: its lease, and the first word of each of its lines.
    fn send_lines(&mut self) -> (LeaseId, Vec<String>) {
        match self.dispatcher.next(WRITERS, self.now, || true) {
            Some(NextUp::Send(dispatch)) => {
                let word = |line: &[u8]| {
                    line.iter()
                        .take_while(|byte| **byte != b' ')
                        .copied()
                        .collect()
                };
                let words = dispatch
                    .lines
                    .iter()
                    .map(word)
                    .map(|word| String::from_utf8(word).unwrap());
                (dispatch.lease, words.collect())
            }
            other => panic!("{other:?}"),
        }
    }

    fn timing_with(&self, random: f64) -> RetryTiming {
        RetryTiming {
            now: self.now,
            random,
            max_delay: 60 * SECOND,
        }
    }

    fn record(&self) -> &crate::delivery::database_records::DatabaseRecord {
        self.dispatcher.records.get(&"db".into()).unwrap()
    }
}

const FOUR: [&str; 4] = ["a f=1 1", "b f=1 1", "c f=1 1", "d f=1 1"];

fn unknown() -> Retry {
    Retry::new(
        crate::delivery::verdict::Scope::Unclear,
        Cause::Unknown,
        "why",
    )
}

#[test]
fn a_failure_counts_against_the_database_unless_others_of_it_pass() {
    let mut world = World::with_lines(&FOUR, true);
    let [(first, _), (second, _), (third, _)] = [(); 3].map(|()| world.send_lines());
    world.dispatcher.written(second, world.now, TIMEOUT);
    let outcome = world
        .dispatcher
        .failed(first, &unknown(), world.timing_with(0.5));
    assert!(!outcome.counts && !outcome.opened.database);
    assert_eq!(outcome.kept_lines, Some(1));
    assert_eq!(world.record().failed, 1);
    // The third was sent before any was written too, and the fourth was not.
    world
        .dispatcher
        .failed(third, &unknown(), world.timing_with(0.5));
    assert_eq!(world.record().failed, 2);
    world.now += 60 * SECOND;
    loop {
        let (lease, words) = world.send_lines();
        if words == ["d"] {
            let outcome = world
                .dispatcher
                .failed(lease, &unknown(), world.timing_with(0.5));
            assert!(outcome.counts && outcome.opened.database);
            break;
        }
    }
    assert_eq!((world.record().failed, world.record().written), (3, 1));
}

#[test]
fn a_batch_that_fails_for_what_it_may_hold_lets_another_go_before_it_in_time_and_no_other_does() {
    for (answer, is_let) in [
        (Answer::Fails, true),
        (Answer::Silent, true),
        (Answer::Missing, false),
        (Answer::Unavailable, false),
    ] {
        let mut world = World::with_lines(&FOUR[..2], true);
        let mut sent = Vec::new();
        for _ in 0..3 {
            let (lease, words) = world.send_lines();
            world.answer(lease, "db".into(), answer);
            sent.extend(words);
            world.now += 60 * SECOND;
        }
        assert_eq!(
            sent.contains(&"b".to_owned()),
            is_let,
            "{answer:?} {sent:?}"
        );
    }
}

#[test]
fn which_half_of_a_batch_is_looked_into_first_is_left_to_chance() {
    for (random, half) in [(0.2, ["c", "d"]), (0.7, ["a", "b"])] {
        let mut world = World::with_lines(&FOUR, false);
        let (lease, words) = world.send_lines();
        assert_eq!(words.len(), 4);
        world
            .dispatcher
            .refused(lease, &refusal(), world.timing_with(random));
        assert_eq!(world.send_lines().1, half, "refused, {random}");

        let mut world = World::with_lines(&FOUR, false);
        for _ in 0..2 {
            let (lease, _) = world.send_lines();
            world
                .dispatcher
                .failed(lease, &unknown(), world.timing_with(random));
            world.now += 60 * SECOND;
        }
        assert_eq!(world.send_lines().1, half, "failed, {random}");
    }
}

#[test]
fn halving_stops_for_words_that_a_half_is_refused_with_too_and_not_for_a_single_line() {
    let mut world = World::with_lines(&FOUR, false);
    let (lease, _) = world.send_lines();
    world
        .dispatcher
        .refused(lease, &refusal(), world.timing_with(0.7));
    assert_eq!(world.record().halving_stopped_for, None);
    let (lease, _) = world.send_lines();
    world
        .dispatcher
        .refused(lease, &refusal(), world.timing_with(0.7));
    assert!(world.record().halving_stopped_for.is_some());

    let mut world = World::with_lines(&FOUR[..1], false);
    let (lease, _) = world.send_lines();
    let outcome = world
        .dispatcher
        .refused(lease, &refusal(), world.timing_with(0.7));
    assert_eq!(
        (outcome.kept_lines, world.record().halving_stopped_for),
        (Some(1), None)
    );
}

#[test]
fn what_is_left_of_a_batch_whose_bad_lines_are_named_one_by_one_is_halved_after_some() {
    let mut world = World::with_lines(&["m f=1 1"; 100], false);
    let sizes = [(); 10].map(|()| {
        let (lease, words) = world.send_lines();
        world.dispatcher.answered(lease, world.now);
        let named = NamedLines::Some([(0, "bad".to_owned())].into());
        world.dispatcher.named(lease, named, &refusal(), world.now);
        words.len()
    });
    assert_eq!(sizes, [100, 99, 98, 97, 96, 95, 94, 93, 64, 28]);
}
