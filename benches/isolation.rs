//! Bad lines in a batch of 10,000: how long it takes until every line is settled, and how many POSTs.
//! The library that this one descends from replays such a batch line by line.

mod data;

use std::time::{Duration, Instant};

use actix_influxdb::{Config, Influx, Measurement, testing, testing::FakeInflux};
use actix_web::rt::System;
use divan::Bencher;

use self::data::ratio::are_wanted;

const LINES: usize = 10_000;
const BAD: [usize; 3] = [1, 10, 100];

fn main() {
    divan::main();
    if are_wanted() {
        print_posts();
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Bad syntax: the server quotes the line.
    Quoted,
    /// A field of another type than before: the server only says so.
    NotQuoted,
}

/// A batch that is recorded and not sent yet.
struct Batch {
    fake: FakeInflux,
    influx: Influx,
    bad: usize,
}

impl Batch {
    /// The bad ones are spread evenly.
    fn record(config: Config, fault: Fault, bad: usize) -> Self {
        let fake = FakeInflux::start();
        let influx = Influx::start(config.url(fake.url())).expect("these settings are allowed");
        let good = || {
            Measurement::new("example", "login")
                .tag("method", "oauth")
                .field("ms", 12.5)
        };
        influx.record(good()).expect("there is room");
        // The server knows the field's type from now on.
        settle(&influx);
        for line in 0..LINES {
            let recorded = match fault {
                _ if line * bad % LINES >= bad => influx.record(good()),
                Fault::Quoted => testing::record_line(&influx, "example", "login,method=oauth ms="),
                Fault::NotQuoted => influx.record(good().field("ms", "12.5")),
            };
            recorded.expect("there is room");
        }
        Self { fake, influx, bad }
    }

    /// Says how many POSTs it took.
    fn deliver(&self) -> usize {
        let before = self.fake.write_count();
        settle(&self.influx);
        assert_eq!(self.influx.stats().rejected, self.bad as u64);
        self.fake.write_count() - before
    }
}

fn settle(influx: &Influx) {
    let report = System::new().block_on(influx.flush(Duration::from_secs(300)));
    assert_eq!(report.undelivered, 0, "{report:?}");
}

/// Everything in one batch, when it is flushed.
fn one_batch() -> Config {
    data::idle().max_batch_size(LINES)
}

/// One request at a time, each of one line.
fn line_by_line() -> Config {
    data::idle().max_batch_size(1).max_clients(1)
}

#[divan::bench(args = BAD, sample_count = 3, sample_size = 1)]
fn quoted(bencher: Bencher, bad: usize) {
    bench(bencher, Fault::Quoted, bad);
}

#[divan::bench(args = BAD, sample_count = 3, sample_size = 1)]
fn not_quoted(bencher: Bencher, bad: usize) {
    bench(bencher, Fault::NotQuoted, bad);
}

fn bench(bencher: Bencher, fault: Fault, bad: usize) {
    bencher
        .with_inputs(|| Batch::record(one_batch(), fault, bad))
        .bench_local_refs(|batch| batch.deliver());
}

fn print_posts() {
    let batch = Batch::record(line_by_line(), Fault::Quoted, 1);
    let started = Instant::now();
    let posts = batch.deliver();
    let slow = started.elapsed();
    println!("a batch of {LINES} lines, and how much less it takes than a POST for each line:");
    println!(
        "  {:24} {posts:>6} POSTs {slow:>12.3?}",
        "a POST for each line"
    );
    for fault in [Fault::Quoted, Fault::NotQuoted] {
        for bad in BAD {
            let batch = Batch::record(one_batch(), fault, bad);
            let started = Instant::now();
            let fewer = batch.deliver();
            let time = started.elapsed();
            let name = format!("{bad} bad, {fault:?}");
            let posts = posts as f64 / fewer as f64;
            let times = slow.as_secs_f64() / time.as_secs_f64();
            println!(
                "  {name:24} {fewer:>6} POSTs {time:>12.3?}  POSTs / {posts:.0}  time / {times:.1}"
            );
        }
    }
    println!();
}
