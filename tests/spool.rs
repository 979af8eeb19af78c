//! The spool: outages and restarts lose nothing.

mod support;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use actix_influxdb::{
    Config, Delivery, Influx, Measurement, Overflow, Precision, SpoolState, Stats,
    testing::{Answer, FakeInflux},
};
use support::{
    load::Watch,
    pipeline::{LONG, impatient},
    wait::{until, wait_until},
};
use tempfile::TempDir;

fn numbered(database: &'static str, number: u64) -> Measurement {
    Measurement::new(database, "m").field("number", number)
}

fn record_numbered(influx: &Influx, database: &'static str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        influx.record(numbered(database, number)).unwrap();
    }
}

/// The numbers that the server has, in order.
fn numbers(fake: &FakeInflux, database: &str) -> Vec<u64> {
    let points = fake.points(database);
    let number = |point: &actix_influxdb::testing::Point| {
        let number = point.field("number").and_then(|number| number.as_integer());
        number.unwrap() as u64
    };
    let mut numbers: Vec<_> = points.iter().map(number).collect();
    numbers.sort();
    numbers
}

fn all(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}

/// Names of the files with measurements.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains(".lp")).collect();
    names.sort();
    names
}

fn with_spool(fake: &FakeInflux, folder: &TempDir) -> Config {
    impatient(fake.url())
        .tag_hostname(false)
        .spool_dir(folder.path().join("spool"))
}

fn opened(influx: &Influx) {
    until(influx, "the spool is open", |stats| {
        stats.spool.as_ref().unwrap().state == SpoolState::Open
    });
}

#[actix::test]
async fn what_a_shutdown_can_not_deliver_is_delivered_by_the_next_process() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let influx = Influx::start(with_spool(&fake, &folder)).unwrap();
    record_numbered(&influx, "db", 0..10);
    assert!(influx.flush(LONG).await.is_complete());
    fake.refuse();
    fake.close_idle();
    record_numbered(&influx, "db", 10..100);
    record_numbered(&influx, "other", 0..5);
    let ticket = actix::spawn({
        let influx = influx.clone();
        async move { influx.deliver(numbered("db", 100)).await }
    });
    tokio::task::yield_now().await;
    let began = Instant::now();
    let report = influx.shutdown(LONG).await;
    assert!(
        began.elapsed() < LONG / 2,
        "it does not wait for the server"
    );
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.spooled, report.undelivered), (96, 0));
    let stats = &report.stats;
    assert!(stats.balanced(), "{stats}");
    assert_eq!((stats.pending, stats.places.spooled), (96, 96));
    assert_eq!(ticket.await.unwrap(), Delivery::Spooled);
    assert_eq!(files(&folder.path().join("spool")).len(), 1);

    fake.accept_again();
    let influx = Influx::start(with_spool(&fake, &folder)).unwrap();
    record_numbered(&influx, "db", 101..103);
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report}");
    let stats = influx.shutdown(LONG).await.stats;
    assert!(stats.balanced(), "{stats}");
    assert_eq!(
        (
            stats.recovered,
            stats.recorded,
            stats.written,
            stats.pending
        ),
        (96, 2, 98, 0)
    );
    assert_eq!(numbers(&fake, "db"), all(0..103));
    assert_eq!(numbers(&fake, "other"), all(0..5));
    assert_eq!(files(&folder.path().join("spool")), [""; 0]);
}

#[actix::test]
async fn a_shutdown_does_not_wait_for_a_server_that_is_known_to_be_down_and_waits_for_one_that_is_not()
 {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    for hangs in [false, true] {
        let config = with_spool(&fake, &folder).request_timeout(Duration::from_millis(300));
        let influx = Influx::start(config).unwrap();
        opened(&influx);
        match hangs {
            true => fake.answer_always(Answer::accept().stall_before_response()),
            false => fake.refuse(),
        }
        fake.close_idle();
        record_numbered(&influx, "db", 0..10);
        // For longer than a server is given that has just begun to fail.
        influx.flush(Duration::from_millis(1_500)).await;
        influx
            .update(|config| config.request_timeout(LONG))
            .unwrap();
        let began = Instant::now();
        let report = influx.shutdown(LONG).await;
        assert!(
            began.elapsed() < Duration::from_millis(1_500),
            "{hangs}: {report:?}"
        );
        assert!(report.spooled >= 10, "{report:?}");
        fake.answer_always(Answer::accept());
        fake.release();
        fake.accept_again();
    }
    // It is back, which nobody has seen yet.
    let influx = Influx::start(with_spool(&fake, &folder)).unwrap();
    opened(&influx);
    fake.refuse();
    fake.close_idle();
    influx
        .update(|config| config.max_retry_delay(Duration::from_secs(3_600)))
        .unwrap();
    record_numbered(&influx, "db", 10..20);
    influx.flush(Duration::from_millis(1_500)).await;
    fake.accept_again();
    let report = influx.shutdown(LONG).await;
    assert_eq!((report.spooled, report.undelivered), (0, 0), "{report:?}");
    assert_eq!(
        report.stats.written + report.stats.rejected,
        report.stats.recovered + 10
    );
}

