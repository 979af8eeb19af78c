//! The counters, and the equation that always holds: `recorded + recovered = written + rejected +
//! dropped + pending`.

use std::fmt;

use parking_lot::Mutex;

use crate::{DatabaseStats, EndpointStats, Health, SpoolStats, stats::reason::LossReason};

/// A snapshot of the ledger: how many measurements were recorded, and how they ended.
///
/// The equation `recorded + recovered = written + rejected + dropped + pending` always holds.
/// [`Display`](fmt::Display) prints one line, `recorded=5 written=3 rejected=1 dropped=0
/// pending=1`, with `recovered=` after `recorded=` unless it is 0; `{:#}` prints an aligned block,
/// with the health, the endpoints and the databases. With the feature `serde` the type is
/// [`Serialize`](https://docs.rs/serde/1/serde/trait.Serialize.html), with times as texts like
/// `2026-11-26T11:18:00.250Z`.
///
/// ```
/// use actix_influxdb::{Config, Influx, Measurement};
///
/// # let influx = Influx::start(Config::v1("http://127.0.0.1:9"))?;
/// influx.record(Measurement::new("example", "login").field("ms", 12.5)).ok();
/// let stats = influx.stats();
/// assert!(stats.balanced());
/// assert_eq!(stats.places.total(), stats.pending);
/// println!("{stats}, of these are in flight: {}", stats.places.in_flight);
/// # Ok::<(), actix_influxdb::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Measurements passed to `record`, `deliver` or [`Influx::addr`](crate::Influx::addr).
    pub recorded: u64,
    /// Measurements of an earlier process found in its [spool](crate::Config::spool_dir). Some of
    /// them may have been stored before that process ended: they are sent again, and overwrite
    /// themselves.
    pub recovered: u64,
    /// Measurements that the server has stored.
    pub written: u64,
    /// Measurements that the server has rejected.
    pub rejected: u64,
    /// Measurements that were dropped, by reason.
    pub dropped: Dropped,
    /// Measurements that are not written, rejected or dropped yet.
    pub pending: u64,
    /// Where the pending measurements are; the places add up to `pending`.
    pub places: Places,
    /// Tag values replaced by `_other`: see
    /// [`Config::max_tag_values`](crate::Config::max_tag_values). Not part of the equation, because
    /// the measurements themselves are not lost.
    pub tags_capped: u64,
    /// The endpoints, in the order of [`Config::url`](crate::Config::url).
    pub endpoints: Vec<EndpointStats>,
    /// The databases that were written to, by name.
    pub databases: Vec<DatabaseStats>,
    /// The files of the spool; `None` without a [spool](crate::Config::spool_dir).
    pub spool: Option<SpoolStats>,
    /// Whether measurements arrive, and if not, since when and why.
    pub health: Health,
}

impl Stats {
    /// Whether the equation `recorded + recovered = written + rejected + dropped + pending` holds.
    /// The counters are independent, so a test or a health check can verify that they agree.
    pub fn balanced(&self) -> bool {
        let ended = self.written + self.rejected + self.dropped.total();
        self.recorded + self.recovered == ended + self.pending
    }
}

/// Where pending measurements are.
///
/// The places add up to [`Stats::pending`] in every snapshot. `in_flight` is updated when the
/// buffer actor has handled a response or sent a batch; until then, a measurement that has just
/// ended may still count as `in_flight` instead of one that is `buffered`.
///
/// ```
/// # fn is_waiting_for_the_server(stats: &actix_influxdb::Stats) -> bool {
/// stats.places.in_flight > 0
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Places {
    /// Measurements in memory that are not being sent: in thread buffers and in the backlog.
    pub buffered: u64,
    /// Measurements in POSTs without a response so far.
    pub in_flight: u64,
    /// Measurements that are only on disk, in the [spool](crate::Config::spool_dir). Those that are
    /// also in memory are counted there.
    pub spooled: u64,
}

impl Places {
    /// Returns the number of pending measurements in all places.
    pub fn total(&self) -> u64 {
        self.buffered + self.in_flight + self.spooled
    }
}

macro_rules! dropped {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Number of dropped measurements, by [`DropReason`](crate::DropReason).
        ///
        /// ```
        /// # fn lost_to_overload(stats: &actix_influxdb::Stats) -> u64 {
        /// stats.dropped.buffer_full + stats.dropped.overflow
        /// # }
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct Dropped {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Dropped {
            /// Returns the total number of dropped measurements.
            pub fn total(&self) -> u64 {
                0 $(+ self.$name)+
            }

            /// The reasons with their counts.
            pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }
        }

        /// Prints the reasons with their counts, `buffer_full=3 sampled=1`; `none` if all are 0.
        impl fmt::Display for Dropped {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut there = self.all().filter(|(_, lines)| *lines > 0);
                match there.next() {
                    Some((name, lines)) => write!(f, "{name}={lines}")?,
                    None => f.write_str("none")?,
                }
                there.try_for_each(|(name, lines)| write!(f, " {name}={lines}"))
            }
        }
    };
}

