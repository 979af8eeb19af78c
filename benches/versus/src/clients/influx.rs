//! What both ways into this crate have in common.

use std::time::Duration;

use actix_influxdb::{Config, Influx, Measurement};
use anyhow::{Result, bail};

use crate::data::{BATCH, NAME, Point};

/// Long enough for the slowest machine.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A pipeline with limits so high that nothing is dropped, and everything else as by default.
pub fn start(config: Config) -> Result<Influx> {
    let config = config
        .trigger_size(BATCH)
        .max_batch_size(BATCH)
        .max_buffer_size(100_000_000)
        .max_buffer_bytes(64 << 30)
        .warn_threshold(100_000_000);
    Ok(Influx::start(config)?)
}

/// A pipeline that never delivers, because so many never wait, nor for so long.
pub fn start_offline() -> Result<Influx> {
    let config = Config::v1("http://127.0.0.1:9")
        .trigger_size(100_000_000)
        .max_buffer_size(100_000_000)
        .max_buffer_bytes(64 << 30)
        .warn_threshold(100_000_000)
        .interval(Duration::from_secs(86_400));
    Ok(Influx::start(config)?)
}

#[inline]
pub fn measurement(database: &'static str, point: &Point) -> Measurement {
    Measurement::new(database, NAME)
        .tag("host", point.host)
        .tag("region", point.region)
        .tag("service", point.service)
        .tag("endpoint", point.endpoint)
        .tag("method", point.method)
        .tag("status", point.status)
        .field("duration", point.duration)
        .field("bytes", point.bytes)
}

/// Delivers what is left, and makes sure that the ledger has every point as written.
pub async fn deliver_all(influx: &Influx, points: usize) -> Result<()> {
    influx.flush(TIMEOUT).await;
    let stats = influx.stats();
    let expected = points as u64;
    if !stats.balanced() || stats.recorded != expected || stats.written != expected {
        bail!(
            "{expected} points, but {stats} (dropped: {})",
            stats.dropped
        );
    }
    Ok(())
}
