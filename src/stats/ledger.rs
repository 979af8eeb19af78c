//! The counters, and the law that ties them:
//! `recorded + recovered = written + rejected + dropped + pending`, at every instant.

use std::fmt;

use parking_lot::Mutex;

use crate::{DatabaseStats, EndpointStats, Health, SpoolStats, stats::reason::GivenUp};

/// A snapshot of the ledger: how many measurements were recorded, and what became of them.
///
/// The law `recorded + recovered = written + rejected + dropped + pending` holds at every instant.
/// [`Display`](fmt::Display) prints the ledger on one line,
/// `recorded=5 written=3 rejected=1 dropped=0 pending=1`, with `recovered=` behind `recorded=` where
/// that is not 0; `{:#}` prints an aligned block, with the health, the endpoints and the databases. With the
/// feature `serde` it is [`Serialize`](https://docs.rs/serde/1/serde/trait.Serialize.html): times are texts
/// like `2026-11-26T11:18:00.250Z`.
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
    /// Measurements that were given to `record`, `deliver` or [`Influx::addr`](crate::Influx::addr).
    pub recorded: u64,
    /// Measurements of an earlier process that were in its [spool](crate::Config::spool_dir). Those that
    /// the server had stored when that process ended, without the file being removed, are among them:
    /// they are sent again, and overwrite themselves.
    pub recovered: u64,
    /// Measurements that the server has stored.
    pub written: u64,
    /// Measurements that the server has rejected.
    pub rejected: u64,
    /// Measurements that were dropped, by reason.
    pub dropped: Dropped,
    /// Measurements that are neither written, nor rejected, nor dropped yet.
    pub pending: u64,
    /// Where the pending measurements are. The places add up to `pending`.
    pub places: Places,
    /// Tag values that were replaced by `_other`: see
    /// [`Config::max_tag_values`](crate::Config::max_tag_values). Not part of the law, because the
    /// measurements themselves are not lost.
    pub tags_capped: u64,
    /// The endpoints, in the order of [`Config::url`](crate::Config::url).
    pub endpoints: Vec<EndpointStats>,
    /// The databases that were sent to, by name.
    pub databases: Vec<DatabaseStats>,
    /// The files of the spool; `None` without a [spool](crate::Config::spool_dir).
    pub spool: Option<SpoolStats>,
    /// Whether measurements arrive, and if not, since when and why.
    pub health: Health,
}

impl Stats {
    /// Whether the law `recorded + recovered = written + rejected + dropped + pending` holds. The
    /// counters are kept apart, so a test or a health check can see that they agree.
    pub fn balanced(&self) -> bool {
        let ended = self.written + self.rejected + self.dropped.total();
        self.recorded + self.recovered == ended + self.pending
    }
}

/// Where pending measurements are.
///
/// The places add up to [`Stats::pending`] in every snapshot. `in_flight` is counted when the buffer
/// actor has handled an answer or has sent something: in between, a measurement that has just ended
/// may be missing from `buffered` in place of `in_flight`.
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
    /// Measurements in POSTs that have no answer yet.
    pub in_flight: u64,
    /// Measurements that are on disk only, in the [spool](crate::Config::spool_dir). Those that are in
    /// memory too are counted there.
    pub spooled: u64,
}

impl Places {
    /// Returns the number of pending measurements, wherever they are.
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
            /// Returns the number of dropped measurements, for whatever reason.
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
    /// In a batch that was not selected for sending: see
    /// [`Config::sample_probability`](crate::Config::sample_probability).
    sampled,
    /// Pending for longer than [`Config::max_age`](crate::Config::max_age).
    expired,
    /// Still pending when the shutdown's timeout had passed.
    undelivered,
    /// In the oldest file of a spool that was full: see
    /// [`Config::spool_max_bytes`](crate::Config::spool_max_bytes).
    spool_full,
    /// In a file of the spool that was damaged, or removed by somebody else.
    spool_damaged,
}

/// The counters of one thread buffer. Added to the ledger's when a snapshot is taken.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) recorded: u64,
    pub(crate) dropped: Dropped,
    pub(crate) tags_capped: u64,
}

