use super::*;
use crate::Overflow;
use crate::delivery::verdict::Cause;

mod eviction;

fn lines(count: usize) -> OpenBatch {
    let mut batch = OpenBatch::default();
    for _ in 0..count {
        batch.push(b"m f=1 1\n");
    }
    batch
}

const LIMITS: BatchLimits = BatchLimits {
    lines: 10,
    bytes: 1 << 20,
};

fn backlog(batches: &[(&'static str, usize)]) -> Backlog {
    let mut backlog = Backlog::new(LIMITS);
    for (database, count) in batches {
        backlog.add((*database).into(), lines(*count), Instant::now());
    }
    backlog
}

/// The next batch of database `a`, and how many lines it has.
fn lease(backlog: &mut Backlog) -> Option<(LeaseId, usize)> {
    lend_at(backlog, Instant::now())
}

fn lend_at(backlog: &mut Backlog, now: Instant) -> Option<(LeaseId, usize)> {
    let leased = backlog.lease(&"a".into(), usize::MAX, (0, 0), now)?;
    Some((leased.id, leased.lines.len()))
}

fn counts(backlog: &mut Backlog) -> Vec<usize> {
    let all = std::iter::from_fn(|| lease(backlog));
    all.map(|(_, count)| count).collect()
}

fn written(backlog: &mut Backlog, id: LeaseId) -> Vec<Settled> {
    let all = 0..backlog.lines(id).unwrap().len();
    let written = (all, RunResult::Ended(Disposition::Written));
    backlog.settle(id, [written], PartPosition::Behind)
}

#[test]
fn what_comes_from_several_threads_is_one_batch_up_to_the_limit() {
    let mut backlog = backlog(&[("a", 4), ("a", 6), ("a", 1)]);
    assert_eq!(counts(&mut backlog), [10, 1]);
}

#[test]
fn what_is_given_back_goes_to_the_head_of_its_queue() {
    let mut backlog = backlog(&[("a", 10), ("a", 3)]);
    let (first, _) = lease(&mut backlog).unwrap();
    backlog.requeue(first);
    assert_eq!(counts(&mut backlog), [10, 3]);
}

#[test]
fn what_waits_is_cut_to_limits_that_are_lower_now() {
    let mut backlog = backlog(&[("a", 10), ("a", 3)]);
    backlog.seal_all();
    let limits = BatchLimits { lines: 4, ..LIMITS };
    backlog.set_limits(limits, None);
    assert_eq!(counts(&mut backlog), [4, 4, 2, 3]);
}

#[test]
fn what_is_lent_is_cut_to_the_pace_of_its_database_but_holds_a_line_at_least() {
    let mut backlog = backlog(&[("a", 5)]);
    let mut lease = |bytes| {
        let leased = backlog.lease(&"a".into(), bytes, (0, 0), Instant::now());
        leased.map(|leased| (leased.lines.len(), leased.is_first))
    };
    assert_eq!(lease(16), Some((2, true)));
    assert_eq!(lease(1), Some((1, true)));
    assert_eq!(lease(1 << 10), Some((2, true)));
    assert_eq!(lease(1), None);
}

#[test]
fn a_concluded_batch_leaves_the_books_line_by_line() {
    let mut backlog = backlog(&[("a", 5)]);
    let mark = backlog.seal_all();
    let (id, _) = lease(&mut backlog).unwrap();
    let rejected = Disposition::Rejected {
        reason: "bad".to_owned(),
    };
    let runs = [
        (0..2, RunResult::Ended(Disposition::Written)),
        (2..3, RunResult::Ended(rejected.clone())),
        (3..5, RunResult::ResendApart),
    ];
    let settled = backlog.settle(id, runs, PartPosition::Behind);
    assert_eq!(settled.len(), 2);
    assert_eq!(settled[1].disposition, rejected);
    assert_eq!(backlog.unsettled_below(mark), 2);
    let (id, count) = lease(&mut backlog).unwrap();
    assert_eq!(count, 2);
    written(&mut backlog, id);
    assert!(backlog.is_settled_below(mark));
    assert!(!backlog.has_unsettled(&"a".into()));
}

#[test]
fn parts_of_a_refused_batch_and_fresh_batches_take_turns() {
    let mut backlog = backlog(&[("a", 10), ("a", 9), ("a", 8), ("a", 7)]);
    let (id, _) = lease(&mut backlog).unwrap();
    let halves = [
        (0..5, RunResult::ResendApart),
        (5..10, RunResult::ResendApart),
    ];
    backlog.settle(id, halves, PartPosition::Behind);
    assert_eq!(counts(&mut backlog), [5, 9, 5, 8, 7]);
}

#[test]
fn parts_can_go_before_others_in_either_order() {
    for (last_first, wanted) in [(false, [1, 2, 5]), (true, [2, 1, 5])] {
        let mut backlog = backlog(&[("a", 8)]);
        let (id, _) = lease(&mut backlog).unwrap();
        let halves = [
            (0..3, RunResult::ResendApart),
            (3..8, RunResult::ResendApart),
        ];
        backlog.settle(id, halves, PartPosition::Behind);
        let (id, _) = lease(&mut backlog).unwrap();
        let place = PartPosition::Before { last_first };
        backlog.settle(
            id,
            [
                (0..1, RunResult::ResendApart),
                (1..3, RunResult::ResendApart),
            ],
            place,
        );
        assert_eq!(counts(&mut backlog), wanted);
    }
}

#[test]
fn the_part_that_was_made_first_can_be_made_the_next_one() {
    let mut backlog = backlog(&[("a", 6)]);
    let (id, _) = lease(&mut backlog).unwrap();
    let parts = [
        (0..1, RunResult::ResendApart),
        (1..3, RunResult::ResendApart),
        (3..6, RunResult::ResendApart),
    ];
    backlog.settle(id, parts, PartPosition::Behind);
    backlog.rotate_parts(&"a".into());
    assert_eq!(counts(&mut backlog), [3, 1, 2]);
}

#[test]
fn of_suspects_one_is_out_at_a_time_and_others_go_on() {
    let mut backlog = backlog(&[("a", 10), ("a", 9), ("a", 8)]);
    let two = [lease(&mut backlog).unwrap(), lease(&mut backlog).unwrap()];
    two.into_iter().for_each(|(id, _)| backlog.make_suspect(id));
    assert_eq!(counts(&mut backlog), [10, 8]);
    assert_eq!(
        backlog.due(&"a".into(), Instant::now()),
        None,
        "its return tells"
    );
}

#[test]
fn a_suspect_is_due_when_its_time_has_come() {
    let now = Instant::now();
    let delay = Duration::from_millis(500);
    let mut backlog = backlog(&[("a", 10)]);
    let (id, _) = lend_at(&mut backlog, now).unwrap();
    let history = backlog.history(id).unwrap();
    let batch_context = crate::delivery::retry_history::BatchContext {
        lines: 10,
        bytes: 80,
        written: 0,
        failed: 0,
    };
    history.failed(Cause::Unknown, batch_context);
    history.wait(now, 1.0, delay);
    backlog.make_suspect(id);
    assert_eq!(backlog.due(&"a".into(), now), Some(Due::At(now + delay)));
    assert!(lend_at(&mut backlog, now).is_none());
    assert_eq!(backlog.due(&"a".into(), now + delay), Some(Due::Now));
    let (id, _) = lend_at(&mut backlog, now + delay).unwrap();
    backlog.history(id).unwrap().wait(now, 1.0, delay);
    backlog.make_suspect(id);
    backlog.release_suspects();
    assert_eq!(backlog.due(&"a".into(), now), Some(Due::Now));
}

#[test]
fn a_mark_covers_what_was_there_and_nothing_later() {
    let mut backlog = backlog(&[("a", 2)]);
    let mark = backlog.seal_all();
    backlog.add("a".into(), lines(3), Instant::now());
    assert_eq!(backlog.unsettled_below(mark), 2);
    let (id, count) = lease(&mut backlog).unwrap();
    assert_eq!(count, 2);
    written(&mut backlog, id);
    assert!(backlog.is_settled_below(mark));
    assert!(backlog.has_unsettled(&"a".into()));
}

#[test]
fn everything_can_be_taken_out_also_what_is_lent() {
    let mut backlog = backlog(&[("a", 10), ("a", 3), ("b", 2)]);
    lease(&mut backlog).unwrap();
    let (id, _) = lease(&mut backlog).unwrap();
    backlog.make_suspect(id);
    let all = backlog.take_all();
    let lines: usize = all.iter().map(|taken| taken.batch.lines.len()).sum();
    assert_eq!(lines, 15);
    assert!(backlog.take_all().is_empty());
}

#[test]
fn an_answer_for_a_loan_that_is_no_more_changes_nothing() {
    let mut backlog = backlog(&[("a", 1)]);
    let (id, _) = lease(&mut backlog).unwrap();
    written(&mut backlog, id);
    backlog.requeue(id);
    backlog.make_suspect(id);
    let runs = [(0..1, RunResult::Ended(Disposition::Written))];
    assert!(backlog.settle(id, runs, PartPosition::Behind).is_empty());
    assert!(lease(&mut backlog).is_none());
}

#[test]
fn what_is_left_of_a_batch_does_not_keep_the_rest_in_memory() {
    let mut backlog = backlog(&[("a", 10)]);
    let (id, _) = lease(&mut backlog).unwrap();
    let runs = [
        (0..9, RunResult::Ended(Disposition::Written)),
        (9..10, RunResult::ResendApart),
    ];
    backlog.settle(id, runs, PartPosition::Behind);
    let left = backlog.lease(&"a".into(), usize::MAX, (0, 0), Instant::now());
    let left = left.unwrap().lines;
    assert_eq!(left.kept_bytes(), left.byte_len());
}

#[test]
fn when_there_is_too_much_the_oldest_or_the_newest_of_those_above_their_share_goes() {
    let evicted = |overflow, batches: &[(&'static str, usize)]| {
        let settled = backlog(batches).evict(overflow)?;
        let name = settled.database.name().to_owned();
        Some((name, settled.batch.lines.len()))
    };
    let some = |name: &str, lines| Some((name.to_owned(), lines));
    let batches = [("small", 2), ("a", 10), ("b", 10), ("b", 3), ("a", 4)];
    assert_eq!(evicted(Overflow::DropOldest, &batches), some("a", 10));
    assert_eq!(evicted(Overflow::DropNewest, &batches), some("a", 4));
    assert_eq!(
        evicted(Overflow::DropNewest, &[("a", 9)]),
        None,
        "it may hold all"
    );
    assert_eq!(evicted(Overflow::DropOldest, &[("a", 9)]), some("a", 9));
}

#[test]
fn what_expires_goes_with_the_newest_line_of_its_batch_and_nothing_that_is_out() {
    let age = Duration::from_secs(80);
    let second = Duration::from_secs(1);
    let start = Instant::now();
    let mut backlog = Backlog::new(LIMITS);
    backlog.set_limits(LIMITS, Some(age));
    // The third comes too late for the same batch.
    for (after, count) in [(0, 1), (10, 2), (11, 4)] {
        backlog.add("a".into(), lines(count), start + after * second);
    }
    backlog.add("b".into(), lines(8), start);
    backlog.lease(&"b".into(), usize::MAX, (0, 0), start);
    let mut expired = |limit| -> Vec<usize> {
        let settled = backlog.expire(limit).into_iter();
        settled
            .inspect(|run| assert_eq!(run.disposition, Disposition::Dropped(LossReason::Expired)))
            .map(|run| run.batch.lines.len())
            .collect()
    };
    assert!(expired(start + 10 * second).is_empty());
    assert_eq!(expired(start + 11 * second), [3]);
    assert_eq!(expired(start + 12 * second), [4]);
    assert_eq!(backlog.pending(&"b".into()), 8);
    assert_eq!(backlog.oldest(), Some(start));
}

proptest::proptest! {
    #[test]
    fn the_books_balance_whatever_happens(
        steps in proptest::collection::vec((0..7_u8, 0..3_usize, 1..12_usize), 1..150),
    ) {
        let names = ["a", "b", "c"];
        let mut backlog = Backlog::new(LIMITS);
        let (mut now, mut taken) = (Instant::now(), 0);
        let (mut put, mut loans) = (0, Vec::new());
        for (what, which, count) in steps {
            let database: Database = names[which].into();
            now += Duration::from_millis(10);
            match what {
                0 => {
                    put += count;
                    backlog.add(database, lines(count), now);
                }
                1 => {
                    let leased = backlog.lease(&database, count * 20, (0, 0), now);
                    loans.extend(leased.map(|leased| (leased.id, leased.lines.len())));
                }
                2 => {
                    let evicted = backlog.evict(match count % 2 {
                        0 => Overflow::DropOldest,
                        _ => Overflow::DropNewest,
                    });
                    taken += evicted.map_or(0, |run| run.batch.lines.len());
                }
                3 => {
                    let expired = backlog.expire(now - Duration::from_millis(100));
                    taken += expired.iter().map(|run| run.batch.lines.len()).sum::<usize>();
                }
                _ => {
                    let Some((id, lines)) = loans.pop() else { continue };
                    match what {
                        4 => backlog.requeue(id),
                        5 => backlog.make_suspect(id),
                        _ => {
                            let cut = count.min(lines);
                            let mut runs = vec![(0..cut, RunResult::Ended(Disposition::Written))];
                            if cut < lines {
                                runs.push((cut..lines, RunResult::ResendApart));
                            }
                            let settled = backlog.settle(id, runs, PartPosition::Behind);
                            taken += settled.iter().map(|run| run.batch.lines.len()).sum::<usize>();
                        }
                    }
                }
            }
            let pending: usize = names.iter().map(|name| backlog.pending(&(*name).into())).sum();
            proptest::prop_assert_eq!(pending, put - taken);
            proptest::prop_assert_eq!(backlog.unsettled_below(u64::MAX), pending);
            let listed: usize = backlog.databases().map(|(_, lines)| lines).sum();
            proptest::prop_assert_eq!(listed, pending);
        }
        let left: usize = backlog.take_all().iter().map(|taken| taken.batch.lines.len()).sum();
        proptest::prop_assert_eq!(left, put - taken);
    }
}