dropped! {
    /// Recorded while [`Config::enabled`](crate::Config::enabled) was off.
    disabled,
    /// Not recorded, because the measurement was invalid: no field, or a name that InfluxDB does not
    /// accept.
    invalid,
    /// Not recorded, because the limit of
    /// [`Config::max_buffer_size`](crate::Config::max_buffer_size) or
    /// [`Config::max_buffer_bytes`](crate::Config::max_buffer_bytes) was reached.
    buffer_full,
    /// Not recorded, because shutdown had begun.
    stopping,
    /// Evicted from a full buffer to make room for others: see
    /// [`Config::overflow`](crate::Config::overflow).
    overflow,
    /// In a batch that was not selected by
    /// [`Config::sample_probability`](crate::Config::sample_probability).
    sampled,
    /// Pending for longer than [`Config::max_age`](crate::Config::max_age).
    expired,
    /// Still pending at the end of the shutdown's timeout.
    undelivered,
    /// In the oldest file of a full spool: see
    /// [`Config::spool_max_bytes`](crate::Config::spool_max_bytes).
    spool_full,
    /// In a spool file that was damaged, or removed by someone else.
    spool_damaged,
}

/// Counters of one thread buffer, added to the ledger's in a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) recorded: u64,
    pub(crate) dropped: Dropped,
    pub(crate) tags_capped: u64,
}

/// How a pending measurement ended, without texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DispositionKind {
    Written,
    Rejected,
    Dropped(LossReason),
}

/// Counters of everything that has left the thread buffers, which count the rest: see
/// [`Intake::stats`](crate::ingest::intake::Intake).
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Stats>);

impl Ledger {
    /// Counts `lines` moved from a thread buffer to the backlog.
    pub(crate) fn admit(&self, lines: usize) {
        self.0.lock().pending += lines as u64;
    }

    /// Counts `lines` pending measurements that have ended.
    pub(crate) fn settle(&self, lines: usize, kind: DispositionKind) {
        let lines = lines as u64;
        enter(&mut self.0.lock(), lines, kind);
    }

    /// Counts `lines` pending measurements that have ended and were only on disk.
    pub(crate) fn settle_spooled(&self, lines: u64, kind: DispositionKind) {
        let mut stats = self.0.lock();
        stats.places.spooled -= lines;
        enter(&mut stats, lines, kind);
    }

    /// Counts `lines` of an earlier process found on disk.
    pub(crate) fn recover(&self, lines: u64) {
        let mut stats = self.0.lock();
        stats.recovered += lines;
        stats.pending += lines;
        stats.places.spooled += lines;
    }

    /// Counts `lines` that are only on disk from now on.
    pub(crate) fn spool(&self, lines: u64) {
        self.0.lock().places.spooled += lines;
    }

    /// Counts `lines` that were only on disk and are also in memory now.
    pub(crate) fn load(&self, lines: u64) {
        self.0.lock().places.spooled -= lines;
    }

    /// Adds the tally of a thread buffer that has ended.
    pub(crate) fn retire(&self, tally: &Tally) {
        let mut stats = self.0.lock();
        stats.recorded += tally.recorded;
        stats.dropped.add(&tally.dropped);
        stats.tags_capped += tally.tags_capped;
    }

    /// Sets the number of lines in flight.
    pub(crate) fn set_in_flight(&self, lines: usize) {
        self.0.lock().places.in_flight = lines as u64;
    }

    /// The counters, with all places but the thread buffers.
    pub(crate) fn snapshot(&self) -> Stats {
        let mut stats = self.0.lock().clone();
        let Places {
            buffered,
            in_flight,
            spooled,
        } = &mut stats.places;
        // Lines that have ended since the last update are no longer in flight.
        *in_flight = (*in_flight).min(stats.pending - *spooled);
        *buffered = stats.pending - *spooled - *in_flight;
        stats
    }
}

