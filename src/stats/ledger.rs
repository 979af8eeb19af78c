//! The counters, and the law that ties them:
//! `recorded = written + rejected + dropped + pending`, at every instant.

use std::fmt;

use parking_lot::Mutex;

use crate::{DatabaseStats, DropReason, EndpointStats};

/// A snapshot of the ledger: how many measurements were recorded, and what became of each.
///
/// [`Display`](fmt::Display) prints the ledger line,
/// `recorded=5 written=3 rejected=1 dropped=0 pending=1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Every measurement that was given to `record`, `deliver` or the buffer actor.
    pub recorded: u64,
    /// The server has said that it stored them.
    pub written: u64,
    /// The server has said that it will not store them.
    pub rejected: u64,
    /// Never delivered, by reason.
    pub dropped: Dropped,
    /// Recorded, and none of the above yet.
    pub pending: u64,
    /// Tag values that went out as `_other`: see
    /// [`Config::max_tag_values`](crate::Config::max_tag_values). Not part of the law, because the
    /// measurements themselves are not lost.
    pub tags_capped: u64,
    /// Each endpoint, in the order of [`Config::url`](crate::Config::url): whether it is in service,
    /// its last success and its last failure.
    pub endpoints: Vec<EndpointStats>,
    /// Each database that was sent to, by name.
    pub databases: Vec<DatabaseStats>,
}

impl Stats {
    /// Does the law `recorded = written + rejected + dropped + pending` hold? It always does: the
    /// five are counted apart, and this is how a test or a health check sees that they agree.
    pub fn balanced(&self) -> bool {
        self.recorded == self.written + self.rejected + self.dropped.total() + self.pending
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            recorded,
            written,
            rejected,
            dropped,
            pending,
            ..
        } = self;
        let dropped = dropped.total();
        write!(
            f,
            "recorded={recorded} written={written} rejected={rejected} dropped={dropped} \
             pending={pending}"
        )
    }
}

macro_rules! dropped {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Measurements that were never delivered, by reason.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Dropped {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Dropped {
            /// All of them.
            pub fn total(&self) -> u64 {
                0 $(+ self.$name)+
            }

            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }
        }

        /// The reasons that there are, `buffer_full=3 sampled=1`; `none` without any.
        impl fmt::Display for Dropped {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let all = [$((stringify!($name), self.$name)),+];
                let mut there = all.iter().filter(|(_, lines)| *lines > 0);
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
    /// The measurement itself was at fault: no field, or a name InfluxDB does not take.
    invalid,
    /// As much was pending as [`Config::max_buffer_size`](crate::Config::max_buffer_size) or
    /// [`Config::max_buffer_bytes`](crate::Config::max_buffer_bytes) allows.
    buffer_full,
    /// Recorded after shutdown had begun.
    stopping,
    /// Pending, and given up for others when the buffer was full: see
    /// [`Config::overflow`](crate::Config::overflow).
    overflow,
    /// In a batch that was not drawn: see
    /// [`Config::sample_probability`](crate::Config::sample_probability).
    sampled,
    /// Pending for longer than [`Config::max_age`](crate::Config::max_age).
    expired,
    /// Still pending when the time for shutdown had passed.
    undelivered,
}

/// What one thread buffer has seen. Added up with the books when a snapshot is taken.
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
    Dropped(DropReason),
}

/// What has left the thread buffers. ThreadBuffers hold the rest: see [`Intake::stats`](crate::ingest::intake::Intake).
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
        let mut books = self.0.lock();
        debug_assert!(books.pending >= lines, "settled more than was pending");
        books.pending -= lines;
        match settlement {
            Settlement::Written => books.written += lines,
            Settlement::Rejected => books.rejected += lines,
            Settlement::Dropped(DropReason::Overflow) => books.dropped.overflow += lines,
            Settlement::Dropped(DropReason::Sampled) => books.dropped.sampled += lines,
            Settlement::Dropped(DropReason::Expired) => books.dropped.expired += lines,
            Settlement::Dropped(DropReason::Undelivered) => books.dropped.undelivered += lines,
        }
    }

    /// Takes over the tally of a thread buffer that is no more.
    pub(crate) fn retire(&self, tally: &Tally) {
        let mut books = self.0.lock();
        books.recorded += tally.recorded;
        books.dropped.add(&tally.dropped);
        books.tags_capped += tally.tags_capped;
    }

    pub(crate) fn snapshot(&self) -> Stats {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (DropReason::Undelivered, "invalid=1 undelivered=1"),
            (DropReason::Expired, "invalid=1 expired=1 undelivered=1"),
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
