//! A real influxd that is killed, frozen, full, locked, narrow or without its database: whatever
//! happens, a query afterwards counts what the ledger says.

mod support;

use std::time::Duration;

use actix_influxdb::{Config, Delivery, Influx, Measurement, Stats};
use futures_util::future::join;
use support::{
    influxd::{Influxd, PASSWORD, USER},
    load::{Load, Taken, wait_for_progress, wait_until_stuck},
    pipeline::{self, settled_within},
    require_influxd,
};

const LONG: Duration = Duration::from_secs(30);

/// Long enough for some attempts that fail.
const SHORT: Duration = Duration::from_millis(700);

const MAX_RETRY_DELAY: Duration = Duration::from_millis(200);

const DATABASES: &[&str] = &["one", "two", "three"];

fn config(influxd: &Influxd) -> Config {
    Config::v1(influxd.url())
        .trigger_size(100)
        .interval(Duration::from_millis(20))
        .max_retry_delay(MAX_RETRY_DELAY)
}

/// Nothing is sent by itself.
fn quiet(influxd: &Influxd) -> Config {
    pipeline::quiet(influxd.url()).max_retry_delay(MAX_RETRY_DELAY)
}

fn measurement(database: &'static str, thread: u64, count: u64) -> Measurement {
    Measurement::new(database, "m")
        .tag("thread", thread.to_string())
        .field("count", count)
}

fn record(influx: &Influx, counts: std::ops::Range<u64>) {
    for count in counts {
        influx.record(measurement("one", 0, count)).unwrap();
    }
}

/// Ends the pipeline, with everything settled and nothing dropped.
async fn end(influx: &Influx) -> Stats {
    let stats = settled_within(LONG, influx).await;
    assert_eq!(stats.dropped.total(), 0, "{stats}");
    stats
}

async fn assert_all_arrived(influx: &Influx, influxd: &Influxd, taken: &Taken) {
    let stats = end(influx).await;
    assert_eq!(stats.written, taken.values().sum::<u64>(), "{stats}");
    for (database, count) in taken {
        assert_eq!(influxd.count(database, "m", "count"), *count, "{database}");
    }
}

// What is stored and not answered when the server is killed is sent again, and is the same point.
#[actix::test]
async fn a_server_that_is_killed_and_restarted_again_and_again_has_every_point_once() {
    let influxd = require_influxd!();
    DATABASES
        .iter()
        .for_each(|name| influxd.create_database(name));
    let influx = Influx::start(config(&influxd)).unwrap();
    let load = Load::start(&influx, 4, DATABASES, measurement);
    for round in 0..6 {
        wait_for_progress(&influx);
        if round % 2 == 0 {
            influxd.kill();
        }
        influxd.restart();
    }
    wait_for_progress(&influx);
    let taken = load.stop();
    assert_all_arrived(&influx, &influxd, &taken).await;
}

#[actix::test]
async fn a_server_that_freezes_for_longer_than_the_timeout_has_every_point_once() {
    let influxd = require_influxd!();
    DATABASES
        .iter()
        .for_each(|name| influxd.create_database(name));
    let timeout = Duration::from_millis(300);
    let influx = Influx::start(config(&influxd).request_timeout(timeout)).unwrap();
    let load = Load::start(&influx, 4, DATABASES, measurement);
    for _ in 0..2 {
        wait_for_progress(&influx);
        influxd.pause();
        wait_until_stuck(&influx, timeout * 3).await;
        influxd.resume();
    }
    wait_for_progress(&influx);
    let taken = load.stop();
    assert_all_arrived(&influx, &influxd, &taken).await;
}

#[actix::test]
async fn points_with_too_many_values_of_a_tag_are_rejected_by_name_and_no_others() {
    const VALUES: u64 = 20;
    let influxd = require_influxd!(Influxd::builder().max_values_per_tag(VALUES));
    influxd.create_database("one");
    let influx = Influx::start(quiet(&influxd)).unwrap();
    let point = |value: u64, count| measurement("one", value, count);
    for value in 0..VALUES {
        influx.record(point(value, 0)).unwrap();
    }
    assert_eq!(influx.flush(LONG).await.written, VALUES);
    // In the midst of good ones, in one batch.
    for count in 1..=1_000 {
        let value = if count % 100 == 0 {
            VALUES + count
        } else {
            count % VALUES
        };
        influx.record(point(value, count)).unwrap();
    }
    let report = influx.flush(LONG).await;
    assert_eq!((report.written, report.rejected), (990, 10));
    influx.update(|config| config.trigger_size(1)).unwrap();
    let delivery = influx.deliver(point(VALUES, 0)).await;
    assert!(
        matches!(&delivery, Delivery::Rejected { reason } if reason.message.contains("max-values-per-tag")),
        "{delivery:?}"
    );
    let stats = end(&influx).await;
    assert_eq!((stats.written, stats.rejected), (VALUES + 990, 11));
    assert_eq!(influxd.count("one", "m", "count"), stats.written);
}

