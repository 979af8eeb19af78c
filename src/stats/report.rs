//! Reports to callers: of one measurement, of a flush, of a shutdown.

use std::{fmt, time::Duration};

use futures_channel::oneshot;

use crate::{Database, DropReason, Rejection, Stats, batch::Lines};

/// What became of one measurement: the answer of [`Influx::deliver`](crate::Influx::deliver).
///
/// ```
/// use actix_influxdb::{Delivery, Influx, Measurement};
///
/// async fn order(influx: &Influx) {
///     let order = Measurement::new("example", "order").field("price", 9.9);
///     match influx.deliver(order).await {
///         Delivery::Written => println!("stored"),
///         Delivery::Rejected { reason } => println!("refused by the server: {reason}"),
///         Delivery::Dropped { reason } => println!("not delivered: {reason}"),
///         Delivery::Spooled => println!("kept for the next start"),
///         _ => {}
///     }
/// }
/// # let _ = order;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The server has stored the measurement.
    Written,
    /// The server has rejected the measurement: it will not store it.
    Rejected {
        /// The server's refusal.
        reason: Rejection,
    },
    /// The measurement was not recorded, or was given up while it was pending.
    Dropped {
        /// Why it was dropped.
        reason: DropReason,
    },
    /// The measurement is on disk, and a later process with the same
    /// [spool](crate::Config::spool_dir) delivers it: only at a shutdown. Before, the answer waits for
    /// the server.
    Spooled,
}

/// The sending half of [`Influx::deliver`](crate::Influx::deliver)'s answer.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Sender<Delivery>);

impl Ticket {
    /// A ticket, and the answer to come. Whatever is recorded settles its ticket; only where delivery
    /// is disabled a ticket is dropped.
    pub(crate) fn new() -> (Self, impl Future<Output = Delivery> + Send) {
        let (sender, receiver) = oneshot::channel();
        let delivery = async {
            receiver.await.unwrap_or(Delivery::Dropped {
                reason: DropReason::Disabled,
            })
        };
        (Self(sender), delivery)
    }

    /// Answers the caller, if it still waits.
    pub(crate) fn answer(self, delivery: Delivery) {
        _ = self.0.send(delivery);
    }
}

/// What became of the measurements that were pending when [`flush`](crate::Influx::flush) was
/// called.
///
/// ```
/// # use actix_influxdb::FlushReport;
/// fn show(report: &FlushReport) {
///     println!("{report}"); // written=5 rejected=0 dropped=0 undelivered=1 in 1.5s
/// }
/// # show(&FlushReport::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Number of measurements that the server has stored.
    pub written: u64,
    /// Number of measurements that the server has rejected.
    pub rejected: u64,
    /// Number of measurements that were dropped: see [`Stats::dropped`].
    pub dropped: u64,
    /// Number of measurements in memory that are still pending. Their delivery goes on.
    pub undelivered: u64,
    /// Number of measurements that are still pending, and on disk only: in the
    /// [spool](crate::Config::spool_dir).
    pub spooled: u64,
    /// Duration of the flush.
    pub elapsed: Duration,
}

/// `written=5 rejected=0 dropped=0 undelivered=1 in 1.5s`.
impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            written,
            rejected,
            dropped,
            undelivered,
            spooled,
            elapsed,
        } = self;
        write!(
            f,
            "written={written} rejected={rejected} dropped={dropped} undelivered={undelivered}"
        )?;
        if *spooled > 0 {
            write!(f, " spooled={spooled}")?;
        }
        write!(f, " in {elapsed:.1?}")
    }
}

impl FlushReport {
    /// Whether every measurement that was recorded before the flush is written, rejected or dropped.
    pub fn is_complete(&self) -> bool {
        self.undelivered == 0 && self.spooled == 0
    }
}

/// What became of the measurements that were pending when
/// [`shutdown`](crate::Influx::shutdown) was called, and the ledger at the end.
///
/// ```
/// # use actix_influxdb::ShutdownReport;
/// fn exit_code(report: &ShutdownReport) -> u8 {
///     println!("{report}");
///     u8::from(!report.is_complete())
/// }
/// # assert_eq!(exit_code(&ShutdownReport::default()), 0);
/// ```
#[derive(Clone, derive_more::Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Number of measurements that the server has stored since the shutdown began.
    pub written: u64,
    /// Number of measurements that the server has rejected since the shutdown began.
    pub rejected: u64,
    /// Number of measurements that were dropped since the shutdown began, without the undelivered.
    pub dropped: u64,
    /// Number of measurements that were still pending when the timeout had passed. The ledger counts them
    /// as dropped. The server may have stored those whose POST it had not answered yet.
    pub undelivered: u64,
    /// Number of measurements that are on disk, for the next process with the same
    /// [spool](crate::Config::spool_dir) to deliver: of this process and of earlier ones.
    pub spooled: u64,
    /// Duration of the shutdown.
    pub elapsed: Duration,
    /// The ledger at the end, with nothing pending but what is spooled.
    pub stats: Stats,
    /// Not for logs: it may be as much as the buffer holds.
    #[debug(skip)]
    pub(crate) lines: Vec<(Database, Lines)>,
}

/// Prints what a [`FlushReport`] prints, and the ledger.
impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = FlushReport {
            written: self.written,
            rejected: self.rejected,
            dropped: self.dropped,
            undelivered: self.undelivered,
            spooled: self.spooled,
            elapsed: self.elapsed,
        };
        write!(f, "{since}; in all {}", self.stats)
    }
}

impl ShutdownReport {
    /// Whether every measurement was written, rejected, dropped or spooled in time.
    pub fn is_complete(&self) -> bool {
        self.undelivered == 0
    }

    /// Returns the undelivered measurements in line protocol, each line with its `\n`, so that a program
    /// can keep them. Posting them later is safe: a point that the server has already is overwritten by
    /// itself.
    pub fn undelivered_lines(&self) -> impl Iterator<Item = (&Database, &str)> {
        self.lines.iter().flat_map(|(database, lines)| {
            // The encoder writes UTF-8 only.
            let texts = lines.iter().filter_map(|line| str::from_utf8(line).ok());
            texts.map(move |line| (database, line))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_print_on_one_line() {
        let report = ShutdownReport {
            written: 5,
            undelivered: 1,
            elapsed: Duration::from_millis(1_500),
            ..ShutdownReport::default()
        };
        assert_eq!(
            report.to_string(),
            "written=5 rejected=0 dropped=0 undelivered=1 in 1.5s; \
             in all recorded=0 written=0 rejected=0 dropped=0 pending=0"
        );
    }
}