#[actix::test]
async fn a_full_buffer_goes_to_disk_and_comes_back_when_the_server_does() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    fake.refuse();
    let config = with_spool(&fake, &folder)
        .overflow(Overflow::Spool)
        .trigger_size(50)
        .max_batch_size(50)
        .max_buffer_size(1_000);
    let influx = Influx::start(config).unwrap();
    let watch = Watch::start(&influx);
    let ticket = actix::spawn({
        let influx = influx.clone();
        async move { influx.deliver(numbered("db", 0)).await }
    });
    tokio::task::yield_now().await;
    for number in 1..5_000 {
        // A disk may be slow: what comes then is refused, and is not what is tried here.
        let in_memory = |stats: &Stats| stats.pending - stats.places.spooled < 1_000;
        until(&influx, "there is room", in_memory);
        influx.record(numbered("db", number)).unwrap();
    }
    let stats = until(&influx, "most is on disk", |stats| {
        stats.places.spooled > 3_900
    });
    assert_eq!((stats.pending, stats.dropped.total()), (5_000, 0));
    let spool = stats.spool.unwrap();
    assert!(spool.files > 0 && spool.bytes > 0 && spool.oldest.is_some());
    assert!(!ticket.is_finished());
    let report = influx.flush(Duration::from_millis(50)).await;
    assert!(report.spooled > 3_900 && report.undelivered > 0, "{report}");
    assert_eq!(report.spooled + report.undelivered, 5_000, "{report}");

    fake.accept_again();
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(ticket.await.unwrap(), Delivery::Written);
    assert_eq!(numbers(&fake, "db"), all(0..5_000));
    let stats = influx.shutdown(LONG).await.stats;
    assert_eq!((stats.written, stats.recovered), (5_000, 0));
    assert_eq!(files(&folder.path().join("spool")), [""; 0]);
    watch.stop();
}

#[actix::test]
async fn with_write_ahead_everything_is_on_disk_before_it_is_sent_and_gone_after_it_is_settled() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let spool = folder.path().join("spool");
    let config = with_spool(&fake, &folder)
        .write_ahead(true)
        .seal_interval(Duration::from_millis(20));
    let influx = Influx::start(config).unwrap();
    fake.answer_with({
        let spool = spool.clone();
        move |request| {
            let at_least = files(&spool).len();
            assert!(at_least > 0, "{request:?} was sent before it was on disk");
            Answer::accept()
        }
    });
    record_numbered(&influx, "a", 0..10);
    record_numbered(&influx, "b", 0..10);
    assert!(wait_until(LONG, || files(&spool).len() == 1));
    assert_eq!(influx.stats().places.buffered, 20, "counted once");
    assert_eq!(influx.stats().places.spooled, 0);
    record_numbered(&influx, "a", 10..20);
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.written, 30);
    assert_eq!(
        (numbers(&fake, "a"), numbers(&fake, "b")),
        (all(0..20), all(0..10))
    );
    assert!(wait_until(LONG, || files(&spool).is_empty()));
    influx.shutdown(LONG).await;
}

#[actix::test]
async fn what_was_written_ahead_need_not_be_written_at_the_end() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    fake.refuse();
    let config = || {
        with_spool(&fake, &folder)
            .write_ahead(true)
            .seal_interval(Duration::from_millis(20))
    };
    let influx = Influx::start(config()).unwrap();
    record_numbered(&influx, "a", 0..10);
    influx.flush(Duration::from_millis(200)).await;
    let before = files(&folder.path().join("spool"));
    assert_eq!(before.len(), 1);
    let report = influx.shutdown(LONG).await;
    assert_eq!((report.spooled, report.undelivered), (10, 0), "{report:?}");
    assert_eq!(files(&folder.path().join("spool")), before);
    fake.accept_again();
    let influx = Influx::start(config()).unwrap();
    assert!(influx.flush(LONG).await.is_complete());
    assert_eq!(numbers(&fake, "a"), all(0..10));
    influx.shutdown(LONG).await;
}