#[actix::test]
async fn a_database_that_is_dropped_gets_everything_that_was_recorded_since_when_it_is_back() {
    let influxd = require_influxd!();
    DATABASES
        .iter()
        .for_each(|name| influxd.create_database(name));
    let influx = Influx::start(config(&influxd)).unwrap();
    let others = Load::start(&influx, 2, &["two", "three"], measurement);
    let before = Load::start(&influx, 2, &["one"], measurement);
    wait_for_progress(&influx);
    influxd.drop_database("one");
    let since = Load::start(&influx, 2, &["one"], |database, thread, count| {
        measurement(database, thread, count).field("since", count)
    });
    wait_for_progress(&influx);
    wait_until_stuck(&influx, SHORT).await;
    // The others go on.
    wait_for_progress(&influx);
    influxd.create_database("one");
    wait_for_progress(&influx);
    let (since, others, before) = (since.stop(), others.stop(), before.stop());
    let stats = end(&influx).await;
    assert_eq!(stats.rejected, 0);
    // What was written before went with the database.
    assert_eq!(influxd.count("one", "m", "since"), since["one"]);
    let all = before["one"] + since["one"];
    assert!(influxd.count("one", "m", "count") <= all);
    for (database, count) in &others {
        assert_eq!(influxd.count(database, "m", "count"), *count, "{database}");
    }
    assert_eq!(stats.written, all + others.values().sum::<u64>());
}

#[actix::test]
async fn a_wrong_password_costs_nothing_once_it_is_put_right() {
    let influxd = require_influxd!(Influxd::builder().auth(true));
    influxd.create_database("one");
    let influx = Influx::start(config(&influxd).user(USER).password("wrong")).unwrap();
    record(&influx, 0..1_000);
    assert_eq!(influx.flush(SHORT).await.undelivered, 1_000);
    assert_eq!(influx.stats().pending, 1_000);
    influx.update(|config| config.password(PASSWORD)).unwrap();
    record(&influx, 1_000..1_500);
    assert_all_arrived(&influx, &influxd, &Taken::from([("one", 1_500)])).await;
}

#[actix::test]
async fn a_user_who_may_not_write_yet_loses_nothing() {
    let influxd = require_influxd!(Influxd::builder().auth(true));
    influxd.create_database("one");
    influxd.query("", "CREATE USER writer WITH PASSWORD 'w'");
    let influx = Influx::start(config(&influxd).user("writer").password("w")).unwrap();
    record(&influx, 0..1_000);
    assert_eq!(influx.flush(SHORT).await.undelivered, 1_000);
    influxd.query("", "GRANT WRITE ON one TO writer");
    assert_all_arrived(&influx, &influxd, &Taken::from([("one", 1_000)])).await;
}

#[actix::test]
async fn a_batch_that_is_too_large_is_split_until_it_fits() {
    let influxd = require_influxd!(Influxd::builder().max_body_size(20_000));
    influxd.create_database("one");
    let influx = Influx::start(quiet(&influxd)).unwrap();
    // About 500 kB, sent as one batch.
    record(&influx, 0..10_000);
    assert_all_arrived(&influx, &influxd, &Taken::from([("one", 10_000)])).await;
}

// More than sockets hold: influxd stops reading, and resets the connection half a second later.
#[actix::test]
async fn a_batch_that_is_reset_for_its_size_is_split_until_it_fits() {
    let influxd = require_influxd!(Influxd::builder().max_body_size(20_000));
    influxd.create_database("one");
    let influx = Influx::start(quiet(&influxd).max_batch_bytes(16 << 20)).unwrap();
    // About 6 MB, sent as one batch.
    for count in 0..4_000 {
        let padding = "x".repeat(1_500);
        let measurement = measurement("one", 0, count).field("padding", padding);
        influx.record(measurement).unwrap();
    }
    assert_all_arrived(&influx, &influxd, &Taken::from([("one", 4_000)])).await;
}

#[actix::test]
async fn a_single_measurement_that_is_too_large_is_rejected_by_name() {
    let influxd = require_influxd!(Influxd::builder().max_body_size(20_000));
    influxd.create_database("one");
    let influx = Influx::start(quiet(&influxd)).unwrap();
    record(&influx, 0..500);
    let giant = measurement("one", 0, 500).field("text", "x".repeat(30_000));
    let rest = async {
        record(&influx, 500..1_000);
        influx.flush(LONG).await
    };
    let (delivery, report) = join(influx.deliver(giant), rest).await;
    assert!(
        matches!(&delivery, Delivery::Rejected { reason } if reason.message.contains("413")),
        "{delivery:?}"
    );
    assert_eq!((report.written, report.rejected), (1_000, 1));
    let stats = end(&influx).await;
    assert_eq!((stats.written, stats.rejected), (1_000, 1));
    assert_eq!(influxd.count("one", "m", "count"), 1_000);
}
