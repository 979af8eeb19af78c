use super::*;

#[actix::test]
async fn a_batch_that_fails_is_sent_again_with_backoff_and_nothing_is_lost() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let mut last = Instant::now();
    let mut waited = Duration::ZERO;
    for attempt in 0..12 {
        let scope = [Scope::Endpoint, Scope::Unclear, Scope::Database][attempt % 3];
        assert_eq!(rig.settle_next(retry(scope)).await, 3);
        let delay = last.elapsed();
        assert!(
            attempt == 0 || delay >= Duration::from_millis(25),
            "hot loop: {delay:?}"
        );
        waited += delay;
        last = Instant::now();
        assert_eq!(rig.stats().pending, 3);
    }
    assert!(waited > SECOND, "delays grow: {waited:?}");
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn while_the_endpoint_is_down_a_single_batch_probes_it() {
    let mut rig = Rig::new(config().max_batch_size(1));
    rig.record("a", 2);
    rig.record("b", 1);
    let writes = [rig.write().await, rig.write().await, rig.write().await];
    for write in writes {
        answer(write, retry(Scope::Endpoint));
    }
    let probe = rig.write().await;
    rig.nothing_is_sent().await;
    tokio::time::advance(100 * SECOND).await;
    rig.nothing_is_sent().await;
    answer(probe, Verdict::Written);
    let rest = [rig.write().await, rig.write().await];
    for write in rest {
        answer(write, Verdict::Written);
    }
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_rejected_batch_is_halved_to_the_bad_line() {
    let mut rig = Rig::new(config().trigger_size(8));
    rig.record("db", 7);
    let bad = Measurement::new("db", "bad").field("f", 1);
    rig.shared.intake.take(bad, None).unwrap();
    let mut posts = 0;
    while rig.shared.intake.stats().pending > 0 {
        let write = rig.write().await;
        posts += 1;
        let verdict = match write.payload.body.windows(3).any(|text| text == b"bad") {
            true => rejected(),
            false => Verdict::Written,
        };
        answer(write, verdict);
        rig.idle().await;
    }
    assert_eq!((rig.stats().written, rig.stats().rejected), (7, 1));
    assert_eq!(posts, 7, "8, 4 + 4, 2 + 2, 1 + 1");
}

#[actix::test]
async fn isolation_pauses_while_the_server_is_down_with_only_the_unsettled_lines() {
    let mut rig = Rig::new(config().trigger_size(4).max_clients(1));
    rig.record("db", 4);
    assert_eq!(rig.settle_next(rejected()).await, 4);
    assert_eq!(rig.settle_next(Verdict::Written).await, 2);
    assert_eq!(rig.settle_next(retry(Scope::Endpoint)).await, 2);
    rig.idle().await;
    assert_eq!((rig.stats().written, rig.stats().pending), (2, 2));
    assert_eq!(rig.settle_next(rejected()).await, 2);
    assert_eq!(rig.settle_next(rejected()).await, 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 1);
    rig.idle().await;
    assert_eq!((rig.stats().written, rig.stats().rejected), (3, 1));
}

#[actix::test]
async fn a_writer_that_dies_over_a_batch_loses_nothing() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    drop(rig.write().await);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_replay_actor_that_dies_over_a_batch_loses_nothing() {
    let (replay, mut isolates) = recorder();
    let mut rig = Rig::with_replay(config(), Box::new(move || replay.clone()));
    rig.record("db", 3);
    rig.settle_next(rejected()).await;
    drop(within("a batch to isolate", isolates.recv()).await);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_replay_actor_that_is_dead_is_replaced_and_is_no_hot_loop() {
    let dead = || Context::<ReplayActor>::new().address().recipient();
    let alive = || ReplayActor::default().start().recipient();
    let starts = std::cell::Cell::new(0);
    let start = move || match starts.replace(starts.get() + 1) {
        0..2 => dead(),
        _ => alive(),
    };
    let mut rig = Rig::with_replay(config(), Box::new(start));
    rig.record("db", 3);
    let began = Instant::now();
    rig.settle_next(rejected()).await;
    rig.settle_next(rejected()).await;
    assert!(began.elapsed() >= SECOND, "{:?}", began.elapsed());
    assert_eq!(rig.settle_next(Verdict::Written).await, 2, "the first half");
}

#[actix::test]
async fn databases_that_cannot_be_sent_to_leave_their_share_of_the_writers() {
    let mut rig = Rig::new(config().max_clients(10).max_batch_size(1).trigger_size(9));
    for database in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        rig.record(database, 1);
    }
    for _ in 0..9 {
        let not_before = Some(500 * SECOND);
        let blocked = Retry::new(Scope::Database, Cause::Configuration, "blocked");
        let blocked = Retry {
            not_before,
            ..blocked
        };
        rig.settle_next(Verdict::Retry(blocked)).await;
    }
    rig.idle().await;
    let began = Instant::now();
    rig.record("good", 9);
    // While others fail, a database has one POST at a time until one was written.
    assert_eq!(rig.settle_next(Verdict::Written).await, 1);
    // Kept and not answered: the other eight are in flight together.
    let mut in_flight = Vec::new();
    for _ in 0..8 {
        let write = rig.write().await;
        assert_eq!(write.database, "good".into());
        in_flight.push(write);
    }
    // Writers that are left may have probes: the success freed those that failed.
    assert!(rig.stats().places.in_flight >= 8);
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[actix::test]
async fn of_posts_that_fail_together_the_late_ones_do_not_turn_back_to_the_first_server() {
    let urls = "http://a:1,http://b:2";
    let mut rig = Rig::new(config().url(urls).max_batch_size(1));
    rig.record("db", 3);
    let (one, two, three) = (rig.write().await, rig.write().await, rig.write().await);
    assert_eq!(one.endpoint.to_string(), "http://a:1");
    answer(one, retry(Scope::Endpoint));
    let next = rig.write().await;
    assert_eq!(next.endpoint.to_string(), "http://b:2");
    answer(two, retry(Scope::Endpoint));
    answer(three, retry(Scope::Endpoint));
    answer(next, Verdict::Written);
    for _ in 0..2 {
        let write = rig.write().await;
        assert_eq!(write.endpoint.to_string(), "http://b:2");
        answer(write, Verdict::Written);
    }
}
