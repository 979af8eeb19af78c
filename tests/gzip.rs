//! Compressed bodies.

mod support;

use std::time::Duration;

use actix_influxdb::{
    Config, Influx,
    testing::{Answer, FakeInflux},
};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, settled},
    require_influxd, require_victoria_metrics,
};

fn start(config: Config) -> Influx {
    Influx::start(config.gzip(true)).unwrap()
}

/// Of the writes, in order: are they compressed?
fn codings(fake: &FakeInflux) -> Vec<bool> {
    let requests = fake.requests();
    let writes = requests.iter().filter(|request| request.is_write());
    writes
        .map(|write| write.header("content-encoding") == Some("gzip"))
        .collect()
}

#[actix::test]
async fn large_bodies_are_compressed_and_small_ones_are_not() {
    let fake = FakeInflux::start();
    let influx = start(impatient(fake.url()));
    record(&influx, "db", 10_000);
    assert!(influx.flush(LONG).await.is_complete());
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 10_001);
    assert_eq!(fake.count("db"), 10_001);
    assert_eq!(codings(&fake), [true, false]);
    let sizes: Vec<_> = fake
        .requests()
        .iter()
        .map(|request| request.body.len())
        .collect();
    assert!(sizes[0] < 100_000, "{sizes:?}");
}

#[actix::test]
async fn an_endpoint_that_refuses_compressed_bodies_gets_plain_ones_from_then_on() {
    for refusal in [
        Answer::status(415),
        Answer::error(400, "gzip: invalid header"),
        Answer::status(500).body("An internal error has occurred - check server logs"),
    ] {
        let fake = FakeInflux::start();
        fake.answer_with(move |request| match request.header("content-encoding") {
            Some(_) => refusal.clone(),
            None => Answer::accept(),
        });
        let influx = start(impatient(fake.url()));
        for _ in 0..2 {
            record(&influx, "db", 100);
            assert!(influx.flush(LONG).await.is_complete());
        }
        let stats = settled(&influx).await;
        assert_eq!((stats.written, stats.rejected), (200, 0));
        assert_eq!(codings(&fake), [true, false, false]);
    }
}

#[actix::test]
async fn a_bad_line_in_the_first_compressed_body_costs_the_endpoint_nothing() {
    let fake = FakeInflux::start();
    fake.answer_next(Answer::error(
        400,
        "partial write: field type conflict dropped=100",
    ));
    fake.answer_next(Answer::error(
        400,
        "partial write: field type conflict dropped=100",
    ));
    let influx = start(impatient(fake.url()));
    record(&influx, "db", 100);
    influx.flush(LONG).await;
    record(&influx, "db", 100);
    influx.flush(LONG).await;
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (100, 100));
    assert_eq!(codings(&fake), [true, false, true]);
}

#[actix::test]
async fn after_one_was_taken_an_error_is_judged_at_once() {
    let fake = FakeInflux::start();
    let influx = start(impatient(fake.url()));
    record(&influx, "db", 100);
    assert!(influx.flush(LONG).await.is_complete());
    fake.answer_next(Answer::status(500));
    record(&influx, "db", 100);
    assert_eq!(settled(&influx).await.written, 200);
    assert_eq!(codings(&fake), [true, true, true]);
}

#[actix::test]
async fn real_servers_store_what_was_compressed() {
    let influxd = require_influxd!();
    let victoria = require_victoria_metrics!();
    influxd.create_database("db");
    for url in [influxd.url(), victoria.url()] {
        let influx = start(impatient(url));
        record(&influx, "db", 5_000);
        let stats = settled(&influx).await;
        assert_eq!((stats.written, stats.rejected), (5_000, 0));
        assert!(influx.flush(Duration::ZERO).await.is_complete());
    }
    assert_eq!(influxd.count("db", "m", "f"), 5_000);
}
