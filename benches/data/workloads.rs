//! Streams of measurements with many series, many tags, many fields, many databases.

use std::iter;

use actix_influxdb::{Measurement, TagValue};

/// Six tags, whose values are drawn from tables: so many of each make so many series.
pub struct Series {
    tables: [Vec<&'static str>; 6],
    next: usize,
}

/// Values of each tag for so many series.
pub const OF_560: [usize; 6] = [2, 7, 5, 4, 2, 1];
pub const OF_13440: [usize; 6] = [4, 14, 10, 6, 2, 2];
pub const OF_1000000: [usize; 6] = [5, 200, 100, 5, 2, 1];
pub const OF_10000_ENDPOINTS: [usize; 6] = [2, 10_000, 5, 5, 2, 1];

/// Steps through all series in an order that looks like none.
const STEP: usize = 7_919;

impl Series {
    pub fn new(counts: [usize; 6]) -> Self {
        const BASES: [&str; 6] = [
            "GET",
            "/users/{id}/orders",
            "orders",
            "20",
            "ok",
            "eu-central-1a",
        ];
        let mut at = 0;
        let tables = counts.map(|count| {
            let base = BASES[at];
            at += 1;
            let value = |number: usize| match number {
                0 => base.to_owned(),
                number => format!("{base}{number}"),
            };
            // Literals, as a program has them.
            (0..count).map(|number| &*value(number).leak()).collect()
        });
        Self { tables, next: 0 }
    }

    fn values(&mut self) -> [&'static str; 6] {
        let mut rest = self.next;
        self.next += STEP;
        let mut at = 0;
        [(); 6].map(|()| {
            let table = &self.tables[at];
            at += 1;
            let value = table[rest % table.len()];
            rest /= table.len();
            value
        })
    }

    /// With literals.
    pub fn literals(&mut self) -> Measurement {
        with_tags(self.values())
    }

    /// With values that are made at run time.
    pub fn strings(&mut self) -> Measurement {
        with_tags(self.values().map(str::to_owned))
    }

    /// How many series there are.
    pub fn count(&self) -> usize {
        self.tables.iter().map(Vec::len).product()
    }

    /// Each value at least once.
    pub fn each_value(&self) -> impl Iterator<Item = Measurement> + '_ {
        let most = self.tables.iter().map(Vec::len).max().unwrap_or_default();
        (0..most).map(|number| {
            let value = |at: usize| self.tables[at][number % self.tables[at].len()];
            with_tags([0, 1, 2, 3, 4, 5].map(value))
        })
    }
}

/// The typical measurement. Its keys are literals, as a program writes them.
#[inline(always)]
fn with_tags<V: Into<TagValue>>(values: [V; 6]) -> Measurement {
    let [method, endpoint, handler, status_code, outcome, zone] = values;
    with_fields(
        begin()
            .tag("method", method)
            .tag("endpoint", endpoint)
            .tag("handler", handler)
            .tag("status_code", status_code)
            .tag("outcome", outcome)
            .tag("availability_zone", zone),
    )
}

#[inline(always)]
fn begin() -> Measurement {
    Measurement::new("example", "http_request")
}

#[inline(always)]
fn with_fields(measurement: Measurement) -> Measurement {
    measurement
        .field("duration", 0.021_377)
        .field("time_to_first_byte", 0.021_129)
}

/// Twenty tags and one field.
pub fn with_20_tags() -> Measurement {
    const KEYS: [&str; 20] = [
        "t00", "t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12",
        "t13", "t14", "t15", "t16", "t17", "t18", "t19",
    ];
    let tags = KEYS.map(|key| (key, "some_value"));
    begin().tags(tags).field("duration", 0.021_377)
}

/// One tag and ten fields.
pub fn with_10_fields() -> Measurement {
    begin()
        .tag("method", "GET")
        .field("duration", 0.021_377)
        .field("time_to_first_byte", 0.021_129)
        .field("rows", 12)
        .field("bytes_in", 4_711_u64)
        .field("bytes_out", 81_022_u64)
        .field("cached", true)
        .field("user", "ada")
        .field("retries", 0)
        .field("load", 1.5)
        .field("queue", 17_u32)
}

/// The typical measurement, for one database after the other.
pub fn of_databases(count: usize) -> impl Iterator<Item = Measurement> {
    let names: Vec<&'static str> = (0..count)
        .map(|number| &*format!("database_{number}").leak())
        .collect();
    let mut next = 0;
    iter::repeat_with(move || {
        next = (next + 1) % names.len();
        super::typical_of(names[next])
    })
}
