//! Tests of eviction and expiry, and of what a returned batch keeps.

use std::time::Duration;

use super::*;
use crate::delivery::retry_history::RetryHistory;

const SECOND: Duration = Duration::from_secs(1);

fn sealed(count: usize, origin: Origin, number: Option<u64>, now: Instant) -> SealedBatch {
    SealedBatch {
        database: "a".into(),
        batch: lines(count).seal(true),
        origin,
        number,
        history: RetryHistory::default(),
        files: vec![FileId(1)],
        newest: now,
    }
}

#[test]
fn of_databases_that_grow_the_oldest_above_its_share_goes_first() {
    let now = Instant::now();
    let batches = [("a", 3), ("b", 6), ("c", 1), ("a", 3), ("b", 2)];
    let mut backlog = backlog(&batches);
    // Of 15 lines, a share is 5.
    let evicted = backlog.evict(Overflow::DropOldest).unwrap();
    let lines = evicted.batch.lines.len();
    assert_eq!((evicted.database.name(), lines), ("a", 6));
    let evicted = backlog.evict_to_disk().unwrap();
    assert_eq!(evicted.database.name(), "b");
    backlog.put_back(evicted, now);
    assert_eq!(backlog.pending(&"b".into()), 8);
}

#[test]
fn parts_are_known_of_until_they_are_lent() {
    let mut backlog = backlog(&[("a", 4)]);
    let (id, _) = lease(&mut backlog).unwrap();
    assert!(!backlog.has_parts(&"a".into()));
    let halves = [
        (0..2, RunResult::ResendApart),
        (2..4, RunResult::ResendApart),
    ];
    backlog.settle(id, halves, PartPosition::Behind);
    for left in [true, true, false] {
        assert_eq!(backlog.has_parts(&"a".into()), left);
        lease(&mut backlog);
    }
    assert!(!backlog.has_parts(&"b".into()));
}

#[test]
fn of_two_databases_the_larger_gives_way_to_what_is_new() {
    let mut backlog = backlog(&[("a", 2), ("b", 1), ("a", 1)]);
    let evicted = backlog.evict(Overflow::DropNewest).unwrap();
    let lines = evicted.batch.lines.len();
    assert_eq!((evicted.database.name(), lines), ("a", 3));
}

#[test]
fn a_database_that_has_only_what_is_out_or_on_disk_gives_nothing_up() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let now = Instant::now();
        let mut backlog = backlog(&[("a", 10)]);
        lease(&mut backlog).unwrap();
        backlog.add_sealed(sealed(10, Origin::Loaded, None, now));
        backlog.add("b".into(), lines(2), now);
        let evicted = backlog.evict(overflow).unwrap();
        assert_eq!(evicted.database.name(), "b", "{overflow:?}");
        assert!(backlog.evict(overflow).is_none());
    }
}

#[test]
fn a_batch_that_grows_expires_too_and_not_before_its_newest_line_is_older_than_the_limit() {
    let start = Instant::now();
    let mut backlog = Backlog::new(LIMITS);
    backlog.add("a".into(), lines(1), start);
    backlog.add("a".into(), lines(2), start + SECOND);
    assert_eq!(backlog.oldest_began(), Some(start));
    assert_eq!(backlog.oldest(), Some(start + SECOND));
    assert!(backlog.expire(start + SECOND).is_empty());
    let expired = backlog.expire(start + 2 * SECOND);
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].batch.lines.len(), 3);
    assert_eq!((backlog.oldest_began(), backlog.oldest()), (None, None));
}

#[test]
fn numbers_are_given_once_and_in_order() {
    let now = Instant::now();
    let mut backlog = Backlog::new(LIMITS);
    let mut numbers = vec![backlog.take_number(), backlog.take_number()];
    backlog.add("a".into(), lines(1), now);
    numbers.push(backlog.evict_to_disk().unwrap().number);
    numbers.push(backlog.take_number());
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    let old = [(); 3].map(|()| backlog.take_old_number());
    assert!(old[0] < old[1] && old[1] < old[2] && old[2] < numbers[0]);
}

#[test]
fn what_came_before_a_batch_that_is_sealed_goes_before_it() {
    let now = Instant::now();
    for (origin, order) in [
        (
            Origin::WrittenAhead,
            &[(3, true), (5, false), (4, true)][..],
        ),
        // Of its own kind; the others grow on.
        (Origin::Loaded, &[(7, true), (5, false)]),
    ] {
        let mut backlog = backlog(&[("a", 3)]);
        let number = (origin == Origin::WrittenAhead).then(|| backlog.take_number());
        backlog.add_sealed(sealed(5, origin, number, now));
        backlog.add("a".into(), lines(4), now);
        let leased = std::iter::from_fn(|| backlog.lease(&"a".into(), usize::MAX, (0, 0), now));
        let leased: Vec<_> = leased.map(|it| (it.lines.len(), it.is_first)).collect();
        assert_eq!(leased, order, "{origin:?}");
    }
}

#[test]
fn a_batch_that_could_not_be_put_on_disk_is_what_it_was() {
    let now = Instant::now();
    let mut backlog = backlog(&[("b", 1)]);
    let number = Some(backlog.take_number());
    backlog.add_sealed(sealed(5, Origin::WrittenAhead, number, now));
    for _ in 0..2 {
        let evicted = backlog.evict_to_disk().unwrap();
        assert_eq!(
            (evicted.origin, evicted.passed_sampling),
            (Origin::WrittenAhead, true)
        );
        assert_eq!(evicted.files, [FileId(1)]);
        assert_eq!(backlog.pending(&"a".into()), 0);
        backlog.put_back(evicted, now);
        assert_eq!(backlog.pending(&"a".into()), 5);
        let largest = backlog.databases().next().unwrap();
        assert_eq!((largest.0.name(), largest.1), ("a", 5));
    }
}
