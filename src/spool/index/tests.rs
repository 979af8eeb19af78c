use std::time::Duration;

use super::{entry::MAX_FAILED_POSTS, *};
use crate::delivery::retry_history::RetryHistory;

fn name(sequence: u64, database: &str) -> FileName {
    FileName {
        sequence,
        newest: 1_000 * sequence,
        lines: 10,
        database: database.to_owned(),
        is_compressed: false,
    }
}

fn index(files: &[(u64, &str)]) -> Index {
    let mut index = Index::default();
    for (sequence, database) in files {
        index.recover(name(*sequence, database), 100, *sequence);
    }
    index
}

fn next(index: &mut Index) -> Option<u64> {
    let (FileId(id), _) = index.next(usize::MAX)?;
    index.loaded(FileId(id), 1);
    Some(id)
}

#[test]
fn files_are_read_from_the_oldest_on_a_few_at_a_time() {
    let mut index = index(&[(7, "a"), (3, "b"), (5, "a"), (9, "c"), (11, "a")]);
    let ids: Vec<_> = std::iter::from_fn(|| next(&mut index)).collect();
    assert_eq!(ids, [3, 5, 7, 9]);
    assert_eq!(index.release(FileId(5)), Some(name(5, "a")));
    assert_eq!(next(&mut index), Some(11));
    assert_eq!((next(&mut index), index.len()), (None, 4));
}

#[test]
fn fewer_are_read_where_no_server_is_known_to_work() {
    let mut index = index(&[(1, "a"), (2, "b")]);
    assert!(index.next(1).is_some());
    assert!(index.next(1).is_none());
}

#[test]
fn a_database_that_fails_has_one_file_loaded_and_holds_up_no_other() {
    let bad: Vec<_> = (1..=20).map(|at| (at, "bad")).collect();
    let mut index = index(&bad);
    index.recover(name(21, "good"), 100, 21);
    index.recover(name(22, "good"), 100, 22);
    assert_eq!(next(&mut index), Some(1));
    index.set_fails("bad", true);
    assert_eq!(next(&mut index), Some(21));
    assert_eq!(next(&mut index), Some(22));
    assert_eq!(next(&mut index), None);
    index.set_fails("bad", false);
    assert_eq!(next(&mut index), Some(2));
}

#[test]
fn a_database_whose_failing_file_has_gone_is_tried_with_the_next() {
    let mut index = index(&[(1, "bad"), (2, "bad")]);
    next(&mut index);
    index.set_fails("bad", true);
    assert_eq!(next(&mut index), None);
    index.release(FileId(1));
    assert_eq!(next(&mut index), Some(2));
}

#[test]
fn any_number_of_failing_databases_holds_up_no_other() {
    let mut index = Index::default();
    for at in 1..=100 {
        index.recover(name(at, &format!("bad{at}")), 100, at);
    }
    index.recover(name(101, "good"), 100, 101);
    for _ in 1..=100 {
        let id = next(&mut index).unwrap();
        index.set_fails(&format!("bad{id}"), true);
    }
    assert_eq!(next(&mut index), Some(101));
}

#[test]
fn large_files_of_failing_databases_hold_up_no_other() {
    let mut index = Index::default();
    for at in 1..=20 {
        index.recover(name(at, &format!("bad{at}")), 1 << 20, at);
    }
    index.recover(name(21, "good"), 100, 21);
    for _ in 1..=20 {
        let id = next(&mut index).unwrap();
        index.set_fails(&format!("bad{id}"), true);
    }
    assert_eq!(next(&mut index), Some(21));
}

const KEPT: Progress = Progress::Kept { may_be_bad: false };

#[test]
fn files_whose_lines_do_not_get_on_hold_up_no_other() {
    let fail = |index: &mut Index, id| index.note_progress(FileId(id), KEPT);
    let look_into = |index: &mut Index, id| {
        (0..MAX_FAILED_POSTS).for_each(|_| index.note_progress(FileId(id), Progress::Isolating));
    };
    let set_stuck = |index: &mut Index, id| index.set_stuck(FileId(id));
    for stop in [fail, look_into, set_stuck] {
        for name in ["a", SEVERAL] {
            let mut index = index(&[1, 2, 3, 4].map(|at| (at, name)));
            index.recover(self::name(5, "good"), 100, 5);
            while let Some(id) = next(&mut index) {
                assert!(id < 5);
            }
            stop(&mut index, 1);
            assert_eq!(next(&mut index), Some(5), "{name}");
            assert_eq!(next(&mut index), None, "{name}");
        }
    }
}

#[test]
fn lines_that_are_written_make_a_file_get_on_again_unless_it_takes_very_long() {
    let mut index = index(&[1, 2, 3, 4, 5, 6].map(|at| (at, "a")));
    while next(&mut index).is_some() {}
    index.note_progress(FileId(1), KEPT);
    index.note_progress(FileId(1), Progress::Written);
    assert_eq!(next(&mut index), None);
    for _ in 0..MAX_FAILED_POSTS {
        index.note_progress(FileId(1), Progress::Isolating);
        index.note_progress(FileId(1), Progress::Written);
    }
    assert_eq!((next(&mut index), next(&mut index)), (Some(5), None));
}

