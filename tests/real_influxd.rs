//! The whole way, from `record` to a query, on a real influxd.

mod support;

use std::{thread, time::Duration};

use actix::System;
use actix_influxdb::{Config, Influx, Measurement, Precision, Timestamp, testing::record_line};
use support::{
    http,
    influxd::Influxd,
    pipeline::{assert_settled, quiet},
    require_influxd,
    wait::wait_until,
};

const LONG: Duration = Duration::from_secs(30);

fn started(influxd: &Influxd, config: Config) -> Influx {
    influxd.create_database("db");
    Influx::start(config).unwrap()
}

fn measurement(count: u64) -> Measurement {
    Measurement::new("db", "m")
        .tag("same", "tag")
        .field("count", count)
}

fn record(influx: &Influx, count: u64) {
    for at in 0..count {
        influx.record(measurement(at)).unwrap();
    }
}

/// How many writes the server has seen.
fn posts(influxd: &Influxd) -> u64 {
    let url = format!("{}/debug/vars", influxd.url());
    let reply = http::get(&url, &[], LONG).unwrap();
    let variables: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let mut all = variables.as_object().unwrap().values();
    let httpd = all.find(|value| value["name"] == "httpd").unwrap();
    httpd["values"]["writeReq"].as_u64().unwrap()
}

/// Waits until the server has counted that many points.
fn wait_for(influxd: &Influxd, count: u64) {
    let is_there = || influxd.query_all("db", "m").len() >= count as usize;
    assert!(wait_until(LONG, is_there), "no {count} points in time");
}

#[actix::test]
async fn one_hundred_thousand_measurements_of_4_threads_in_3_databases_all_arrive() {
    const EACH: u64 = 25_000;
    let influxd = require_influxd!();
    let databases = ["one", "two", "three"];
    for database in databases {
        influxd.create_database(database);
    }
    let influx = Influx::start(Config::v1(influxd.url())).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let influx = influx.clone();
            // The same tags for all, as fast as possible: only the stamps tell them apart.
            thread::spawn(move || {
                for count in 0..EACH {
                    let database = databases[count as usize % 3];
                    let measurement = Measurement::new(database, "m").tag("same", "tag");
                    influx.record(measurement.field("count", count)).unwrap();
                }
            })
        })
        .collect();
    while !threads.iter().all(|thread| thread.is_finished()) {
        assert!(influx.stats().balanced(), "{}", influx.stats());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let report = influx.shutdown(LONG).await;
    assert!(report.is_complete(), "{report:?}");
    assert_settled(&influx.stats());
    assert_eq!(influx.stats().written, 4 * EACH);
    let counts = databases.map(|database| influxd.count(database, "m", "count"));
    assert_eq!(counts.iter().sum::<u64>(), 4 * EACH, "{counts:?}");
}

#[actix::test]
async fn a_batch_goes_out_when_the_trigger_size_is_reached() {
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()).trigger_size(100));
    record(&influx, 99);
    assert_eq!(posts(&influxd), 0);
    record(&influx, 1);
    wait_for(&influxd, 100);
    assert_eq!(posts(&influxd), 1);
}

#[actix::test]
async fn a_batch_goes_out_an_interval_after_the_first_measurement() {
    let influxd = require_influxd!();
    let config = quiet(influxd.url()).interval(Duration::from_millis(50));
    let influx = started(&influxd, config);
    record(&influx, 7);
    wait_for(&influxd, 7);
    assert_eq!(posts(&influxd), 1);
}

#[actix::test]
async fn flush_returns_when_everything_recorded_before_it_can_be_queried() {
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()));
    record(&influx, 10);
    influx.addr().do_send(measurement(10));
    let report = influx.flush(LONG).await;
    assert!(report.is_complete());
    assert_eq!(report.written, 11);
    assert_eq!(influxd.count("db", "m", "count"), 11);
    assert_eq!(posts(&influxd), 1);
    assert_settled(&influx.stats());
}

#[actix::test]
async fn every_precision_is_understood_by_the_server() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    const AT: i64 = 1_700_000_001_234_567_891;
    for (precision, stored) in [
        (Precision::Nanoseconds, AT),
        (Precision::Microseconds, AT / 1_000 * 1_000),
        (Precision::Milliseconds, AT / 1_000_000 * 1_000_000),
        (Precision::Seconds, AT / 1_000_000_000 * 1_000_000_000),
    ] {
        let influx = Influx::start(quiet(influxd.url()).precision(precision)).unwrap();
        let name = precision.to_string();
        let measurement = Measurement::new("db", name.clone())
            .field("f", 1)
            .timestamp(Timestamp::from_nanos(AT));
        influx.record(measurement).unwrap();
        assert!(influx.shutdown(LONG).await.is_complete());
        assert_eq!(influxd.query_all("db", &name)[0].time, stored, "{name}");
    }
}