fn enter(stats: &mut Stats, lines: u64, kind: DispositionKind) {
    debug_assert!(stats.pending >= lines, "settled more than was pending");
    stats.pending -= lines;
    let dropped = &mut stats.dropped;
    match kind {
        DispositionKind::Written => stats.written += lines,
        DispositionKind::Rejected => stats.rejected += lines,
        DispositionKind::Dropped(LossReason::Overflow) => dropped.overflow += lines,
        DispositionKind::Dropped(LossReason::Sampled) => dropped.sampled += lines,
        DispositionKind::Dropped(LossReason::Expired) => dropped.expired += lines,
        DispositionKind::Dropped(LossReason::Undelivered) => dropped.undelivered += lines,
        DispositionKind::Dropped(LossReason::SpoolFull) => dropped.spool_full += lines,
        DispositionKind::Dropped(LossReason::SpoolDamaged) => dropped.spool_damaged += lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_disk_only_is_a_place_of_its_own_and_counted_once() {
        let ledger = Ledger::default();
        ledger.recover(10);
        let stats = ledger.snapshot();
        assert_eq!((stats.recovered, stats.pending), (10, 10));
        assert_eq!((stats.places.spooled, stats.places.buffered), (10, 0));
        ledger.load(4);
        ledger.set_in_flight(3);
        let places = ledger.snapshot().places;
        assert_eq!(
            (places.spooled, places.in_flight, places.buffered),
            (6, 3, 1)
        );
        ledger.settle(4, DispositionKind::Written);
        ledger.settle_spooled(5, DispositionKind::Dropped(LossReason::SpoolFull));
        ledger.settle_spooled(1, DispositionKind::Dropped(LossReason::SpoolDamaged));
        let stats = ledger.snapshot();
        assert!(stats.balanced() && stats.pending == 0, "{stats}");
        assert_eq!(stats.dropped.to_string(), "spool_full=5 spool_damaged=1");
        ledger.retire(&Tally {
            recorded: 2,
            ..Tally::default()
        });
        ledger.admit(2);
        ledger.spool(2);
        assert_eq!(ledger.snapshot().places.spooled, 2);
    }

    #[test]
    fn the_law_holds_only_when_the_five_counts_agree() {
        let mut stats = Stats {
            recorded: 5,
            written: 2,
            rejected: 1,
            pending: 1,
            tags_capped: 9,
            ..Stats::default()
        };
        assert!(!stats.balanced());
        stats.dropped.buffer_full = 1;
        assert!(stats.balanced());
        assert_eq!(
            stats.to_string(),
            "recorded=5 written=2 rejected=1 dropped=1 pending=1"
        );
    }

    #[test]
    fn what_was_recovered_is_on_the_side_of_what_was_recorded() {
        let stats = Stats {
            recorded: 5,
            recovered: 2,
            written: 6,
            pending: 1,
            ..Stats::default()
        };
        assert!(stats.balanced());
        assert_eq!(
            stats.to_string(),
            "recorded=5 recovered=2 written=6 rejected=0 dropped=0 pending=1"
        );
    }

    #[test]
    fn the_places_add_up_to_what_is_pending_whatever_was_counted_last() {
        let ledger = Ledger::default();
        ledger.admit(6);
        ledger.set_in_flight(4);
        let places = ledger.snapshot().places;
        assert_eq!((places.buffered, places.in_flight), (2, 4));
        ledger.settle(3, DispositionKind::Written);
        let places = ledger.snapshot().places;
        assert_eq!((places.total(), places.in_flight), (3, 3));
    }

    #[test]
    fn the_reasons_of_losses_print_by_name() {
        let mut dropped = Dropped::default();
        assert_eq!(dropped.to_string(), "none");
        dropped.buffer_full = 3;
        dropped.sampled = 1;
        assert_eq!(dropped.to_string(), "buffer_full=3 sampled=1");
    }

    #[test]
    fn what_is_admitted_is_pending_until_it_is_settled() {
        let ledger = Ledger::default();
        ledger.retire(&Tally {
            recorded: 7,
            dropped: Dropped {
                invalid: 1,
                ..Dropped::default()
            },
            tags_capped: 2,
        });
        ledger.admit(6);
        ledger.settle(2, DispositionKind::Written);
        ledger.settle(1, DispositionKind::Rejected);
        for (reason, dropped) in [
            (LossReason::Undelivered, "invalid=1 undelivered=1"),
            (LossReason::Expired, "invalid=1 expired=1 undelivered=1"),
        ] {
            ledger.settle(1, DispositionKind::Dropped(reason));
            assert_eq!(ledger.snapshot().dropped.to_string(), dropped);
        }
        let stats = ledger.snapshot();
        assert!(stats.balanced());
        assert_eq!((stats.written, stats.rejected, stats.pending), (2, 1, 1));
        assert_eq!((stats.dropped.total(), stats.tags_capped), (3, 2));
    }
}
