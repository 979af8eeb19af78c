//! Table 4: what `record` costs, by databases, by threads, and with the server up and down.

use std::net::TcpListener;

use anyhow::Result;

use super::{TIMEOUT, progress, warn};
use crate::{
    child::Child,
    cli::Options,
    machine::Cores,
    sink::Sink,
    table::{Table, cell, median, whole},
};

/// A point of a curve.
#[derive(Clone, Copy, Debug)]
enum Case {
    Databases(usize),
    Threads(usize),
    ServerUp,
    ServerDown,
}

const CASES: [Case; 10] = [
    Case::Databases(1),
    Case::Databases(10),
    Case::Databases(100),
    Case::Databases(1_000),
    Case::Threads(1),
    Case::Threads(2),
    Case::Threads(4),
    Case::Threads(8),
    Case::ServerUp,
    Case::ServerDown,
];

/// What a child says, by the columns of the table.
const KEYS: [&str; 6] = ["rate", "record", "all", "p50", "p99", "p9999"];

/// For each key, what the rounds found.
type Found = [Vec<f64>; KEYS.len()];

pub fn run(options: &Options, cores: Cores) {
    let mut rows: Vec<(Case, Found)> = CASES.map(|case| (case, Found::default())).into();
    for round in 1..=options.rounds {
        for (case, found) in &mut rows {
            progress(&format!("round {round}: {}", case.title()));
            if let Some(values) = warn(measure(*case, options.points, cores)) {
                for (found, value) in found.iter_mut().zip(values) {
                    found.extend(value);
                }
            }
        }
    }
    let mut table = Table::new(&[
        "`Measurement::new` … `record`",
        "calls/s",
        "CPU ns/call",
        "with delivery",
        "p50, ns",
        "p99",
        "p99.99",
    ]);
    for (case, found) in &rows {
        let cells = found.iter().map(|values| cell(median(values), whole));
        table.row([case.title()].into_iter().chain(cells).collect());
    }
    let points = whole(options.points as f64);
    table.print(&format!(
        "`record`: {points} points, on all cores, medians of {}",
        options.rounds
    ));
    println!("The percentiles are of `record` alone, with one reading of the clock in them.\n");
}

impl Case {
    fn title(self) -> String {
        match self {
            Self::Databases(1) => "1 database".to_owned(),
            Self::Databases(databases) => format!("{databases} databases"),
            Self::Threads(1) => "1 thread".to_owned(),
            Self::Threads(threads) => format!("{threads} threads"),
            Self::ServerUp => "1 thread, the server is up".to_owned(),
            Self::ServerDown => "1 thread, the server is down".to_owned(),
        }
    }

    /// The keys that it has something to say of.
    fn has(self, key: &str) -> bool {
        let is_of_calls = matches!(self, Self::ServerUp | Self::ServerDown);
        is_of_calls == key.starts_with('p')
    }

    fn arguments(self) -> String {
        match self {
            Self::Databases(databases) => format!("--databases={databases}"),
            Self::Threads(threads) => format!("--threads={threads}"),
            Self::ServerUp | Self::ServerDown => "--calls".to_owned(),
        }
    }
}

fn measure(case: Case, points: usize, cores: Cores) -> Result<[Option<f64>; KEYS.len()]> {
    let (_sink, port) = match case {
        // A port that was free a moment ago: whoever connects to it is refused.
        Case::ServerDown => {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            (None, listener.local_addr()?.port())
        }
        _ => {
            let (sink, port) = Sink::start(cores, points)?;
            (Some(sink), port)
        }
    };
    let (points, port) = (points.to_string(), port.to_string());
    let mut child = Child::start(&[
        "curve",
        &case.arguments(),
        "--points",
        &points,
        "--port",
        &port,
    ])?;
    let mut values = [None; KEYS.len()];
    for (value, key) in values.iter_mut().zip(KEYS) {
        if case.has(key) {
            *value = Some(child.number(key, TIMEOUT)?);
        }
    }
    child.end(TIMEOUT)?;
    Ok(values)
}