#[actix::test]
async fn a_type_conflict_and_an_unparseable_line_among_5_000_are_found_with_at_most_60_posts() {
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()));
    influx.record(measurement(0)).unwrap();
    influx.flush(LONG).await;
    let before = posts(&influxd);
    record(&influx, 1_234);
    let conflict = Measurement::new("db", "m").field("count", "a string");
    influx.record(conflict).unwrap();
    record(&influx, 2_500);
    record_line(&influx, "db", "this is no line at all").unwrap();
    record(&influx, 1_264);
    let report = influx.shutdown(LONG).await;
    assert!(report.is_complete());
    assert_eq!((report.written, report.rejected), (4_998, 2));
    assert_settled(&influx.stats());
    assert_eq!(influxd.count("db", "m", "count"), 4_999);
    let posts = posts(&influxd) - before;
    assert!(posts <= 60, "{posts} POSTs");
}

#[test]
fn a_program_that_ends_by_shutdown_loses_nothing() {
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()));
    System::new().block_on(async {
        record(&influx, 500);
        let report = influx.shutdown(LONG).await;
        assert_eq!(report.written, 500);
        assert_eq!(influx.shutdown(LONG).await.written, 500, "it is idempotent");
    });
    assert_eq!(influxd.count("db", "m", "count"), 500);
    assert_settled(&influx.stats());
}

#[test]
fn a_program_that_returns_early_loses_nothing_thanks_to_its_guard() {
    fn main(influx: &Influx) -> Result<(), std::num::ParseIntError> {
        let _guard = influx.guard(LONG);
        System::new().block_on(async {
            record(influx, 500);
            "no number".parse::<i32>()?;
            record(influx, 500);
            Ok(())
        })
    }
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()));
    assert!(main(&influx).is_err());
    assert_eq!(influxd.count("db", "m", "count"), 500);
    assert_settled(&influx.stats());
}

#[test]
fn a_program_that_panics_loses_nothing_thanks_to_its_guard() {
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()));
    let main = thread::spawn({
        let influx = influx.clone();
        move || {
            let _guard = influx.guard(LONG);
            record(&influx, 500);
            panic!("on purpose");
        }
    });
    assert!(main.join().is_err());
    assert_eq!(influxd.count("db", "m", "count"), 500);
    assert_settled(&influx.stats());
}

#[test]
fn a_program_whose_system_stops_loses_nothing() {
    let influxd = require_influxd!();
    let influx = started(&influxd, quiet(influxd.url()));
    let guard = influx.guard(LONG);
    let system = System::new();
    let handle = influx.clone();
    system.runtime().spawn(async move {
        record(&handle, 500);
        handle.addr().do_send(measurement(500));
        System::current().stop();
    });
    system.run().unwrap();
    drop(guard);
    assert_eq!(influxd.count("db", "m", "count"), 501);
    assert_settled(&influx.stats());
}

#[actix::test]
async fn a_ping_tells_the_version_of_the_server() {
    let influxd = require_influxd!();
    let influx = Influx::start(Config::v1(influxd.url())).unwrap();
    let info = influx.ping().await.unwrap();
    let version = info.version.unwrap();
    assert!(version.starts_with("1."), "{version}");
    influxd.kill();
    let error = influx.ping().await.unwrap_err().to_string();
    assert!(error.contains("does not answer"), "{error}");
}

#[actix::test]
async fn a_server_that_is_killed_and_comes_back_gets_everything() {
    let influxd = require_influxd!();
    let influx = started(&influxd, Config::v1(influxd.url()).trigger_size(50));
    record(&influx, 100);
    assert!(influx.flush(LONG).await.is_complete());
    influxd.kill();
    record(&influx, 100);
    let report = influx.flush(Duration::from_millis(200)).await;
    assert_eq!(report.undelivered, 100);
    assert_eq!(influx.stats().pending, 100);
    influxd.restart();
    record(&influx, 100);
    assert!(influx.shutdown(LONG).await.is_complete());
    assert_settled(&influx.stats());
    assert_eq!(influx.stats().written, 300);
    assert_eq!(influxd.count("db", "m", "count"), 300);
}

#[actix::test]
async fn a_missing_database_is_created_if_that_is_wished_for() {
    let influxd = require_influxd!();
    let name = "my \"new\" db";
    let influx = Influx::start(quiet(influxd.url()).create_database(true)).unwrap();
    influx
        .record(Measurement::new(name, "m").field("count", 1))
        .unwrap();
    assert!(influx.shutdown(LONG).await.is_complete());
    assert_settled(&influx.stats());
    assert_eq!(influxd.count(name, "m", "count"), 1);
}
