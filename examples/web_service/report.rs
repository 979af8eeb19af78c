//! What the service prints about its measurements.

use std::{collections::BTreeMap, fmt, time::Duration};

use actix::{Actor, AsyncContext as _, Context};
use actix_influxdb::{
    Influx,
    testing::{Point, Value},
};

use crate::target::Target;

/// An actor that prints the ledger every few seconds.
pub struct Reporter {
    influx: Influx,
    target: Target,
}

impl Reporter {
    pub fn new(influx: &Influx, target: &Target) -> Self {
        Self {
            influx: influx.clone(),
            target: target.clone(),
        }
    }

    fn report(&self) {
        let stats = self.influx.stats();
        match self.target.stored() {
            Some((points, requests)) => {
                println!("{stats} (arrived: {points}, of these requests: {requests})");
            }
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

/// Prints the requests, if there are any, with their durations, and one line as an example.
#[derive(Default)]
pub struct Table {
    /// By endpoint, method, status and outcome.
    groups: BTreeMap<[String; 4], Group>,
    example: String,
    has_counted: bool,
}

#[derive(Default)]
struct Group {
    count: usize,
    /// Seconds.
    total: f64,
    max: f64,
}

impl Table {
    pub fn add(&mut self, point: &Point) {
        let has_counted = point.field("counted").is_some();
        if self.example.is_empty() || (has_counted && !self.has_counted) {
            self.example.clone_from(&point.line);
            self.has_counted = has_counted;
        }
        let key = ["endpoint", "method", "status_code", "outcome"];
        let key = key.map(|key| point.tag(key).unwrap_or_default().to_owned());
        let seconds = point.field("duration").and_then(Value::as_float);
        let seconds = seconds.unwrap_or_default();
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        group.total += seconds;
        group.max = group.max.max(seconds);
    }

    pub fn requests(&self) -> usize {
        self.groups.values().map(|group| group.count).sum()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.groups.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<14} {:<7} {:<7} {:<9} {:>8} {:>9} {:>9}",
            "endpoint", "method", "status", "outcome", "requests", "mean ms", "max ms"
        )?;
        for ([endpoint, method, status, outcome], group) in &self.groups {
            let Group { count, total, max } = group;
            let (mean, max) = (1e3 * total / *count as f64, 1e3 * max);
            writeln!(
                f,
                "{endpoint:<14} {method:<7} {status:<7} {outcome:<9} {count:>8} {mean:>9.3} {max:>9.3}"
            )?;
        }
        writeln!(f, "\nOne of them as it arrived: {}\n", self.example)
    }
}
