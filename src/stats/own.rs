//! The pipeline's own figures as measurements: `influx_client` and `influx_client_endpoint`.

use std::time::{Duration, SystemTime};

use crate::{
    Database, EndpointStats, Measurement, Stats,
    stats::{health::Servers, histogram::Histogram},
};

/// The measurement of the ledger and the pipeline.
const CLIENT: &str = "influx_client";

/// The measurement of one endpoint.
const ENDPOINT: &str = "influx_client_endpoint";

/// POSTs since the start; their durations since the last point.
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

/// What the points are made of, besides the [`Posts`].
#[derive(Debug)]
pub(crate) struct Figures<'a> {
    pub(crate) database: &'a Database,
    /// The program's name, unless the program has given this tag itself.
    pub(crate) program: Option<&'a str>,
    pub(crate) ledger: &'a Stats,
    pub(crate) servers: &'a Servers,
    pub(crate) pending_bytes: usize,
    pub(crate) uptime: Duration,
}

impl Figures<'_> {
    /// The point of the ledger and the pipeline. Begins to count durations anew.
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
        for (reason, dropped) in ledger.dropped.all() {
            point.set_field(format!("dropped_{reason}"), signed(dropped));
        }
        point.set_field("uptime", self.uptime);
        if let Some(since) = self.servers.pending_since.filter(|_| ledger.pending > 0) {
            let age = SystemTime::now().duration_since(since);
            point.set_field("pending_age", age.unwrap_or_default());
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

/// Signed always: one program that writes unsigned fields and one that doesn't would be a conflict of types.
fn signed(count: u64) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Samples during an outage: which of them are recorded, so that they leave room for what the program
/// records. Pure.
#[derive(Debug, Default)]
pub(crate) struct Thinning {
    /// Ticks of the interval that are passed over before the next sample.
    left: u32,
}

/// So many samples more than wait for their batch are followed by another one without a pause.
const WITHOUT_A_PAUSE: usize = 12;

/// With so many samples more than that there are no others.
const MAX_SAMPLES: usize = 64;

/// The longest pause, in doublings of the interval.
const MAX_DOUBLINGS: usize = 10;

/// At most one in so many measurements of the buffer is the pipeline's own.
const SHARE: usize = 100;

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Measurements of one sample.
    pub(crate) lines: usize,
    /// Samples that are not settled yet.
    pub(crate) unsettled: usize,
    /// Samples that may be unsettled while all goes well: those of an interval at which batches are sent.
    pub(crate) usual: usize,
    /// Measurements that are pending, and their limit.
    pub(crate) pending: (usize, usize),
    /// Bytes that are pending, and their limit.
    pub(crate) bytes: (usize, usize),
}

impl Thinning {
    /// Whether a sample is due at this tick of the interval.
    pub(crate) fn is_due(&mut self, room: Room) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        let Room {
            lines,
            unsettled,
            usual,
            pending: (pending, limit),
            bytes: (bytes, byte_limit),
        } = room;
        let is_small = (unsettled + 1).saturating_mul(lines) <= limit / SHARE;
        let is_half_empty = pending.saturating_add(lines) <= limit / 2 && bytes <= byte_limit / 2;
        let overdue = unsettled.saturating_sub(usual);
        if overdue >= MAX_SAMPLES || !(is_small || unsettled == 0) || !is_half_empty {
            return false;
        }
        let doublings = (overdue + 1).saturating_sub(WITHOUT_A_PAUSE);
        self.left = (1 << doublings.min(MAX_DOUBLINGS)) - 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(unsettled: usize) -> Room {
        Room {
            lines: 2,
            unsettled,
            usual: 0,
            pending: (1_000, 500_000),
            bytes: (1_000, 128 << 20),
        }
    }

    #[test]
    fn while_all_goes_well_each_tick_has_its_sample() {
        let mut thinning = Thinning::default();
        for unsettled in [0, 1, 0, 2, 11, 0, 3] {
            assert!(thinning.is_due(room(unsettled)));
        }
    }

    #[test]
    fn samples_that_wait_for_their_batch_are_no_outage() {
        let mut thinning = Thinning::default();
        for unsettled in 0..=112 {
            let usual = 100;
            assert!(thinning.is_due(Room {
                usual,
                ..room(unsettled)
            }));
        }
        assert!(!thinning.is_due(Room {
            usual: 0,
            ..room(112)
        }));
    }

    #[test]
    fn in_an_outage_samples_become_rarer_and_end_at_a_number() {
        let mut thinning = Thinning::default();
        let mut at = Vec::new();
        for tick in 0..100_000_u32 {
            if thinning.is_due(room(at.len())) {
                at.push(tick);
            }
        }
        assert_eq!(at.len(), MAX_SAMPLES);
        let first: Vec<_> = (0..=WITHOUT_A_PAUSE as u32).collect();
        assert_eq!(at[..first.len()], first);
        let pauses: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[12..17], [2, 4, 8, 16, 32]);
        assert_eq!(pauses.iter().max(), Some(&1_024));
        // And when it is over each tick has its sample again, after one pause at most.
        let pause = (0..).take_while(|_| !thinning.is_due(room(0))).count();
        assert!(pause <= 1_024);
        assert!(thinning.is_due(room(0)) && thinning.is_due(room(0)));
    }

    #[test]
    fn a_buffer_that_fills_is_left_to_the_program() {
        let due = |room: Room| Thinning::default().is_due(room);
        assert!(due(room(3)));
        for (room, is_due) in [
            (
                Room {
                    pending: (250_000, 500_000),
                    ..room(0)
                },
                false,
            ),
            (
                Room {
                    pending: (249_998, 500_000),
                    ..room(0)
                },
                true,
            ),
            (
                Room {
                    bytes: (65 << 20, 128 << 20),
                    ..room(0)
                },
                false,
            ),
            // At most a hundredth.
            (
                Room {
                    pending: (0, 800),
                    ..room(3)
                },
                true,
            ),
            (
                Room {
                    pending: (0, 800),
                    ..room(4)
                },
                false,
            ),
            // But for a single one, if the buffer is that small.
            (
                Room {
                    pending: (0, 10),
                    ..room(0)
                },
                true,
            ),
            (
                Room {
                    pending: (0, 10),
                    ..room(1)
                },
                false,
            ),
            (
                Room {
                    pending: (0, 3),
                    ..room(0)
                },
                false,
            ),
        ] {
            assert_eq!(due(room), is_due, "{room:?}");
        }
    }

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
        let servers = Servers {
            pending_since: Some(SystemTime::now() - Duration::from_secs(60)),
            databases_down: 3,
            ..Servers::default()
        };
        let figures = Figures {
            database: &"own".into(),
            program: Some("prog"),
            ledger: &ledger,
            servers: &servers,
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
