//! With this crate's middleware, which delivers a point per request to the sink.

use std::time::Duration;

use actix_influxdb::{Config, Influx, InfluxMetrics};
use actix_web::App;
use anyhow::{Result, bail};

use super::{routes, start};
use crate::data::DATABASE;

/// Everything as by default.
pub async fn serve(sink: u16) -> Result<()> {
    let influx = Influx::start(Config::v1(format!("http://127.0.0.1:{sink}")))?;
    let metrics = InfluxMetrics::new(&influx, DATABASE);
    let running = start!(move || App::new().wrap(metrics.clone()).configure(routes));
    running.serve().await?;
    let stats = influx.shutdown(Duration::from_secs(30)).await.stats;
    if !stats.balanced() || stats.written != stats.recorded {
        bail!("not every request's point was delivered: {stats}");
    }
    println!("written={}", stats.written);
    Ok(())
}
