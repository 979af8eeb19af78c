//! From a measurement to its line, without a pipeline.

mod data;

use actix_influxdb::{Measurement, testing};
use divan::{Bencher, counter::BytesCount};

use self::data::ratio::{Ratios, are_wanted, time_each};

type Case = (&'static str, fn() -> Measurement);

const CASES: [Case; 4] = [
    ("typical", data::typical),
    ("escapes", data::with_escapes),
    ("string", data::with_string),
    ("many tags", data::with_many_tags),
];

fn main() {
    divan::main();
    if are_wanted() {
        print_ratios();
    }
}

fn line_of(measurement: Measurement) -> Vec<u8> {
    let mut line = Vec::new();
    testing::encode(measurement, &mut line).expect("it is valid");
    line
}

#[divan::bench(args = CASES.map(|(name, _)| name))]
fn encode(bencher: Bencher, case: &str) {
    let (_, measurement) = CASES
        .iter()
        .find(|(name, _)| *name == case)
        .expect("a case");
    let mut out = Vec::with_capacity(1_024);
    bencher
        .counter(BytesCount::new(line_of(measurement()).len()))
        .with_inputs(measurement)
        .bench_local_values(|measurement| {
            out.clear();
            testing::encode(measurement, &mut out)
        });
}

fn print_ratios() {
    let mut ratios = Ratios::default();
    for (name, measurement) in CASES {
        let mut out = Vec::with_capacity(1_024);
        let bytes = line_of(measurement()).len();
        ratios = ratios.case(format!("{name}, {bytes} bytes"), move || {
            let inputs = (0..2_000).map(|_| measurement()).collect();
            time_each(inputs, |measurement| {
                out.clear();
                testing::encode(measurement, &mut out).expect("it is valid");
            })
        });
    }
    ratios.print("a line, and how much more than the typical one", 100);
}
