//! Measurements that only their time tells apart.

use actix_influxdb::{Database, Influx, Measurement};

pub fn measurement(database: impl Into<Database>) -> Measurement {
    Measurement::new(database, "m").field("f", 1)
}

/// Records that many.
///
/// # Panics
///
/// If one of them is not taken.
pub fn record(influx: &Influx, database: impl Into<Database>, count: usize) {
    let database = database.into();
    for _ in 0..count {
        influx.record(measurement(database.clone())).unwrap();
    }
}
