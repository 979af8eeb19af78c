//! A full buffer: what gives way, and that no database keeps the others out.

mod support;

use std::{
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{
    Config, Influx, Measurement, Overflow, RecordError, Stats,
    testing::{Answer, FakeInflux},
};
use support::pipeline::{LONG, settled};

/// A server that is down, and small batches.
fn down(fake: &FakeInflux) -> Config {
    fake.refuse();
    Config::v1(fake.url())
        .interval(Duration::from_secs(3_600))
        .trigger_size(10)
        .max_batch_size(10)
        .max_buffer_size(1_000)
        .max_retry_delay(Duration::from_millis(100))
}

fn measurement(database: &'static str, number: u64) -> Measurement {
    Measurement::new(database, "m").field("number", number)
}

/// Waits until the buffer actor has made it so.
fn wait_until(influx: &Influx, what: &str, is_so: impl Fn(&Stats) -> bool) -> Stats {
    let deadline = Instant::now() + LONG;
    loop {
        let stats = influx.stats();
        assert!(stats.balanced(), "{stats}");
        if is_so(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "not in time: {what}: {stats}");
        thread::yield_now();
    }
}

fn numbers(fake: &FakeInflux, database: &str) -> Vec<i64> {
    let points = fake.points(database);
    let number = |point: &actix_influxdb::testing::Point| {
        let number = point.field("number").and_then(|number| number.as_integer());
        number.unwrap()
    };
    let mut numbers: Vec<_> = points.iter().map(number).collect();
    numbers.sort();
    numbers
}

#[actix::test]
async fn drop_newest_keeps_what_was_first_and_refuses_the_rest() {
    let fake = FakeInflux::start();
    let influx = Influx::start(down(&fake)).unwrap();
    for number in 0..1_500 {
        let result = influx.record(measurement("db", number));
        match number < 1_000 {
            true => result.unwrap(),
            false => assert!(matches!(result, Err(RecordError::BufferFull { .. }))),
        }
    }
    fake.accept_again();
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.dropped.buffer_full), (1_000, 500));
    assert_eq!(numbers(&fake, "db"), (0..1_000).collect::<Vec<_>>());
}

#[actix::test]
async fn drop_oldest_gives_up_whole_batches_of_what_has_waited_longest() {
    let fake = FakeInflux::start();
    let config = down(&fake).overflow(Overflow::DropOldest);
    let influx = Influx::start(config).unwrap();
    for number in 0..1_500 {
        influx.record(measurement("db", number)).unwrap();
        if number % 50 == 0 {
            wait_until(&influx, "within the limit", |stats| stats.pending <= 1_000);
        }
    }
    let stats = wait_until(&influx, "within the limit", |stats| stats.pending <= 1_000);
    assert_eq!(stats.dropped.total(), stats.dropped.overflow);
    assert!(stats.pending > 980, "no more than needed: {stats}");
    fake.accept_again();
    let stats = settled(&influx).await;
    assert_eq!(stats.written + stats.dropped.overflow, 1_500);
    let kept = numbers(&fake, "db");
    assert_eq!(kept.len() as u64, stats.written);
    assert_eq!(kept.last(), Some(&1_499), "the newest is there");
    // A batch that was being sent when it was its turn stays.
    let newest: Vec<_> = (1_500 - 900..1_500).collect();
    assert!(kept.ends_with(&newest), "{kept:?}");
}

#[actix::test]
async fn a_database_that_fills_the_buffer_leaves_others_their_share() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let fake = FakeInflux::start();
        fake.without_database("greedy");
        let config = down(&fake).overflow(overflow);
        fake.accept_again();
        let influx = Influx::start(config).unwrap();
        // It fills the buffer, and goes on.
        for number in 0..3_000 {
            _ = influx.record(measurement("greedy", number));
        }
        wait_until(&influx, "full", |stats| {
            stats.dropped.total() > 0 && stats.pending <= 1_000
        });
        for number in 0..400 {
            influx.record(measurement("modest", number)).unwrap();
            _ = influx.record(measurement("greedy", number));
            wait_until(&influx, "within the limit", |stats| stats.pending <= 1_000);
        }
        influx.flush(Duration::from_millis(100)).await;
        assert_eq!(fake.count("modest"), 400, "{overflow}");
        fake.create_database("greedy");
        let stats = settled(&influx).await;
        assert_eq!(stats.rejected, 0);
        assert_eq!(fake.count("greedy") as u64 + 400, stats.written);
    }
}

#[actix::test]
async fn a_single_database_may_use_the_whole_buffer() {
    let fake = FakeInflux::start();
    let influx = Influx::start(down(&fake)).unwrap();
    for number in 0..1_000 {
        influx.record(measurement("db", number)).unwrap();
    }
    assert!(influx.record(measurement("db", 0)).is_err());
    fake.accept_again();
    settled(&influx).await;
}

#[actix::test]
async fn a_buffer_that_is_smaller_than_the_trigger_is_sent_when_it_is_full() {
    let fake = FakeInflux::start();
    let config = down(&fake).trigger_size(1_000_000).max_buffer_size(100);
    fake.accept_again();
    let influx = Influx::start(config).unwrap();
    for number in 0..100 {
        influx.record(measurement("db", number)).unwrap();
    }
    fake.wait_for_points("db", 100, LONG);
    wait_until(&influx, "settled", |stats| stats.written == 100);
    // And so by bytes.
    influx
        .update(|config| config.max_buffer_size(1_000_000).max_buffer_bytes(1_024))
        .unwrap();
    while influx.record(measurement("db", 0)).is_ok() {}
    let stats = influx.stats();
    fake.wait_for_points("db", (stats.recorded - 1) as usize, LONG);
    settled(&influx).await;
}

#[actix::test]
async fn a_batch_in_flight_is_never_given_up() {
    let fake = FakeInflux::start();
    let config = down(&fake).overflow(Overflow::DropOldest).max_clients(1);
    fake.accept_again();
    fake.answer_next(Answer::accept().stall_before_response());
    let influx = Influx::start(config).unwrap();
    for number in 0..10 {
        influx.record(measurement("db", number)).unwrap();
    }
    fake.wait_for_requests(1, LONG);
    for number in 10..2_000 {
        influx.record(measurement("db", number)).unwrap();
        wait_until(&influx, "within the limit", |stats| stats.pending <= 1_000);
    }
    fake.release();
    let stats = settled(&influx).await;
    assert!(stats.dropped.overflow > 0);
    assert!(numbers(&fake, "db").starts_with(&(0..10).collect::<Vec<_>>()));
}

#[actix::test]
async fn of_sampled_batches_all_or_nothing_is_sent_and_both_are_counted() {
    let fake = FakeInflux::start();
    let config = down(&fake).sample_probability(0.5);
    fake.accept_again();
    let influx = Influx::start(config).unwrap();
    for number in 0..1_000 {
        influx.record(measurement("db", number)).unwrap();
        if number % 10 == 9 {
            influx.flush(LONG).await;
        }
    }
    let stats = settled(&influx).await;
    assert_eq!(stats.written + stats.dropped.sampled, 1_000);
    // 100 draws: outside of this once in 10^9 runs.
    assert!((200..=800).contains(&stats.written), "{stats}");
    let kept = numbers(&fake, "db");
    assert!(
        kept.chunks(10)
            .all(|batch| batch[0] % 10 == 0 && batch[9] == batch[0] + 9)
    );
}
