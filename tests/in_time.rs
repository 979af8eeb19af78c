//! `flush` and `shutdown` return in time, whatever the server does: no later than 250 ms after the
//! timeout that they were given.

mod support;

use std::{
    net::TcpListener,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix::System;
use actix_influxdb::{
    Influx,
    testing::{Answer, FakeInflux},
};
use support::{
    measurement::record,
    pipeline::{assert_settled, quiet},
};

const TIMEOUT: Duration = Duration::from_millis(300);
const GRACE: Duration = Duration::from_millis(250);

/// Times are measured: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(url: impl Into<String>) -> Influx {
    Influx::start(quiet(url).max_batch_size(100)).unwrap()
}

/// Neither call is late, and what they report is what the ledger says.
fn assert_ends_in_time(influx: &Influx) {
    let before = influx.stats();
    let (report, elapsed) = timed(influx.flush(TIMEOUT));
    assert!(elapsed <= TIMEOUT + GRACE, "flush took {elapsed:?}");
    let settled = report.written + report.rejected;
    assert_eq!(settled + report.undelivered, before.pending, "{report:?}");

    let (report, elapsed) = timed(influx.shutdown(TIMEOUT));
    assert!(elapsed <= TIMEOUT + GRACE, "shutdown took {elapsed:?}");
    let stats = report.stats;
    assert_settled(&stats);
    assert_eq!(stats.dropped.undelivered, report.undelivered, "{stats:?}");
    assert_eq!(stats.recorded, before.recorded);
}

fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let system = System::new();
    let began = Instant::now();
    let result = system.block_on(call);
    (result, began.elapsed())
}

#[test]
fn nobody_waits_for_a_server_that_says_nothing() {
    let _alone = alone();
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let influx = start(fake.url());
    record(&influx, "db", 500);
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_a_server_that_reads_nothing() {
    let _alone = alone();
    // The kernel takes the connections.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let influx = start(format!("http://{}", listener.local_addr().unwrap()));
    record(&influx, "db", 50_000);
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_a_server_that_refuses() {
    let _alone = alone();
    let fake = FakeInflux::start();
    fake.refuse();
    let influx = start(fake.url());
    record(&influx, "db", 500);
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_a_server_that_drips() {
    let _alone = alone();
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().drip(1, Duration::from_millis(20)));
    let influx = start(fake.url());
    record(&influx, "db", 500);
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_an_answer_that_never_ends() {
    let _alone = alone();
    let fake = FakeInflux::start();
    let endless = Answer::status(500).body_of_size(8 << 20);
    fake.answer_always(endless.drip(1 << 10, Duration::from_millis(1)));
    let influx = start(fake.url());
    record(&influx, "db", 500);
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_10_000_measurements_to_be_rejected_one_by_one() {
    let _alone = alone();
    let fake = FakeInflux::start();
    fake.answer_always(Answer::error(400, "I like none of it"));
    let influx = start(fake.url());
    record(&influx, "db", 10_000);
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_100_databases_that_are_not_answered() {
    let _alone = alone();
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let influx = start(fake.url());
    for number in 0..100 {
        record(&influx, format!("db{number}"), 10);
    }
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_for_100_databases_that_do_not_exist() {
    let _alone = alone();
    let fake = FakeInflux::start();
    let influx = start(fake.url());
    for number in 0..100 {
        let database = format!("db{number}");
        fake.without_database(&database);
        record(&influx, database, 10);
    }
    assert_ends_in_time(&influx);
}

#[test]
fn nobody_waits_because_500_000_measurements_are_pending() {
    let _alone = alone();
    let fake = FakeInflux::start();
    fake.refuse();
    let influx = start(fake.url());
    for number in 0..4 {
        record(&influx, format!("db{number}"), 125_000);
    }
    assert_ends_in_time(&influx);
}
