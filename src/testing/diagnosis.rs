//! Explains why something has not arrived, with what this process's pipelines know.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    HealthStatus, Stats,
    influx::{registry::pipelines, shared::Shared},
};

/// State of a pipeline that sends to the server.
#[derive(Debug)]
struct Pipeline {
    stats: Stats,
    interval: Duration,
    /// Requests that the middleware has not recorded yet.
    open_requests: usize,
}

/// Possible reasons why something has not arrived at the server with this URL.
pub(super) fn reasons(url: &str) -> Vec<String> {
    let sends_here = |pipeline: &Shared| {
        let urls = pipeline.config().urls().unwrap_or_default();
        urls.iter().any(|it| it == url)
    };
    let (here, elsewhere): (Vec<_>, Vec<_>) = pipelines()
        .into_iter()
        .partition(|pipeline| sends_here(pipeline));
    if here.is_empty() {
        let others = match elsewhere.len() {
            0 => "none was started, or all have been dropped".to_owned(),
            count => format!("{count} send elsewhere"),
        };
        return vec![format!(
            "no pipeline of this process sends to {url}: {others}"
        )];
    }
    let known = here.iter().map(|pipeline| Pipeline {
        stats: pipeline.stats(),
        interval: pipeline.config().interval,
        open_requests: pipeline.open_requests.load(Ordering::Relaxed),
    });
    known.flat_map(|pipeline| pipeline.reasons()).collect()
}

impl Pipeline {
    fn reasons(&self) -> Vec<String> {
        let Self {
            stats,
            interval,
            open_requests,
        } = self;
        let mut reasons = Vec::new();
        match stats.health.status {
            HealthStatus::Disabled => reasons.push("delivery is disabled (enabled)".to_owned()),
            HealthStatus::Stopping | HealthStatus::Stopped => {
                reasons.push(format!("the pipeline is {}", stats.health.status));
            }
            _ => {}
        }
        if *open_requests > 0 {
            reasons.push(format!(
                "{open_requests} requests are open: one is recorded when the body of its response has \
                 been read to its end or dropped (actix_web::test::read_body, or drop the response)"
            ));
        }
        if stats.recorded == 0 && *open_requests == 0 {
            reasons.push("nothing was recorded".to_owned());
        }
        let is_down =
            !stats.health.endpoints_down.is_empty() || !stats.health.databases_down.is_empty();
        if stats.places.buffered > 0 && !is_down && stats.health.recording {
            reasons.push(format!(
                "{} measurements are buffered and were not flushed: they are sent {interval:?} after \
                 the first of them (interval), or by `influx.flush(…).await`",
                stats.places.buffered
            ));
        }
        if stats.places.in_flight > 0 {
            reasons.push(format!(
                "{} measurements are being sent and have no answer yet",
                stats.places.in_flight
            ));
        }
        if is_down {
            reasons.push(format!("they are sent again: {}", stats.health));
        }
        for database in &stats.databases {
            if let Some(reason) = &database.last_rejection {
                let (rejected, name) = (database.rejected, &database.database);
                reasons.push(format!(
                    "{rejected} measurements of database {name} were rejected, the last one with: {reason}"
                ));
            }
        }
        if stats.dropped.total() > 0 {
            reasons.push(format!("measurements were dropped: {}", stats.dropped));
        }
        if reasons.is_empty() {
            reasons.push(format!("all recorded measurements have arrived ({stats})"));
        }
        reasons
    }
}
