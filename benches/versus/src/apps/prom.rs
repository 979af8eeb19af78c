//! With actix-web-prom, as its documentation shows it.

use actix_web::App;
use actix_web_prom::PrometheusMetricsBuilder;
use anyhow::{Result, anyhow};

use super::{Running, routes, start};

pub fn start() -> Result<Running> {
    let metrics = PrometheusMetricsBuilder::new("api").endpoint("/metrics");
    let metrics = metrics
        .build()
        .map_err(|error| anyhow!("actix-web-prom: {error}"))?;
    Ok(start!(move || {
        App::new().wrap(metrics.clone()).configure(routes)
    }))
}
