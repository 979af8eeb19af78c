use super::*;

const MANY: usize = 2_000;

#[actix::test]
async fn any_number_of_messages_at_once_is_handled_and_kills_no_actor() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    let flushes: Vec<_> = (0..MANY).map(|_| rig.flush(SECOND)).collect();
    (0..MANY).for_each(|_| rig.buffer.do_send(Wake));
    let (ingest, measurement) = (&rig.ingest, Measurement::new("db", "m"));
    (0..MANY).for_each(|_| ingest.do_send(measurement.clone()));
    (0..MANY).for_each(|_| ingest.do_send(Flush { timeout: SECOND }));
    assert_eq!(rig.settle_next(Verdict::Written).await, 2);
    for flush in flushes {
        assert!(flush.await.is_complete());
    }
    rig.idle().await;
    assert!(rig.ingest.connected() && rig.buffer.connected());
}

#[actix::test]
async fn a_flood_of_messages_delays_no_timer_of_the_buffer_actor() {
    let mut rig = Rig::new(config());
    rig.record("db", 1);
    rig.idle().await;
    // Always more than it takes in a turn.
    let (ingest, invalid) = (rig.ingest.clone(), Measurement::new("db", "m"));
    let flood = actix::spawn(async move {
        loop {
            (0..1_000).for_each(|_| ingest.do_send(invalid.clone()));
            tokio::task::yield_now().await;
        }
    });
    tokio::time::advance(11 * SECOND).await;
    let write = rig.writes.recv();
    // Real time stands still: so many turns of the runtime are enough.
    tokio::pin!(write);
    let mut turns = 0;
    let write = loop {
        tokio::select! {
            biased;
            write = &mut write => break write.unwrap(),
            () = tokio::task::yield_now() => turns += 1,
        }
        assert!(turns < 1_000, "nothing is sent");
    };
    assert_eq!(lines(&write), 1);
    flood.abort();
}
