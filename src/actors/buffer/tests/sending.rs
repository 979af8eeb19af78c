use super::*;

#[actix::test]
async fn a_batch_is_sent_when_the_trigger_size_is_reached() {
    let mut rig = Rig::new(config());
    let began = Instant::now();
    rig.record("db", 2);
    rig.nothing_is_sent().await;
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn a_batch_is_sent_an_interval_after_the_first_measurement_that_waits() {
    let mut rig = Rig::new(config());
    let began = Instant::now();
    rig.record("db", 1);
    rig.idle().await;
    tokio::time::advance(4 * SECOND).await;
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 2);
    assert_eq!(began.elapsed().as_secs(), 10);
    // And again from the first one after that.
    tokio::time::advance(7 * SECOND).await;
    let began = Instant::now();
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 1);
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[actix::test]
async fn the_trigger_counts_the_measurements_of_all_databases() {
    let mut rig = Rig::new(config());
    rig.record("a", 2);
    rig.record("b", 1);
    let (one, other) = (rig.write().await, rig.write().await);
    assert_eq!(lines(&one) + lines(&other), 3);
    assert_ne!(one.database, other.database);
}

#[actix::test]
async fn no_batch_has_more_lines_than_one_may() {
    let mut rig = Rig::new(config().trigger_size(2_500).max_batch_size(1_000));
    rig.record("db", 2_500);
    for wanted in [1_000, 1_000, 500] {
        assert_eq!(rig.settle_next(Verdict::Written).await, wanted);
    }
}

#[actix::test]
async fn no_batch_has_more_bytes_than_one_may() {
    let mut rig = Rig::new(config().trigger_size(100).max_batch_bytes(1_024));
    rig.record("db", 100);
    let mut sent = 0;
    while sent < 100 {
        let write = rig.write().await;
        assert!(write.payload.body.len() <= 1_024);
        assert!(write.payload.body.len() > 900 || sent + lines(&write) == 100);
        sent += lines(&write);
    }
}

#[actix::test]
async fn no_more_than_max_clients_posts_are_in_flight() {
    let mut rig = Rig::new(config().max_clients(2).max_batch_size(1));
    rig.record("db", 3);
    let first = rig.write().await;
    let second = rig.write().await;
    rig.nothing_is_sent().await;
    let places = rig.stats().places;
    assert_eq!((places.buffered, places.in_flight), (1, 2));
    answer(first, Verdict::Written);
    answer(rig.write().await, Verdict::Written);
    answer(second, Verdict::Written);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_database_that_waits_for_its_answer_does_not_hold_up_another() {
    let mut rig = Rig::new(config());
    rig.record("slow", 3);
    let slow = rig.write().await;
    rig.record("fast", 3);
    let fast = rig.write().await;
    assert_eq!(fast.database, "fast".into());
    answer(fast, Verdict::Written);
    rig.idle().await;
    assert_eq!((rig.stats().written, rig.stats().pending), (3, 3));
    assert_eq!(rig.stats().places.in_flight, 3);
    answer(slow, Verdict::Written);
    rig.idle().await;
    assert_eq!(rig.stats().places.in_flight, 0);
}

#[actix::test]
async fn a_message_that_asks_for_delivery_hears_what_became_of_it() {
    let mut rig = Rig::new(config());
    let measurement = || Measurement::new("db", "m").field("f", 1);
    let deliver = |measurement| {
        let delivery = rig.ingest.send(Deliver(measurement));
        actix::spawn(within("the answer to a delivery", delivery))
    };
    let invalid = deliver(Measurement::new("db", "m")).await.unwrap().unwrap();
    assert!(
        matches!(invalid, Delivery::Dropped { reason } if reason.to_string().contains("no field"))
    );
    let all = [
        deliver(measurement()),
        deliver(measurement()),
        deliver(measurement()),
    ];
    rig.settle_next(Verdict::Written).await;
    for delivery in all {
        assert_eq!(delivery.await.unwrap().unwrap(), Delivery::Written);
    }
    assert_eq!(rig.ingest.send(GetStats).await.unwrap(), rig.stats());
}
