//! Measurements that come after the end are told of once. The logger is the process's, so all of
//! it is one test.

mod support;

use std::{panic, time::Duration};

use actix_influxdb::{Delivery, Influx, RecordError, testing::FakeInflux};
use log::{Level, LevelFilter};
use support::{
    logger::{self, Line},
    measurement::{measurement, record},
    pipeline::{LONG, quiet},
};

fn warnings() -> Vec<Line> {
    let mut lines = logger::take();
    lines.retain(|line| line.level <= Level::Warn);
    lines
}

/// Records when it is dropped, as a request does.
struct Records<'a>(&'a Influx);

impl Drop for Records<'_> {
    fn drop(&mut self) {
        _ = self.0.record(measurement("db"));
    }
}

#[actix::test]
async fn the_first_measurement_that_comes_too_late_is_one_warning() {
    logger::install(LevelFilter::Info);
    let fake = FakeInflux::start();

    // Dropped at once.
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let _ = influx.guard(Duration::from_secs(10));
    assert_eq!(influx.record(measurement("db")), Err(RecordError::Stopping));
    let lines = warnings();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0].level, Level::Warn);
    assert_eq!(
        lines[0].text,
        "a measurement was recorded after the shutdown began: it is dropped, and so are all that \
         follow (counted in Stats::dropped.stopping). Influx::shutdown was called, or a guard was \
         dropped: `let _ = influx.guard(...)` drops it at once, `let _guard = influx.guard(...)` \
         keeps it to the end of its block"
    );
    for _ in 0..10 {
        _ = influx.record(measurement("db"));
    }
    assert!(matches!(
        influx.deliver(measurement("db")).await,
        Delivery::Dropped { .. }
    ));
    assert_eq!(warnings(), []);
    assert_eq!(influx.stats().dropped.stopping, 12);

    // From several threads at once, also while one of them unwinds.
    let influx = Influx::start(quiet(fake.url())).unwrap();
    record(&influx, "db", 1);
    influx.shutdown(LONG).await;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let unwinds = panic::AssertUnwindSafe(|| {
                    let _records = Records(&influx);
                    panic!("on purpose");
                });
                assert!(panic::catch_unwind(unwinds).is_err());
            });
        }
    });
    assert_eq!(warnings().len(), 1);
    assert_eq!(influx.stats().dropped.stopping, 4);

    // One that comes in time is none.
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let guard = influx.guard(LONG);
    record(&influx, "db", 3);
    drop(guard);
    assert_eq!(warnings(), []);
    assert_eq!(influx.stats().written, 3);
}
