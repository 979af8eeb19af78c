//! What the service prints of its measurements.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use actix::{Actor, AsyncContext as _, Context};
use actix_influxdb::{
    Influx,
    testing::{Point, Value},
};

use crate::{REQUESTS, target::Target};

/// An actor that prints the ledger every few seconds.
pub struct Reporter {
    database: String,
    influx: Influx,
    target: Target,
}

impl Reporter {
    pub fn new(database: &str, influx: &Influx, target: &Target) -> Self {
        Self {
            database: database.to_owned(),
            influx: influx.clone(),
            target: target.clone(),
        }
    }

    fn report(&self) {
        let stats = self.influx.stats();
        match self.target.contents(&self.database) {
            Some(stored) => println!("{stats} (stored: {stored})"),
            None => println!("{stats}"),
        }
    }
}

impl Actor for Reporter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(Duration::from_secs(3), |reporter, _| reporter.report());
    }
}

/// How many points there are of each measurement: `cpu 3, memory 3`.
pub fn count<'a>(points: impl Iterator<Item = &'a Point>) -> String {
    let mut counts = BTreeMap::<_, usize>::new();
    for point in points {
        *counts.entry(&point.measurement).or_default() += 1;
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    counts.join(", ")
}

/// A table of the requests, if there are any, and how long they took; then one as it arrived.
pub fn table<'a>(points: impl Iterator<Item = &'a Point>) -> String {
    let mut groups = BTreeMap::<_, Vec<f64>>::new(); // of seconds
    let mut example = "";
    for point in points.filter(|point| point.measurement == REQUESTS) {
        if example.is_empty() || point.field("counted").is_some() {
            example = &point.line;
        }
        let key = ["endpoint", "method", "status_code", "outcome"];
        let key = key.map(|key| point.tag(key).unwrap_or_default());
        let seconds = point.field("duration").and_then(Value::as_float);
        groups.entry(key).or_default().extend(seconds);
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut table = format!(
        "\n{:<14} {:<7} {:<7} {:<9} {:>8} {:>9} {:>9}\n",
        "endpoint", "method", "status", "outcome", "requests", "mean ms", "max ms"
    );
    for ([endpoint, method, status, outcome], seconds) in groups {
        let count = seconds.len();
        let mean = 1e3 * seconds.iter().sum::<f64>() / count as f64;
        let max = 1e3 * seconds.into_iter().fold(0.0, f64::max);
        _ = writeln!(
            table,
            "{endpoint:<14} {method:<7} {status:<7} {outcome:<9} {count:>8} {mean:>9.3} {max:>9.3}"
        );
    }
    _ = writeln!(table, "\nOne of them as it arrived: {example}\n");
    table
}