#[test]
fn what_is_stuck_is_bounded_in_bytes() {
    let mut index = Index::default();
    for at in 1..=40 {
        index.recover(name(at, SEVERAL), 1 << 20, at);
    }
    let mut loaded = 0;
    while let Some(id) = next(&mut index) {
        loaded += 1;
        index.set_stuck(FileId(id));
    }
    assert_eq!(loaded, 16);
    index.recover(name(41, "good"), 100, 41);
    assert_eq!(next(&mut index), Some(41), "it has none loaded");
}

#[test]
fn a_line_that_may_be_bad_keeps_no_other_file_of_its_database_from_being_read() {
    for progress in [Progress::Written, Progress::Kept { may_be_bad: true }] {
        let mut index = index(&[(1, "a"), (2, "a"), (3, "a")]);
        next(&mut index);
        index.note_progress(FileId(1), progress);
        index.note_progress(FileId(1), KEPT);
        index.set_fails("a", true);
        assert_eq!((next(&mut index), next(&mut index)), (Some(2), None));
    }
}

#[test]
fn a_file_goes_when_the_last_batch_that_needs_it_is_settled() {
    let mut index = index(&[(1, "+several")]);
    index.next(usize::MAX);
    index.loaded(FileId(1), 2);
    index.hold(FileId(1));
    assert_eq!(index.release(FileId(1)), None);
    assert_eq!(index.release(FileId(1)), None);
    assert_eq!(index.release(FileId(1)), Some(name(1, "+several")));
    assert_eq!((index.len(), index.bytes(), index.lines()), (0, 0, 0));
    let id = index.copied(name(2, "a"), 50, 1);
    assert_eq!((index.bytes(), index.lines()), (50, 0));
    assert!(index.release(id).is_some());
}

#[test]
fn for_room_the_oldest_go_but_never_what_is_in_memory_too() {
    let mut index = index(&[(1, "a"), (2, "a"), (3, "b"), (4, "a")]);
    next(&mut index);
    index.copied(name(5, "a"), 100, 1);
    let out = index.make_room(100, 400);
    let gone: Vec<_> = out.iter().map(|entry| entry.name.sequence).collect();
    assert_eq!(gone, [2, 3]);
    assert!(index.has_room(100, 400) && !index.has_room(101, 400));
    assert!(index.make_room(201, 400).is_empty(), "it is never enough");
    assert_eq!((index.len(), index.lines()), (3, 10));
    assert_eq!(index.make_room(200, 400).len(), 1);
    assert_eq!((index.len(), index.lines()), (2, 0));
}

#[test]
fn what_came_before_the_limit_expires() {
    let mut index = index(&[(1, "a"), (2, "a"), (3, "a")]);
    let limit = SystemTime::UNIX_EPOCH + Duration::from_secs(3);
    assert_eq!(index.oldest(), Some(name(1, "a").time()));
    assert_eq!(index.expire(limit).len(), 2);
    assert_eq!((index.len(), index.lines()), (1, 10));
    assert_eq!(next(&mut index), Some(3));
}

#[test]
fn what_is_old_expires_also_behind_what_is_newer() {
    let mut index = index(&[(1, "a"), (3, "a")]);
    let old = FileName {
        newest: 500,
        ..name(4, "a")
    };
    index.recover(old.clone(), 100, 4);
    assert_eq!(index.oldest(), Some(old.time()));
    let expired = index.expire(name(1, "a").time());
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].name, old);
}

#[test]
fn what_waits_is_told_by_the_numbers_of_its_batches() {
    let mut index = index(&[(1, "a")]);
    let spooled = |number| SpooledBatch {
        database: "a".into(),
        number,
        lines: 5,
        history: RetryHistory::default(),
        tickets: Vec::new(),
    };
    index.stored(name(2, "a"), 100, vec![spooled(70), spooled(60)]);
    assert_eq!((index.waiting_below(60), index.waiting_below(61)), (10, 20));
    next(&mut index);
    assert!(!index.is_waiting_below(60) && index.is_waiting_below(61));
    let (id, _) = index.next(usize::MAX).unwrap();
    let spooled_batches = index.loaded(id, 2).unwrap();
    assert_eq!((spooled_batches.len(), index.waiting_below(100)), (2, 0));
}

#[test]
fn a_file_that_can_not_be_read_is_left_alone_in_the_end_and_nobody_waits_for_it() {
    let mut index = index(&[(1, "a"), (2, "a")]);
    for expected in [false, false, true] {
        let (id, _) = index.next(1).unwrap();
        assert_eq!(id, FileId(1));
        assert_eq!(index.not_loaded(id, false), expected);
    }
    assert_eq!(next(&mut index), Some(2));
    assert_eq!((index.waiting_below(100), index.lines()), (0, 10));
    let mut index = self::index(&[(1, "a")]);
    index.next(1);
    assert!(index.not_loaded(FileId(1), true));
    assert_eq!(index.make_room(100, 100).len(), 1);
}
