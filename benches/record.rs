//! `Influx::record`: what the calling thread pays. Nothing is delivered meanwhile.

mod data;

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{Database, Influx, Measurement, testing, testing::FakeInflux};
use divan::Bencher;

use self::data::ratio::{Ratios, are_wanted, time_each};

/// How many measurements are recorded in one case of the ratios. The lines stay in memory.
const TIMES: usize = 2_000;

fn main() {
    divan::main();
    if are_wanted() {
        print_ratios();
        print_ratios_of_threads();
    }
}

fn databases(count: usize) -> impl Iterator<Item = Measurement> {
    let names: Vec<_> = (0..count)
        .map(|n| Database::from(format!("db-{n}")))
        .collect();
    (0..).map(move |n| data::typical_of(names[n % names.len()].clone()))
}

fn record(influx: &Influx, measurement: Measurement) {
    influx.record(measurement).expect("there is room");
}

/// Each measurement goes to another database than the one before.
#[divan::bench(args = [1, 10, 100, 1_000], sample_size = 1_000)]
fn by_databases(bencher: Bencher, count: usize) {
    let (influx, _guard) = data::start(data::idle());
    let mut measurements = databases(count);
    bencher
        .with_inputs(|| measurements.next().expect("there is no end"))
        .bench_local_values(|measurement| record(&influx, measurement));
}

#[divan::bench(threads = [1, 2, 4, 8], sample_size = 1_000)]
fn by_threads(bencher: Bencher) {
    let (influx, _guard) = data::start(data::idle());
    bencher
        .with_inputs(data::typical)
        .bench_values(|measurement| record(&influx, measurement));
}

#[divan::bench(sample_size = 1_000)]
fn server_down(bencher: Bencher) {
    let fake = FakeInflux::start();
    let (influx, _guard) = data::start_without_server(&fake);
    bencher
        .with_inputs(data::typical)
        .bench_local_values(|measurement| record(&influx, measurement));
}

fn print_ratios() {
    let fake = FakeInflux::start();
    let (down, _down) = data::start_without_server(&fake);
    let mut out = Vec::new();
    let mut ratios = Ratios::default();
    for count in [1, 10, 100, 1_000] {
        let (influx, guard) = data::start(data::idle());
        let mut measurements = databases(count);
        ratios = ratios.case(format!("record, databases: {count}"), move || {
            let _guard = &guard;
            let inputs = measurements.by_ref().take(TIMES).collect();
            time_each(inputs, |measurement| record(&influx, measurement))
        });
    }
    ratios = ratios
        .case("measurement made and dropped", || {
            time_each(vec![(); TIMES], |()| drop(black_box(data::typical())))
        })
        .case("encode", || {
            time_each(typical(), |measurement| {
                out.clear();
                testing::encode(measurement, &mut out).expect("it is valid");
            })
        })
        .case("record, server down", || {
            time_each(typical(), |measurement| record(&down, measurement))
        });
    ratios.print(
        "a measurement recorded, and how much more than for one database",
        50,
    );
}

fn typical() -> Vec<Measurement> {
    (0..TIMES).map(|_| data::typical()).collect()
}

fn print_ratios_of_threads() {
    let (influx, _guard) = data::start(data::idle());
    let influx = &influx;
    let mut ratios = Ratios::default();
    for threads in [1, 2, 4, 8] {
        ratios = ratios.case(format!("threads: {threads}"), move || {
            together(influx, threads)
        });
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    ratios.print(
        &format!("a measurement of any thread, made and recorded; {cores} cores"),
        20,
    );
}

/// The time that passes per measurement, of whichever thread.
fn together(influx: &Influx, threads: u32) -> Duration {
    const EACH: u32 = 5_000;
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..EACH).for_each(|_| record(influx, data::typical())));
        }
    });
    started.elapsed() / (threads * EACH)
}
