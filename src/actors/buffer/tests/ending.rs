use super::*;

#[actix::test]
async fn flush_sends_at_once_and_answers_when_all_before_it_is_settled() {
    let mut rig = Rig::new(config());
    rig.record("a", 1);
    rig.record("b", 1);
    let report = rig.flush(60 * SECOND);
    let report = actix::spawn(report);
    let (one, other) = (rig.write().await, rig.write().await);
    rig.record("a", 1);
    answer(one, Verdict::Written);
    rig.idle().await;
    assert!(!report.is_finished());
    answer(other, rejected());
    assert_eq!(rig.settle_next(rejected()).await, 1);
    let report = report.await.unwrap();
    assert!(report.is_complete());
    assert_eq!((report.written, report.rejected), (1, 1));
    assert_eq!(rig.stats().pending, 1);
}

#[actix::test]
async fn flush_answers_at_its_timeout_with_what_is_still_pending() {
    let mut rig = Rig::new(config());
    rig.record("a", 2);
    let began = Instant::now();
    let report = actix::spawn(rig.flush(5 * SECOND));
    let stalled = rig.write().await;
    let report = report.await.unwrap();
    assert_eq!(report.undelivered, 2);
    assert!(!report.is_complete());
    assert_eq!(began.elapsed().as_secs(), 5);
    answer(stalled, Verdict::Written);
    rig.idle().await;
    assert_eq!(rig.stats().written, 2);
}

#[actix::test]
async fn flush_with_nothing_pending_answers_at_once() {
    let rig = Rig::new(config());
    assert!(rig.flush(SECOND).await.is_complete());
}

#[actix::test]
async fn shutdown_delivers_what_is_there_and_takes_nothing_more() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    let report = rig.shutting_down(SECOND);
    let write = rig.write().await;
    let late = Measurement::new("db", "m").field("f", 1);
    let error = rig.shared.intake.take(late.clone(), None);
    assert_eq!(error, Err(RecordError::Stopping.into()));
    rig.ingest.do_send(late);
    answer(write, Verdict::Written);
    let report = report.await.unwrap();
    assert!(report.is_complete());
    assert_eq!(report.written, 2);
    assert_eq!(report.stats, rig.stats());
    assert_eq!(rig.stats().dropped.stopping, 2);
}

#[actix::test]
async fn shutdown_tries_at_once_also_while_a_breaker_is_open() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let not_before = Some(100 * SECOND);
    let asked_to_wait = Verdict::Retry(Retry {
        not_before,
        ..Retry::new(Scope::Endpoint, Cause::Unavailable, "busy")
    });
    rig.settle_next(asked_to_wait).await;
    rig.idle().await;
    let report = rig.shutting_down(SECOND);
    rig.settle_next(Verdict::Written).await;
    assert!(report.await.unwrap().is_complete());
}

#[actix::test]
async fn shutdown_ends_at_its_timeout_and_hands_back_what_was_not_delivered() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let _stalled = rig.write().await;
    rig.record("other", 1);
    let began = Instant::now();
    let report = rig.shut_down(5 * SECOND).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(report.undelivered, 4);
    let lines: Vec<_> = report.undelivered_lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines
            .iter()
            .all(|(_, line)| line.starts_with("m f=1i ") && line.ends_with('\n'))
    );
    assert_eq!(lines[3].0.name(), "other");
    let stats = rig.stats();
    assert_eq!((stats.dropped.undelivered, stats.pending), (4, 0));
}

#[actix::test]
async fn a_second_shutdown_waits_for_the_end_of_the_first_and_a_later_one_hears_its_report() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let first = rig.shutting_down(SECOND);
    let second = rig.shutting_down(SECOND);
    rig.settle_next(Verdict::Written).await;
    let first = first.await.unwrap();
    let second = second.await.unwrap();
    let third = rig.shut_down(SECOND).await;
    assert_eq!((first.written, second.written, third.written), (3, 3, 3));
}

#[actix::test]
async fn an_actor_that_ends_without_a_shutdown_leaves_no_measurement_uncounted() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let _in_flight = rig.write().await;
    rig.record("db", 1);
    struct Panic;
    impl Message for Panic {
        type Result = ();
    }
    impl Handler<Panic> for BufferActor {
        type Result = ();
        fn handle(&mut self, _: Panic, _: &mut Self::Context) {
            panic!("on purpose");
        }
    }
    let sent = rig.buffer.send(Panic);
    assert!(within("the end of the actor", sent).await.is_err());
    assert_eq!(rig.stats().dropped.undelivered, 4);
    assert_eq!(rig.shared.end().unwrap().undelivered, 4);
    let late = Measurement::new("db", "m").field("f", 1);
    assert_eq!(
        rig.shared.intake.take(late, None),
        Err(RecordError::Stopping.into())
    );
}
