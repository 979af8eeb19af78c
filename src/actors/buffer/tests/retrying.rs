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
    rig.shared.intake.record(bad, None).unwrap();
    let mut posts = 0;
    while rig.shared.intake.stats().pending > 0 {
        let write = rig.write().await;
        posts += 1;
        let verdict = match write.body.windows(3).any(|text| text == b"bad") {
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
    drop(isolates.recv().await);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}
