//! What is counted: each runs an operation so many times, on the thread that calls it.

use std::hint::black_box;

use actix_influxdb::{InfluxMetrics, Measurement, testing};

use crate::data::{self, service};

pub struct Scenario {
    pub name: &'static str,
    pub run: fn(u32),
    /// Its own figure is what it costs more than this one.
    pub over: Option<&'static str>,
}

pub const SCENARIOS: [Scenario; 7] = [
    Scenario::new("measurement", |times| make(times, data::typical)),
    Scenario::new("encode", |times| encode(times, data::typical)),
    Scenario::new("encode_escapes", |times| encode(times, data::with_escapes)),
    Scenario::new("record", |times| record(times, data::typical)),
    Scenario::new("record_escapes", |times| {
        record(times, data::with_8_escaped_tags)
    }),
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
