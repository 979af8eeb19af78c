use super::*;

fn lines(count: usize) -> OpenBatch {
    let mut batch = OpenBatch::default();
    for _ in 0..count {
        batch.push(b"m f=1 1\n");
    }
    batch
}

fn backlog(batches: &[(&'static str, usize)]) -> Backlog {
    let mut backlog = Backlog::new(BatchLimits {
        lines: 10,
        bytes: 1 << 20,
    });
    for (database, count) in batches {
        backlog.add((*database).into(), lines(*count));
    }
    backlog
}

fn lend(backlog: &mut Backlog, max: usize) -> Option<(LoanId, String, usize)> {
    let lent = backlog.lend(max, |_| true)?;
    Some((lent.id, lent.database.to_string(), lent.lines.len()))
}

fn written(backlog: &mut Backlog, id: LoanId) -> Vec<Settled> {
    let all = 0..backlog.lines(id).unwrap().len();
    backlog.conclude(id, [(all, Fate::Written)])
}

#[test]
fn what_comes_from_several_trays_is_one_batch_up_to_the_limit() {
    let mut backlog = backlog(&[("a", 4), ("a", 6), ("a", 1)]);
    assert_eq!(lend(&mut backlog, 9).unwrap().2, 10);
    assert_eq!(lend(&mut backlog, 9).unwrap().2, 1);
    assert!(lend(&mut backlog, 9).is_none());
}

#[test]
fn databases_take_turns() {
    let mut backlog = backlog(&[("a", 10), ("a", 10), ("b", 1), ("c", 1)]);
    let order: Vec<_> = std::iter::from_fn(|| lend(&mut backlog, 9))
        .map(|(_, database, _)| database)
        .collect();
    assert_eq!(order, ["a", "b", "c", "a"]);
}

#[test]
fn a_database_takes_no_more_than_its_share_of_the_writers() {
    let mut backlog = backlog(&[("a", 10), ("a", 10), ("a", 10), ("b", 1)]);
    let lent = std::iter::from_fn(|| lend(&mut backlog, 4));
    assert_eq!(lent.filter(|(_, database, _)| database == "a").count(), 2);
}

#[test]
fn a_database_that_may_not_be_sent_to_holds_up_no_other() {
    let mut backlog = backlog(&[("a", 1), ("b", 1)]);
    let lent = backlog.lend(9, |database| database.name() != "a").unwrap();
    assert_eq!(lent.database.name(), "b");
    assert!(backlog.lend(9, |database| database.name() != "a").is_none());
}

#[test]
fn what_is_given_back_goes_to_the_head_of_its_queue() {
    let mut backlog = backlog(&[("a", 10), ("a", 3)]);
    let (first, ..) = lend(&mut backlog, 9).unwrap();
    backlog.give_back(first);
    assert_eq!(lend(&mut backlog, 9).unwrap().2, 10);
}

#[test]
fn a_concluded_batch_leaves_the_books_line_by_line() {
    let mut backlog = backlog(&[("a", 5)]);
    let mark = backlog.seal_all();
    let (id, ..) = lend(&mut backlog, 9).unwrap();
    let reason = || "bad".to_owned();
    let settled = backlog.conclude(
        id,
        [
            (0..2, Fate::Written),
            (2..3, Fate::Rejected { reason: reason() }),
            (3..5, Fate::Unknown),
        ],
    );
    assert_eq!(settled.len(), 2);
    assert_eq!(settled[1].fate, Fate::Rejected { reason: reason() });
    assert_eq!(backlog.unsettled_below(mark), 2);
    let (id, _, count) = lend(&mut backlog, 9).unwrap();
    assert_eq!(count, 2);
    written(&mut backlog, id);
    assert!(backlog.is_settled_below(mark));
    assert!(!backlog.has(&"a".into()));
}

#[test]
fn slices_of_a_rejected_batch_and_fresh_batches_take_turns() {
    let mut backlog = backlog(&[("a", 10), ("a", 9), ("a", 8), ("a", 7)]);
    let (id, ..) = lend(&mut backlog, 9).unwrap();
    backlog.conclude(id, [(0..5, Fate::Unknown), (5..10, Fate::Unknown)]);
    let counts: Vec<_> = std::iter::from_fn(|| lend(&mut backlog, 9))
        .map(|(.., count)| count)
        .collect();
    assert_eq!(counts, [5, 9, 5, 8, 7]);
}

#[test]
fn a_mark_covers_what_was_there_and_nothing_later() {
    let mut backlog = backlog(&[("a", 2)]);
    let mark = backlog.seal_all();
    backlog.add("a".into(), lines(3));
    assert_eq!(backlog.unsettled_below(mark), 2);
    let (id, _, count) = lend(&mut backlog, 9).unwrap();
    assert_eq!(count, 2);
    written(&mut backlog, id);
    assert!(backlog.is_settled_below(mark));
    assert!(backlog.has(&"a".into()));
}

#[test]
fn everything_can_be_taken_out_also_what_is_lent() {
    let mut backlog = backlog(&[("a", 10), ("a", 3), ("b", 2)]);
    lend(&mut backlog, 9).unwrap();
    let all = backlog.take_all();
    let lines: usize = all.iter().map(|(.., batch)| batch.lines.len()).sum();
    assert_eq!(lines, 15);
    assert!(backlog.take_all().is_empty());
}

#[test]
fn an_answer_for_a_loan_that_is_no_more_changes_nothing() {
    let mut backlog = backlog(&[("a", 1)]);
    let (id, ..) = lend(&mut backlog, 9).unwrap();
    written(&mut backlog, id);
    backlog.give_back(id);
    assert!(backlog.conclude(id, [(0..1, Fate::Written)]).is_empty());
    assert!(lend(&mut backlog, 9).is_none());
}

#[test]
fn what_is_left_of_a_batch_does_not_keep_the_rest_in_memory() {
    let mut backlog = backlog(&[("a", 10)]);
    let (id, ..) = lend(&mut backlog, 9).unwrap();
    backlog.conclude(id, [(0..9, Fate::Written), (9..10, Fate::Unknown)]);
    let left = backlog.lend(9, |_| true).unwrap().lines;
    assert_eq!(left.kept_bytes(), left.byte_len());
}
