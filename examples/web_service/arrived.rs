//! The points that have arrived at the server, as the page shows them: the same values for every
//! server.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

use actix_influxdb::testing::{Point, Value};
use serde::Serialize;

use crate::{REQUESTS, report::Table};

/// Window of rates and percentiles.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Maximum number of requests in the window that are examined.
const MAX_SAMPLES: usize = 50_000;

/// Number of lines that are recognized when they are sent again after their batch failed: each is
/// one point, as in a database.
const REMEMBERED: usize = 200_000;

/// Number of the last lines that are shown, and of their characters.
pub const LINES: usize = 8;
pub const LINE_LENGTH: usize = 300;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Lines that arrived since the start; requests, if the server doesn't report lines.
    pub points: u64,
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Requests since the start, by status and outcome.
    pub statuses: BTreeMap<String, u64>,
    pub outcomes: BTreeMap<String, u64>,
    pub machine: Machine,
    pub lines: Vec<String>,
}

/// Requests in the window.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Endpoint {
    pub requests: u64,
    /// Requests per second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Machine {
    pub cpu_percent: f64,
    pub load: f64,
    pub memory_used: f64,
    pub memory_available: f64,
    /// Bytes per second, of all interfaces.
    pub received: f64,
    pub sent: f64,
}

/// Statistics of a stream of points, in constant memory.
#[derive(Default)]
pub struct Arrived {
    figures: Figures,
    window: VecDeque<Sample>,
    lines: VecDeque<String>,
    known: Known,
    pub table: Table,
}

/// Hashes of the last lines, the oldest first.
#[derive(Default)]
struct Known {
    hasher: RandomState,
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Known {
    /// Whether the line is new.
    fn is_new(&mut self, line: &str) -> bool {
        let hash = self.hasher.hash_one(line);
        if !self.hashes.insert(hash) {
            return false;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        self.order.push_back(hash);
        true
    }
}

struct Sample {
    at: Instant,
    endpoint: String,
    /// Milliseconds.
    took: f64,
}

impl Arrived {
    /// Adds the points that arrived since the last call.
    pub fn add<'a>(&mut self, points: impl Iterator<Item = &'a Point>, now: Instant) {
        let mut traffic = None;
        for point in points {
            if !self.known.is_new(&point.line) {
                continue;
            }
            self.figures.points += 1;
            let number = |key| point.field(key).map_or(0.0, as_number);
            let machine = &mut self.figures.machine;
            match &*point.measurement {
                REQUESTS => self.add_request(point, now),
                "cpu" => {
                    machine.cpu_percent = number("percent");
                    machine.load = number("load");
                }
                "memory" => {
                    machine.memory_used = number("used_bytes");
                    machine.memory_available = number("available_bytes");
                }
                "network" => {
                    let (at, received, sent) = traffic.get_or_insert((point.timestamp, 0.0, 0.0));
                    // One point per interface, all at once, a second after the last ones.
                    let apart = point.timestamp.unwrap_or_default() - at.unwrap_or_default();
                    if apart.unsigned_abs() > 500_000_000 {
                        (*at, *received, *sent) = (point.timestamp, 0.0, 0.0);
                    }
                    *received += number("received_bytes");
                    *sent += number("sent_bytes");
                }
                _ => {}
            }
            if self.lines.len() == LINES {
                self.lines.pop_front();
            }
            self.lines
                .push_back(point.line.chars().take(LINE_LENGTH).collect());
        }
        if let Some((_, received, sent)) = traffic {
            self.figures.machine.received = received;
            self.figures.machine.sent = sent;
        }
    }

    fn add_request(&mut self, point: &Point, now: Instant) {
        self.table.add(point);
        let tag = |key| point.tag(key).unwrap_or_default().to_owned();
        *self.figures.statuses.entry(tag("status_code")).or_default() += 1;
        *self.figures.outcomes.entry(tag("outcome")).or_default() += 1;
        if self.window.len() == MAX_SAMPLES {
            self.window.pop_front();
        }
        self.window.push_back(Sample {
            at: now,
            endpoint: tag("endpoint"),
            took: point.field("duration").map_or(0.0, as_number) * 1e3,
        });
    }

    /// Returns the current values.
    pub fn figures(&mut self, now: Instant) -> Figures {
        let is_old = |sample: &Sample| now.duration_since(sample.at) > WINDOW;
        while self.window.front().is_some_and(is_old) {
            self.window.pop_front();
        }
        let mut durations = BTreeMap::<&str, Vec<f64>>::new();
        for sample in &self.window {
            durations
                .entry(&sample.endpoint)
                .or_default()
                .push(sample.took);
        }
        let endpoints = durations.into_iter();
        let endpoints = endpoints.map(|(name, took)| (name.to_owned(), Endpoint::of(took)));
        Figures {
            endpoints: endpoints.collect(),
            lines: self.lines.iter().cloned().collect(),
            ..self.figures.clone()
        }
    }
}

impl Endpoint {
    fn of(mut took: Vec<f64>) -> Self {
        took.sort_by(f64::total_cmp);
        // The nearest rank.
        let percentile =
            |share: f64| took[((took.len() as f64 * share).ceil() as usize).max(1) - 1];
        Self {
            requests: took.len() as u64,
            rate: took.len() as f64 / WINDOW.as_secs_f64(),
            p50: percentile(0.5),
            p95: percentile(0.95),
            p99: percentile(0.99),
        }
    }
}

fn as_number(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Integer(value) => *value as f64,
        Value::Unsigned(value) => *value as f64,
        _ => 0.0,
    }
}
