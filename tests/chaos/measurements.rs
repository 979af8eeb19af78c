//! What is recorded, good and bad, each with an identity to know it by.

use std::collections::{BTreeSet, HashMap};

use actix_influxdb::{
    Influx, Measurement,
    testing::{FakeInflux, Point, Value, record_line},
};
use fastrand::Rng;

use super::DATABASES;

/// One of so many is bad.
const BAD: u64 = 500;

#[derive(Debug, Default)]
pub struct Recorded {
    pub all: u64,
    pub bad: u64,
    /// By database, the identities.
    pub good: HashMap<&'static str, BTreeSet<u64>>,
}

impl Recorded {
    pub fn add(&mut self, other: Self) {
        self.all += other.all;
        self.bad += other.bad;
        for (database, good) in other.good {
            self.good.entry(database).or_default().extend(good);
        }
    }

    pub fn record_good(&mut self, influx: &Influx, database: &'static str, identity: u64) {
        influx.record(good(database, identity)).unwrap();
        self.all += 1;
        self.good.entry(database).or_default().insert(identity);
    }

    fn record_bad(
        &mut self,
        influx: &Influx,
        database: &'static str,
        identity: u64,
        rng: &mut Rng,
    ) {
        let taken = match rng.bool() {
            true => record_line(influx, database, &unparseable(identity, rng)),
            false => influx.record(conflicting(database, identity)),
        };
        taken.unwrap();
        self.all += 1;
        self.bad += 1;
    }
}

/// Records a few; the next identity.
pub fn record_some(influx: &Influx, rng: &mut Rng, first: u64, recorded: &mut Recorded) -> u64 {
    let next = first + rng.u64(1..20);
    for identity in first..next {
        let database = database(rng);
        match rng.u64(..BAD) {
            0 => recorded.record_bad(influx, database, identity, rng),
            _ => recorded.record_good(influx, database, identity),
        }
    }
    next
}

/// The last one is quiet: what is sent to it are single lines, most of the time.
fn database(rng: &mut Rng) -> &'static str {
    const QUIET: usize = DATABASES.len() - 1;
    match rng.u8(..40) {
        0 => DATABASES[QUIET],
        _ => DATABASES[rng.usize(..QUIET)],
    }
}

/// Only the stamp and the fields tell one from another.
fn good(database: &'static str, identity: u64) -> Measurement {
    Measurement::new(database, "m")
        .tag("same", "tag")
        .field("id", identity)
        .field("note", note(identity))
        .field("number", identity as f64)
}

/// With all that may be mistaken for the end of something, and of many lengths.
fn note(identity: u64) -> String {
    let filler = "x\n".repeat(identity as usize % 40);
    format!("{identity}'s \"note\": unable to parse 'm', \\ü\n{filler}")
}

/// It has a field of another type than all others.
fn conflicting(database: &'static str, identity: u64) -> Measurement {
    Measurement::new(database, "m")
        .tag("same", "tag")
        .field("id", identity)
        .field("note", note(identity))
        .field("number", "no number")
}

fn unparseable(identity: u64, rng: &mut Rng) -> String {
    match rng.u8(..6) {
        0 => format!("m no line at all {identity}"),
        1 => format!("m,same= id={identity}i 1"),
        2 => format!("m,same=tag id={identity}i not-a-time"),
        3 => format!("m,same='tag' id='{identity}' 1"),
        4 => format!("m,same=': id={identity}x\\n unable to parse"),
        _ => format!(",nameless=tag id={identity}i 1"),
    }
}

/// The identities of the points that are there.
///
/// # Panics
///
/// If a point has something else than was recorded.
pub fn stored(fake: &FakeInflux, database: &str) -> BTreeSet<u64> {
    let identity = |point: &Point| {
        let identity = point.field("id").and_then(Value::as_integer);
        let identity = identity.expect("an id of the right type") as u64;
        let is_whole = point.fields.len() == 3
            && point.field("note").and_then(Value::as_str) == Some(&note(identity))
            && point.field("number").and_then(Value::as_float) == Some(identity as f64);
        assert!(is_whole, "this is not what was recorded: {point:?}");
        identity
    };
    fake.view(|view| view.points(database).map(identity).collect())
}
