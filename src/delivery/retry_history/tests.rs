use super::*;

fn batch(lines: usize, written: u64) -> BatchContext {
    BatchContext {
        lines,
        bytes: 100 * lines,
        written,
        failed: 0,
    }
}

const NONE: Refusals = Refusals {
    in_a_row: 0,
    halving_stopped_for: None,
    others_wait: false,
};

fn decision(next: Next, counts: bool) -> Decision {
    Decision { next, counts }
}

fn sent(written: u64) -> RetryHistory {
    let mut history = RetryHistory::default();
    history.sent(written, 0);
    history
}

#[test]
fn an_unavailable_server_says_nothing_of_a_batch() {
    let mut history = sent(0);
    for cause in [Cause::Unavailable, Cause::Configuration] {
        for _ in 0..9 {
            let after = history.failed(cause, batch(9, 0));
            assert_eq!(after, decision(Next::Keep, true));
        }
    }
    assert_eq!(history.failures, 0);
}

#[test]
fn after_two_failures_in_a_row_a_batch_is_halved_and_its_parts_after_one_more() {
    for cause in [Cause::Unknown, Cause::ServerFault] {
        let mut history = sent(0);
        assert_eq!(
            history.failed(cause, batch(8, 0)),
            decision(Next::Keep, true)
        );
        assert_eq!(
            history.failed(cause, batch(8, 0)),
            decision(Next::Halve, true)
        );
        let mut half = history.inherited();
        assert_eq!(half.failed(cause, batch(4, 0)), decision(Next::Halve, true));
    }
}

#[test]
fn a_part_is_sent_at_once_and_is_no_suspect_line_yet() {
    let whole = RetryHistory {
        failures: 5,
        while_others_passed: MAX_FAILURES_OF_A_LINE,
        named_one: 3,
        not_before: Some(Instant::now()),
        ..sent(4)
    };
    let part = whole.inherited();
    assert_eq!((part.failures, part.while_others_passed), (1, 0));
    assert_eq!((part.named_one, part.written_then), (3, 4));
    assert_eq!(part.not_before, None);
}

#[test]
fn failures_with_an_unavailable_server_in_between_are_not_in_a_row() {
    let mut history = sent(0);
    history.failed(Cause::Unknown, batch(8, 0));
    history.failed(Cause::Unavailable, batch(8, 0));
    let after = history.failed(Cause::Unknown, batch(8, 0));
    assert_eq!(after, decision(Next::Keep, true));
}

#[test]
fn while_others_of_its_database_pass_a_failure_says_nothing_of_the_database() {
    let mut history = sent(5);
    assert!(history.failed(Cause::Unknown, batch(8, 5)).counts);
    assert!(!history.failed(Cause::Unknown, batch(8, 6)).counts);
    assert!(history.failed(Cause::Unknown, batch(8, 6)).counts);
    let mut long_under_way = sent(5);
    assert!(!long_under_way.failed(Cause::Unknown, batch(8, 6)).counts);
}

#[test]
fn a_single_line_is_rejected_only_if_others_passed_between_all_its_failures() {
    let (mut alone, mut among_others, mut among_failures) = (sent(0), sent(0), sent(0));
    for time in 1..100 {
        let after = alone.failed(Cause::Unknown, batch(1, 0));
        assert_eq!(after, decision(Next::Keep, true), "{time}");
    }
    let among = |written, failed| BatchContext {
        failed,
        ..batch(1, written)
    };
    for time in 1..u64::from(MAX_FAILURES_OF_A_LINE) {
        // Its own failures are counted too.
        let after = among_others.failed(Cause::Unknown, among(time, time - 1));
        assert_eq!(after, decision(Next::Keep, false));
    }
    let after = among_others.failed(Cause::Unknown, among(99, among_others.failed_then));
    assert_eq!(after, decision(Next::Reject, false));
    for time in 1..100 {
        let after = among_failures.failed(Cause::Unknown, among(time, 2 * time));
        assert_eq!(after, decision(Next::Keep, false), "others fail as well");
    }
}

#[test]
fn no_line_is_rejected_for_the_servers_own_trouble() {
    let mut history = sent(0);
    for written in 1..100 {
        let after = history.failed(Cause::ServerFault, batch(1, written));
        assert_eq!(after, decision(Next::Keep, false));
    }
}

#[test]
fn a_refusal_in_the_words_for_lines_is_halved_down_to_the_line() {
    let refused = |lines| sent(0).refused(true, 7, batch(lines, 0), NONE);
    assert_eq!(refused(2), decision(Next::Halve, false));
    assert_eq!(refused(1), decision(Next::Reject, false));
}

