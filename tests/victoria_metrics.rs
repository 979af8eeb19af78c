//! A real VictoriaMetrics: what its export counts is what the ledger says, whatever happens to it.

mod support;

use std::{collections::BTreeSet, time::Duration};

use actix_influxdb::{Config, Influx, Measurement, Precision, StringNewlines, Timestamp};
use support::{
    load::{Load, Taken, wait_for_progress, wait_until_stuck},
    pipeline::settled_within,
    require_victoria_metrics,
    victoria::VictoriaMetrics,
    wait::wait_until,
};

const LONG: Duration = Duration::from_secs(30);

const DATABASES: &[&str] = &["one", "two", "three"];

/// Nanoseconds; a whole number of seconds.
const BEGIN: i64 = 1_700_000_000_000_000_000;

fn config(victoria: &VictoriaMetrics) -> Config {
    Config::v1(victoria.url())
        .precision(Precision::Milliseconds)
        .trigger_size(100)
        .interval(Duration::from_millis(20))
        .max_retry_delay(Duration::from_millis(200))
}

/// The server keeps milliseconds: each point of a thread has its own.
fn measurement(database: &'static str, thread: u64, count: u64) -> Measurement {
    Measurement::new(database, "m")
        .tag("thread", thread.to_string())
        .field("count", count)
        .timestamp(Timestamp::from_nanos(BEGIN + count as i64 * 1_000_000))
}

/// How many points it has. What was written twice it may keep twice: that is one point.
fn count(victoria: &VictoriaMetrics, database: &str) -> u64 {
    let selector = format!("m_count{{db=\"{database}\"}}");
    let points = |series: support::victoria::Series| {
        let times: BTreeSet<i64> = series
            .samples
            .iter()
            .map(|(time, value)| {
                let written = *time - BEGIN / 1_000_000;
                assert_eq!(
                    *value, written as f64,
                    "{database}: another value than was recorded"
                );
                *time
            })
            .collect();
        times.len() as u64
    };
    victoria.export(&selector).into_iter().map(points).sum()
}

/// Ends the pipeline: everything is written, and there.
async fn assert_all_arrived(influx: &Influx, victoria: &VictoriaMetrics, taken: &Taken) {
    let stats = settled_within(LONG, influx).await;
    assert_eq!(stats.written, taken.values().sum::<u64>(), "{stats}");
    for (database, taken) in taken {
        // On a busy machine a new series takes a while to be found.
        _ = wait_until(LONG, || count(victoria, database) >= *taken);
        assert_eq!(count(victoria, database), *taken, "{database}");
    }
}

// It may lose the last seconds when it is killed: so it is asked to end.
#[actix::test]
async fn a_server_that_restarts_again_and_again_has_every_point() {
    let victoria = require_victoria_metrics!();
    let influx = Influx::start(config(&victoria)).unwrap();
    let load = Load::start(&influx, 4, DATABASES, measurement);
    for _ in 0..3 {
        wait_for_progress(&influx);
        victoria.restart();
    }
    wait_for_progress(&influx);
    let taken = load.stop();
    assert_all_arrived(&influx, &victoria, &taken).await;
}

/// The series that there are, whatever their database.
fn names(victoria: &VictoriaMetrics) -> BTreeSet<String> {
    let all = victoria.export(r#"{__name__=~".+"}"#).into_iter();
    all.map(|series| series.name).collect()
}

// This version parses each line of a string by itself.
#[actix::test]
async fn a_newline_in_a_string_loses_no_point_and_forges_none() {
    let victoria = require_victoria_metrics!();
    let forged = "x\nevil,host=a g=1 1700000000000\nevil h=2\r\nevil i=3 1700000000000\n";
    let point = |name: &'static str| {
        Measurement::new("one", name)
            .tag("tag", forged)
            .field("good", 7)
            .timestamp(Timestamp::from_nanos(BEGIN))
    };
    let influx = Influx::start(config(&victoria)).unwrap();
    influx.record(point("first").field("note", forged)).unwrap();
    influx.record(point("second")).unwrap();
    let stats = settled_within(LONG, &influx).await;
    assert_eq!(stats.written, 2, "{stats}");
    // A string is stored as 0.
    let expected = ["first_good", "first_note", "second_good"];
    assert_eq!(names(&victoria), expected.map(str::to_owned).into());
    assert_eq!(victoria.count("first_good"), 1);
}

#[actix::test]
async fn newlines_are_escaped_or_raw_as_an_update_says() {
    let victoria = require_victoria_metrics!();
    let influx = Influx::start(config(&victoria).trigger_size(1_000)).unwrap();
    let record = |name: &'static str| {
        let note = format!("x\n{name}_forged g=1 1700000000000\ny");
        let point = Measurement::new("one", name).field("note", note);
        influx
            .record(point.timestamp(Timestamp::from_nanos(BEGIN)))
            .unwrap();
    };
    record("before");
    influx
        .update(|config| config.string_newlines(StringNewlines::Raw))
        .unwrap();
    record("raw");
    influx
        .update(|config| config.string_newlines(StringNewlines::Escape))
        .unwrap();
    record("after");
    settled_within(LONG, &influx).await;
    let expected = ["after_note", "before_note", "raw_forged_g"];
    assert_eq!(names(&victoria), expected.map(str::to_owned).into());
}

#[actix::test]
async fn a_server_that_freezes_for_longer_than_the_timeout_has_every_point() {
    let victoria = require_victoria_metrics!();
    let timeout = Duration::from_millis(300);
    let influx = Influx::start(config(&victoria).request_timeout(timeout)).unwrap();
    let load = Load::start(&influx, 4, DATABASES, measurement);
    wait_for_progress(&influx);
    victoria.pause();
    wait_until_stuck(&influx, timeout * 3).await;
    victoria.resume();
    wait_for_progress(&influx);
    let taken = load.stop();
    assert_all_arrived(&influx, &victoria, &taken).await;
}
