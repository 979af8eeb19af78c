//! A request to a service in the process, without the middleware and with it.

mod data;

use std::time::Instant;

use actix_influxdb::InfluxMetrics;
use actix_web::rt::System;
use divan::{Bencher, counter::ItemsCount};

use self::data::{
    ratio::{Ratios, are_wanted},
    service,
};

/// Requests of one run.
const TIMES: u32 = 200;

fn main() {
    divan::main();
    if are_wanted() {
        print_ratios();
    }
}

#[divan::bench]
fn bare(bencher: Bencher) {
    let system = System::new();
    let service = system.block_on(service::bare());
    bencher
        .counter(ItemsCount::new(TIMES))
        .bench_local(|| system.block_on(service::requests(&service, TIMES)));
}

#[divan::bench]
fn measured(bencher: Bencher) {
    let (influx, _guard) = data::start(data::idle());
    let system = System::new();
    let service = system.block_on(service::measured(InfluxMetrics::new(&influx, "example")));
    bencher
        .counter(ItemsCount::new(TIMES))
        .bench_local(|| system.block_on(service::requests(&service, TIMES)));
}

fn print_ratios() {
    let (influx, _guard) = data::start(data::idle());
    let system = System::new();
    let bare = system.block_on(service::bare());
    let measured = system.block_on(service::measured(InfluxMetrics::new(&influx, "example")));
    let time = |run: &dyn Fn()| {
        let started = Instant::now();
        run();
        started.elapsed() / TIMES
    };
    Ratios::default()
        .case("bare", || {
            time(&|| system.block_on(service::requests(&bare, TIMES)))
        })
        .case("measured", || {
            time(&|| system.block_on(service::requests(&measured, TIMES)))
        })
        .print("a request, made too", 200);
}