#[test]
fn a_single_line_refused_in_unknown_words_is_rejected_once_another_was_taken_since() {
    let mut history = sent(3);
    let refused =
        |history: &mut RetryHistory, written| history.refused(false, 7, batch(1, written), NONE);
    assert_eq!(refused(&mut history, 3), decision(Next::Keep, true));
    history.sent(3, 0);
    assert_eq!(refused(&mut history, 3), decision(Next::Keep, true));
    history.sent(4, 0);
    assert_eq!(refused(&mut history, 4), decision(Next::Reject, false));
}

#[test]
fn a_refused_line_says_nothing_of_its_database_if_others_passed_or_may_still_pass() {
    let others_passed = sent(3).refused(false, 7, batch(1, 4), NONE);
    assert_eq!(others_passed, decision(Next::Keep, false));
    let others_wait = Refusals {
        others_wait: true,
        ..NONE
    };
    let others_may_pass = sent(3).refused(false, 7, batch(1, 3), others_wait);
    assert_eq!(others_may_pass, decision(Next::Keep, false));
}

#[test]
fn halving_stops_if_a_half_is_refused_in_the_same_words_and_nothing_was_ever_taken() {
    let mut whole = sent(0);
    let after = whole.refused(false, 7, batch(8, 0), NONE);
    assert_eq!(after, decision(Next::Halve, false));
    let others_wait = Refusals {
        others_wait: true,
        ..NONE
    };
    let half = || whole.inherited();
    let first = half().refused(false, 7, batch(4, 0), others_wait);
    assert_eq!(
        first,
        decision(Next::Keep, false),
        "the other half may pass"
    );
    let second = half().refused(false, 7, batch(4, 0), NONE);
    assert_eq!(second, decision(Next::Keep, true));
    let in_other_words = half().refused(false, 8, batch(4, 0), NONE);
    assert_eq!(in_other_words.next, Next::Halve);
    let after_a_success = half().refused(false, 7, batch(4, 1), NONE);
    assert_eq!(after_a_success.next, Next::Halve);
    let stopped = Refusals {
        halving_stopped_for: Some(7),
        ..NONE
    };
    let another = sent(0).refused(false, 7, batch(8, 0), stopped);
    assert_eq!(
        another,
        decision(Next::Keep, true),
        "the next batch is not halved"
    );
}

#[test]
fn endless_unknown_refusals_of_a_database_that_worked_once_slow_down() {
    let refused = |in_a_row| {
        let refusals = Refusals { in_a_row, ..NONE };
        sent(3).refused(false, 7, batch(8, 3), refusals)
    };
    assert_eq!(refused(MAX_REFUSALS), decision(Next::Halve, false));
    assert_eq!(refused(MAX_REFUSALS + 1), decision(Next::Halve, true));
}

#[test]
fn a_line_that_is_too_large_is_rejected_unless_it_is_small() {
    let too_large = |lines, bytes| {
        let batch = BatchContext {
            lines,
            bytes,
            written: 0,
            failed: 0,
        };
        sent(0).too_large(batch)
    };
    assert_eq!(too_large(2, 100), decision(Next::Halve, false));
    assert_eq!(too_large(1, SMALL_LINE + 1), decision(Next::Reject, false));
    assert_eq!(too_large(1, SMALL_LINE), decision(Next::Keep, true));
    assert_eq!(too_large(1, 1_000), decision(Next::Keep, true));
    let mut small = sent(0);
    let before_others = small.too_large(batch(1, 0));
    assert_eq!(before_others, decision(Next::Keep, true));
    assert_eq!(small.too_large(batch(1, 0)).next, Next::Keep);
    assert_eq!(small.too_large(batch(1, 1)).next, Next::Reject);
    let after_others = sent(0).too_large(batch(1, 1));
    assert_eq!(after_others, decision(Next::Keep, false));
}

#[test]
fn lines_that_are_named_one_by_one_are_soon_taken_for_many() {
    let mut history = sent(0);
    for _ in 1..ONE_BY_ONE {
        assert!(!history.named(1));
    }
    assert!(history.named(1));
    assert!(!history.named(2));
}

#[test]
fn a_suspect_waits_longer_and_longer_up_to_the_limit() {
    let now = Instant::now();
    let max = Duration::from_secs(2);
    let mut history = sent(0);
    let seconds = [0.5, 1.0, 2.0, 2.0];
    for wanted in seconds {
        history.failed(Cause::Unknown, batch(1, 0));
        history.wait(now, 1.0, max);
        let wanted = Duration::from_secs_f64(wanted);
        assert_eq!(history.not_before, Some(now + wanted));
    }
    for _ in 0..1_000 {
        history.failed(Cause::Unknown, batch(1, 0));
    }
    history.wait(now, 0.5, max);
    assert_eq!(history.not_before, Some(now + max / 2));
}
