//! The pipeline's own figures as measurements: `influx_client` and `influx_client_endpoint`.

use std::time::{Duration, SystemTime};

use crate::{
    Database, EndpointStats, Measurement, SpoolStats, Stats,
    stats::{health::ServersSummary, histogram::Histogram},
};

/// Measurement of the ledger and the pipeline.
const CLIENT: &str = "influx_client";

/// Measurement of an endpoint.
const ENDPOINT: &str = "influx_client_endpoint";

/// POSTs since the start, and their durations since the last point.
#[derive(Debug, Default)]
pub(crate) struct Posts {
    sent: u64,
    failed: u64,
    bytes: u64,
    durations: Histogram,
}

impl Posts {
    pub(crate) fn ended(&mut self, bytes: usize, took: Duration, is_failure: bool) {
        self.sent += 1;
        self.failed += u64::from(is_failure);
        self.bytes += bytes as u64;
        self.durations.record(took);
    }
}

/// Inputs of the points, besides the [`Posts`].
#[derive(Debug)]
pub(crate) struct Figures<'a> {
    pub(crate) database: &'a Database,
    /// The program's name, unless the program sets this tag itself.
    pub(crate) program: Option<&'a str>,
    pub(crate) ledger: &'a Stats,
    pub(crate) servers: &'a ServersSummary,
    pub(crate) spool: Option<SpoolStats>,
    pub(crate) pending_bytes: usize,
    pub(crate) uptime: Duration,
}

impl Figures<'_> {
    /// The point of the ledger and the pipeline. Resets the durations.
    pub(crate) fn client(&self, posts: &mut Posts) -> Measurement {
        let mut point = self.point(CLIENT);
        let ledger = self.ledger;
        let mut count = |key: &'static str, count: u64| point.set_field(key, signed(count));
        count("recorded", ledger.recorded);
        count("recovered", ledger.recovered);
        count("written", ledger.written);
        count("rejected", ledger.rejected);
        count("dropped", ledger.dropped.total());
        count("pending", ledger.pending);
        count("pending_buffered", ledger.places.buffered);
        count("pending_in_flight", ledger.places.in_flight);
        count("pending_spooled", ledger.places.spooled);
        count("pending_bytes", self.pending_bytes as u64);
        count("tags_capped", ledger.tags_capped);
        count("posts", posts.sent);
        count("posts_failed", posts.failed);
        count("bytes", posts.bytes);
        count("endpoints_down", self.servers.endpoints_down.len() as u64);
        count("databases_down", self.servers.databases_down as u64);
        if let Some(spool) = &self.spool {
            count("spool_files", spool.files);
            count("spool_bytes", spool.bytes);
        }
        for (reason, dropped) in ledger.dropped.all() {
            point.set_field(format!("dropped_{reason}"), signed(dropped));
        }
        point.set_field("uptime", self.uptime);
        if let Some(since) = self.servers.pending_since.filter(|_| ledger.pending > 0) {
            let age = SystemTime::now().duration_since(since);
            point.set_field("pending_age", age.unwrap_or_default());
        }
        if let Some(oldest) = self.spool.as_ref().and_then(|spool| spool.oldest) {
            let age = SystemTime::now().duration_since(oldest);
            point.set_field("spool_age", age.unwrap_or_default());
        }
        for (key, share) in [("post_p50", 0.5), ("post_p90", 0.9), ("post_p99", 0.99)] {
            if let Some(took) = posts.durations.percentile(share) {
                point.set_field(key, took);
            }
        }
        if let Some(took) = posts.durations.longest() {
            point.set_field("post_max", took);
        }
        posts.durations.clear();
        point
    }

    /// The point of an endpoint.
    pub(crate) fn endpoint(&self, endpoint: &EndpointStats) -> Measurement {
        let mut point = self.point(ENDPOINT);
        point.set_tag("url", endpoint.url.clone());
        point.set_field("down", i64::from(endpoint.outage.is_some()));
        point
    }

    fn point(&self, name: &'static str) -> Measurement {
        let mut point = Measurement::new(self.database.clone(), name);
        if let Some(program) = self.program {
            point.set_tag("program", program.to_owned());
        }
        point
    }
}

/// Always signed: programs with and without unsigned fields would have a type conflict.
fn signed(count: u64) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_what_was_counted_and_durations_since_the_last_one() {
        let mut ledger = Stats {
            recorded: 7,
            written: 4,
            pending: 2,
            ..Stats::default()
        };
        ledger.dropped.expired = 1;
        ledger.places.in_flight = 2;
        let servers = ServersSummary {
            pending_since: Some(SystemTime::now() - Duration::from_secs(60)),
            databases_down: 3,
            ..ServersSummary::default()
        };
        let figures = Figures {
            database: &"own".into(),
            program: Some("prog"),
            ledger: &ledger,
            servers: &servers,
            spool: None,
            pending_bytes: 99,
            uptime: Duration::from_secs(5),
        };
        let mut posts = Posts::default();
        posts.ended(1_000, Duration::from_millis(20), false);
        posts.ended(500, Duration::from_millis(40), true);
        let shown =
            |point: &Measurement, key: &str| point.get_field(key).map(|value| format!("{value:?}"));
        let point = figures.client(&mut posts);
        for (key, value) in [
            ("recorded", "Integer(7)"),
            ("written", "Integer(4)"),
            ("dropped", "Integer(1)"),
            ("dropped_expired", "Integer(1)"),
            ("dropped_sampled", "Integer(0)"),
            ("pending_in_flight", "Integer(2)"),
            ("pending_bytes", "Integer(99)"),
            ("posts", "Integer(2)"),
            ("posts_failed", "Integer(1)"),
            ("bytes", "Integer(1500)"),
            ("databases_down", "Integer(3)"),
            ("uptime", "Float(5.0)"),
            ("post_max", "Float(0.04)"),
        ] {
            assert_eq!(shown(&point, key).as_deref(), Some(value), "{key}");
        }
        assert!(
            shown(&point, "pending_age")
                .unwrap()
                .starts_with("Float(60.")
        );
        let next = figures.client(&mut posts);
        assert_eq!(shown(&next, "posts").as_deref(), Some("Integer(2)"));
        assert_eq!(shown(&next, "post_max"), None, "there was none since");
    }
}
