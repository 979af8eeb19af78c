//! What the benchmarks record, and with what.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub mod ratio;
#[cfg(feature = "middleware")]
pub mod service;
pub mod sink;
pub mod workloads;

use std::time::Duration;

use actix_influxdb::{
    Config, Database, Influx, Measurement, ShutdownGuard,
    testing::{Answer, FakeInflux},
};

/// 6 tags and 2 fields, a line of about 190 bytes: what a web service records of a request.
pub fn typical() -> Measurement {
    typical_of("example")
}

/// The same, for another database.
pub fn typical_of(database: impl Into<Database>) -> Measurement {
    Measurement::new(database, "http_request")
        .tag("method", "GET")
        .tag("endpoint", "/users/{id}/orders")
        .tag("handler", "orders")
        .tag("status_code", "200")
        .tag("outcome", "ok")
        .tag("availability_zone", "eu-central-1a")
        .field("duration", 0.021_377)
        .field("time_to_first_byte", 0.021_129)
}

/// About the same size, but names, keys and values hold what is escaped or replaced.
pub fn with_escapes() -> Measurement {
    Measurement::new("example", "http request")
        .tag("method", "GET, HEAD")
        .tag("end point", "/users/{id}/orders=all")
        .tag("handler", "orders\n")
        .tag("status code", "200 OK")
        .tag("outcome", "ok, late")
        .tag("zone", "eu central\t1a")
        .field("duration of it", 0.021_377)
        .field("time to first byte", 0.021_129)
}

/// [`typical`], and a string with quotes and a backslash in it.
pub fn with_string() -> Measurement {
    typical().field("user_agent", r#"Mozilla/5.0 ("X11"; Linux \ x86_64) Gecko"#)
}

/// 8 tags, all of which need escapes.
pub fn with_8_escaped_tags() -> Measurement {
    with_escapes()
        .tag("host name", "web, 1")
        .tag("a=b", "c=d e")
}

/// 24 tags: more than a measurement holds without an allocation.
pub fn with_many_tags() -> Measurement {
    const KEYS: [&str; 18] = [
        "t00", "t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12",
        "t13", "t14", "t15", "t16", "t17",
    ];
    typical().tags(KEYS.map(|key| (key, "value")))
}

/// Settings under which nothing is delivered for a day, whatever is recorded, and everything that
/// a measurement can cost its thread is switched on. The tags are the same on every machine.
pub fn idle() -> Config {
    Config::v1("http://127.0.0.1:1")
        .interval(Duration::from_secs(24 * 60 * 60))
        .trigger_size(usize::MAX)
        .max_buffer_size(usize::MAX)
        .max_buffer_bytes(usize::MAX)
        .tag_hostname(false)
        .environment("production")
        .base_tag("hostname", "web-1")
        .base_tag("region", "eu-central-1")
}

/// A pipeline with these settings. When the guard is dropped, it ends at once.
pub fn start(config: Config) -> (Influx, ShutdownGuard) {
    let influx = Influx::start(config).expect("these settings are allowed");
    let guard = influx.guard(Duration::ZERO);
    (influx, guard)
}

/// A pipeline with the settings of [`idle`], whose server fails: what is recorded is batched as
/// ever, and the breaker is open.
pub fn start_without_server(fake: &FakeInflux) -> (Influx, ShutdownGuard) {
    fake.answer_always(Answer::status(503).retry_after(3_600));
    let config = idle()
        .url(fake.url())
        .trigger_size(Config::DEFAULT_TRIGGER_SIZE);
    let (influx, guard) = start(config.interval(Duration::from_millis(10)));
    influx.record(typical()).expect("there is room");
    fake.wait_for_requests(1, Duration::from_secs(10));
    (influx, guard)
}