/// How a pending measurement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    Written,
    Rejected,
    Dropped(GivenUp),
}

/// The counters of all that has left the thread buffers, which count the rest: see
/// [`Intake::stats`](crate::ingest::intake::Intake).
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Stats>);

impl Ledger {
    /// `lines` measurements have moved from a thread buffer to the backlog.
    pub(crate) fn admit(&self, lines: usize) {
        self.0.lock().pending += lines as u64;
    }

    /// `lines` pending measurements have ended.
    pub(crate) fn settle(&self, lines: usize, settlement: Settlement) {
        let lines = lines as u64;
        enter(&mut self.0.lock(), lines, settlement);
    }

    /// `lines` pending measurements that were on disk only have ended.
    pub(crate) fn settle_spooled(&self, lines: u64, settlement: Settlement) {
        let mut books = self.0.lock();
        books.places.spooled -= lines;
        enter(&mut books, lines, settlement);
    }

    /// `lines` measurements of an earlier process were found on disk.
    pub(crate) fn recover(&self, lines: u64) {
        let mut books = self.0.lock();
        books.recovered += lines;
        books.pending += lines;
        books.places.spooled += lines;
    }

    /// `lines` pending measurements are on disk only from now on.
    pub(crate) fn spool(&self, lines: u64) {
        self.0.lock().places.spooled += lines;
    }

    /// `lines` measurements that were on disk only are in memory too.
    pub(crate) fn load(&self, lines: u64) {
        self.0.lock().places.spooled -= lines;
    }

    /// Takes over the tally of a thread buffer that is no more.
    pub(crate) fn retire(&self, tally: &Tally) {
        let mut books = self.0.lock();
        books.recorded += tally.recorded;
        books.dropped.add(&tally.dropped);
        books.tags_capped += tally.tags_capped;
    }

    /// So many of the pending measurements are in flight.
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
        // What has ended since it was counted is in flight no more.
        *in_flight = (*in_flight).min(stats.pending - *spooled);
        *buffered = stats.pending - *spooled - *in_flight;
        stats
    }
}

fn enter(books: &mut Stats, lines: u64, settlement: Settlement) {
    debug_assert!(books.pending >= lines, "settled more than was pending");
    books.pending -= lines;
    let dropped = &mut books.dropped;
    match settlement {
        Settlement::Written => books.written += lines,
        Settlement::Rejected => books.rejected += lines,
        Settlement::Dropped(GivenUp::Overflow) => dropped.overflow += lines,
        Settlement::Dropped(GivenUp::Sampled) => dropped.sampled += lines,
        Settlement::Dropped(GivenUp::Expired) => dropped.expired += lines,
        Settlement::Dropped(GivenUp::Undelivered) => dropped.undelivered += lines,
        Settlement::Dropped(GivenUp::SpoolFull) => dropped.spool_full += lines,
        Settlement::Dropped(GivenUp::SpoolDamaged) => dropped.spool_damaged += lines,
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
        ledger.settle(4, Settlement::Written);
        ledger.settle_spooled(5, Settlement::Dropped(GivenUp::SpoolFull));
        ledger.settle_spooled(1, Settlement::Dropped(GivenUp::SpoolDamaged));
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
        ledger.settle(3, Settlement::Written);
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
        ledger.settle(2, Settlement::Written);
        ledger.settle(1, Settlement::Rejected);
        for (reason, dropped) in [
            (GivenUp::Undelivered, "invalid=1 undelivered=1"),
            (GivenUp::Expired, "invalid=1 expired=1 undelivered=1"),
        ] {
            ledger.settle(1, Settlement::Dropped(reason));
            assert_eq!(ledger.snapshot().dropped.to_string(), dropped);
        }
        let stats = ledger.snapshot();
        assert!(stats.balanced());
        assert_eq!((stats.written, stats.rejected, stats.pending), (2, 1, 1));
        assert_eq!((stats.dropped.total(), stats.tags_capped), (3, 2));
    }
}
