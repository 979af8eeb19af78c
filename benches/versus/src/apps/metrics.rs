//! With actix-web-metrics and the exporter of its documentation, which nobody asks meanwhile.

use std::{thread, time::Duration};

use actix_web::App;
use actix_web_metrics::ActixWebMetricsBuilder;
use anyhow::Result;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::{Running, routes, start};

/// As often as the exporter would do it, if it had a server of its own.
const UPKEEP: Duration = Duration::from_secs(5);

pub fn start() -> Result<Running> {
    let exporter = PrometheusBuilder::new().install_recorder()?;
    thread::spawn(move || {
        loop {
            thread::sleep(UPKEEP);
            exporter.run_upkeep();
        }
    });
    let metrics = ActixWebMetricsBuilder::new().build();
    Ok(start!(move || {
        App::new().wrap(metrics.clone()).configure(routes)
    }))
}