#[actix::test]
async fn a_file_keeps_its_unit_whatever_the_settings_are_when_it_is_sent() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    fake.refuse();
    let stamp = |at: i64| {
        Measurement::new("db", "m")
            .timestamp(actix_influxdb::Timestamp::from_millis(at))
            .field("number", at)
    };
    let config = |precision| with_spool(&fake, &folder).precision(precision);
    let influx = Influx::start(config(Precision::Milliseconds)).unwrap();
    influx.record(stamp(1_234)).unwrap();
    assert_eq!(influx.shutdown(LONG).await.spooled, 1);
    fake.accept_again();
    let influx = Influx::start(config(Precision::Seconds)).unwrap();
    influx.record(stamp(5_678)).unwrap();
    assert!(influx.flush(LONG).await.is_complete());
    let mut times: Vec<_> = fake
        .points("db")
        .iter()
        .map(|point| point.timestamp)
        .collect();
    times.sort();
    assert_eq!(times, [Some(1_234_000_000), Some(5_000_000_000)]);
    influx.shutdown(LONG).await;
}

#[actix::test]
async fn microseconds_are_the_same_time_whatever_api_they_are_sent_by() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let spool = folder.path().join("spool");
    let time = |nanos| actix_influxdb::Timestamp::from_nanos(nanos);
    let with = |config: Config| {
        let config = config.precision(Precision::Microseconds).spool_dir(&spool);
        Influx::start(config).unwrap()
    };
    fake.refuse();
    let v2 = with(Config::v2(fake.url(), "org", "token"));
    let stamped = Measurement::new("db", "m")
        .timestamp(time(1_234_567_000))
        .field("f", 1);
    v2.record(stamped).unwrap();
    assert_eq!(v2.shutdown(LONG).await.spooled, 1);
    let v1 = with(Config::v1(fake.url()));
    until(&v1, "it is found", |stats| stats.recovered == 1);
    let stamped = Measurement::new("db", "m")
        .timestamp(time(2_345_678_000))
        .field("f", 2);
    v1.record(stamped).unwrap();
    assert_eq!(v1.shutdown(LONG).await.spooled, 2);
    fake.accept_again();
    let v1 = with(Config::v1(fake.url()));
    until(&v1, "both are written", |stats| stats.written == 2);
    v1.shutdown(LONG).await;
    let mut times: Vec<_> = fake
        .points("db")
        .iter()
        .map(|point| point.timestamp)
        .collect();
    times.sort();
    assert_eq!(times, [Some(1_234_567_000), Some(2_345_678_000)]);
}

#[actix::test]
async fn one_process_has_the_folder_and_the_next_takes_it_when_it_is_free() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let first = Influx::start(with_spool(&fake, &folder)).unwrap();
    opened(&first);
    let second = Influx::start(with_spool(&fake, &folder)).unwrap();
    until(&second, "it is told that the folder is taken", |stats| {
        stats.spool.as_ref().unwrap().state == SpoolState::Taken
    });
    record_numbered(&second, "db", 0..3);
    assert!(second.flush(LONG).await.is_complete(), "it works without");
    fake.refuse();
    fake.close_idle();
    record_numbered(&first, "db", 3..6);
    assert_eq!(first.shutdown(LONG).await.spooled, 3);
    fake.accept_again();
    opened(&second);
    assert!(second.flush(LONG).await.is_complete());
    let stats = second.shutdown(LONG).await.stats;
    assert_eq!((stats.recovered, stats.written), (3, 6));
    assert_eq!(numbers(&fake, "db"), all(0..6));
}

#[actix::test]
async fn when_more_has_to_leave_the_memory_than_the_spool_has_room_for_all_goes_on() {
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    fake.refuse();
    let config = with_spool(&fake, &folder)
        .overflow(Overflow::Spool)
        .max_batch_bytes(128 << 10)
        .max_buffer_size(10_000)
        .spool_max_bytes(256 << 10);
    let influx = Influx::start(config).unwrap();
    opened(&influx);
    for number in 0..6_000 {
        // Compression makes it no smaller than half.
        let noise: String = (0..1_000).map(|_| fastrand::alphanumeric()).collect();
        let measurement = numbered("db", number).field("noise", noise);
        influx.record(measurement).unwrap();
    }
    influx.flush(Duration::from_millis(100)).await;
    // The part that is kept free is more than the spool takes at once.
    influx
        .update(|config| config.max_buffer_size(4_000))
        .unwrap();
    let flush = influx.flush(Duration::from_millis(100));
    let report = tokio::time::timeout(LONG, flush).await.expect("it ends");
    assert!(!report.is_complete(), "{report:?}");
    fake.accept_again();
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report:?}");
    let stats = influx.shutdown(LONG).await.stats;
    assert!(stats.balanced() && stats.pending == 0, "{stats}");
    assert_eq!(numbers(&fake, "db").len() as u64, stats.written);
}
