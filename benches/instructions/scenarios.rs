//! What is counted: each runs an operation so many times, on the thread that calls it.

use std::hint::black_box;

use actix_influxdb::{Config, InfluxMetrics, Measurement, testing};

use crate::data::{
    self, service,
    workloads::{self, OF_560, OF_10000_ENDPOINTS, OF_13440, OF_1000000},
};

pub struct Scenario {
    pub name: &'static str,
    pub run: fn(u32),
    /// Its own figure is what it costs more than this one.
    pub over: Option<&'static str>,
}

pub const SCENARIOS: [Scenario; 17] = [
    Scenario::new("measurement", |times| make(times, data::typical)),
    Scenario::new("encode", |times| encode(times, data::typical)),
    Scenario::new("encode_escapes", |times| encode(times, data::with_escapes)),
    Scenario::new("record", |times| record(times, data::typical)),
    Scenario::new("record_escapes", |times| {
        record(times, data::with_8_escaped_tags)
    }),
    Scenario::new("series", points),
    Scenario::new("series_560", |times| record_series(times, OF_560)),
    Scenario::new("series_13440", |times| record_series(times, OF_13440)),
    Scenario::new("series_1000000", |times| record_series(times, OF_1000000)),
    Scenario::new("series_capped", record_capped),
    Scenario::new("strings_13440", record_strings),
    Scenario::new("20_tags", |times| record(times, workloads::with_20_tags)),
    Scenario::new("10_fields", |times| {
        record(times, workloads::with_10_fields)
    }),
    Scenario::new("databases_1", |times| record_databases(times, 1)),
    Scenario::new("databases_1000", |times| record_databases(times, 1_000)),
    Scenario::new("request", bare_requests),
    Scenario {
        name: "middleware",
        run: measured_requests,
        over: Some("request"),
    },
];

impl Scenario {
    const fn new(name: &'static str, run: fn(u32)) -> Self {
        let over = None;
        Self { name, run, over }
    }

    pub fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}

/// Is it only there for others to be held against? It is none of this crate's work.
pub fn is_base(name: &str) -> bool {
    SCENARIOS.iter().any(|scenario| scenario.over == Some(name))
}

fn make(times: u32, measurement: fn() -> Measurement) {
    for _ in 0..times {
        black_box(measurement());
    }
}

fn encode(times: u32, measurement: fn() -> Measurement) {
    let mut out = Vec::with_capacity(1_024);
    for _ in 0..times {
        out.clear();
        testing::encode(measurement(), &mut out).expect("it is valid");
        black_box(&out);
    }
}

/// Lines stay where they are recorded: nothing is delivered meanwhile.
fn record(times: u32, measurement: fn() -> Measurement) {
    let (influx, _guard) = data::start(data::idle());
    for _ in 0..times {
        influx.record(measurement()).expect("there is room");
    }
}

/// Points of one series that is kept.
fn points(times: u32) {
    let (influx, _guard) = data::start(data::idle());
    let series = influx
        .series("example", "http_request")
        .tag("method", "GET")
        .tag("endpoint", "/users/{id}/orders")
        .tag("handler", "orders")
        .tag("status_code", "200")
        .tag("outcome", "ok")
        .tag("availability_zone", "eu-central-1a")
        .build()
        .expect("it is valid");
    for _ in 0..times {
        let point = series
            .point()
            .field("duration", 0.021_377)
            .field("time_to_first_byte", 0.021_129);
        point.record().expect("there is room");
    }
}

fn record_series(times: u32, counts: [usize; 6]) {
    let series = workloads::Series::new(counts);
    record_all(times, data::idle(), series, |series| series.literals());
}

/// Most measurements have a value that there is no budget for.
fn record_capped(times: u32) {
    let series = workloads::Series::new(OF_10000_ENDPOINTS);
    let config = data::idle().max_tag_values(1_000);
    record_all(times, config, series, |series| series.literals());
}

fn record_strings(times: u32) {
    let series = workloads::Series::new(OF_13440);
    record_all(times, data::idle(), series, |series| series.strings());
}

/// The cardinality guard knows all values by then, and the series if they are not too many.
fn record_all(
    times: u32,
    config: Config,
    mut series: workloads::Series,
    measurement: fn(&mut workloads::Series) -> Measurement,
) {
    let (influx, _guard) = data::start(config);
    let record = |measurement| influx.record(measurement).expect("there is room");
    series.each_value().for_each(record);
    if series.count() <= MOST_WARM {
        (0..series.count()).for_each(|_| record(measurement(&mut series)));
    }
    (0..times).for_each(|_| record(measurement(&mut series)));
}

/// With so many, all series come once before what is counted.
const MOST_WARM: usize = 20_000;

/// Each database has its partition by then.
fn record_databases(times: u32, count: usize) {
    let (influx, _guard) = data::start(data::idle());
    let measurements = workloads::of_databases(count);
    for measurement in measurements.take(4 * count + times as usize) {
        influx.record(measurement).expect("there is room");
    }
}

fn bare_requests(times: u32) {
    actix_web::rt::System::new().block_on(async {
        let service = service::bare().await;
        service::requests(&service, times).await;
    });
}

fn measured_requests(times: u32) {
    let (influx, _guard) = data::start(data::idle());
    actix_web::rt::System::new().block_on(async {
        let service = service::measured(InfluxMetrics::new(&influx, "example")).await;
        service::requests(&service, times).await;
    });
    assert_eq!(influx.stats().recorded, u64::from(times));
}
