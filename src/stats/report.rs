//! Reports to callers: of a measurement, a flush, a shutdown.

use std::{fmt, time::Duration};

use futures_channel::oneshot;

use crate::{Database, DropReason, Rejection, Stats, batch::Lines};

/// How one measurement ended: the result of [`Influx::deliver`](crate::Influx::deliver).
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
    /// The server has rejected the measurement, and will not store it.
    Rejected {
        /// The server's refusal.
        reason: Rejection,
    },
    /// The measurement was not recorded, or was dropped while it was pending.
    Dropped {
        /// Why it was dropped.
        reason: DropReason,
    },
    /// The measurement is on disk at shutdown, to be delivered by a later process with the same
    /// [spool](crate::Config::spool_dir). Before shutdown, `deliver` waits for the server.
    Spooled,
}

/// The sender of [`Influx::deliver`](crate::Influx::deliver)'s result.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Sender<Delivery>);

impl Ticket {
    /// Creates a ticket and the future of its result. Every recorded measurement answers its
    /// ticket; it is only dropped if delivery is disabled.
    pub(crate) fn new() -> (Self, impl Future<Output = Delivery> + Send) {
        let (sender, receiver) = oneshot::channel();
        let delivery = async {
            receiver.await.unwrap_or(Delivery::Dropped {
                reason: DropReason::Disabled,
            })
        };
        (Self(sender), delivery)
    }

    /// Answers the caller, if still waiting.
    pub(crate) fn answer(self, delivery: Delivery) {
        _ = self.0.send(delivery);
    }
}

/// How the measurements ended that were pending when [`flush`](crate::Influx::flush) was called.
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
    /// Number of measurements still pending in memory; their delivery continues.
    pub undelivered: u64,
    /// Number of measurements still pending that are only on disk, in the
    /// [spool](crate::Config::spool_dir).
    pub spooled: u64,
    /// Duration of the flush.
    pub elapsed: Duration,
}

/// For example `written=5 rejected=0 dropped=0 undelivered=1 in 1.5s`.
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
    /// Whether every measurement recorded before the flush was written, rejected or dropped.
    pub fn is_complete(&self) -> bool {
        self.undelivered == 0 && self.spooled == 0
    }
}

/// How the measurements ended that were pending when [`shutdown`](crate::Influx::shutdown) was
/// called, and the final ledger.
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
    /// Number of measurements stored by the server since the shutdown began.
    pub written: u64,
    /// Number of measurements rejected by the server since the shutdown began.
    pub rejected: u64,
    /// Number of measurements dropped since the shutdown began, without `undelivered`.
    pub dropped: u64,
    /// Number of measurements still pending at the end of the timeout. The ledger counts them as
    /// dropped. The server may have stored those whose POST it had not answered.
    pub undelivered: u64,
    /// Number of measurements on disk, of this process and earlier ones, to be delivered by the
    /// next process with the same [spool](crate::Config::spool_dir).
    pub spooled: u64,
    /// Duration of the shutdown.
    pub elapsed: Duration,
    /// The final ledger; only spooled measurements are pending.
    pub stats: Stats,
    /// Not for logs: it may be as large as the buffer.
    #[debug(skip)]
    pub(crate) lines: Vec<(Database, Lines)>,
}

/// Prints the same as a [`FlushReport`], and the ledger.
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

    /// Returns the undelivered measurements in line protocol, each line with its `\n`, so that a
    /// program can keep them. They can safely be posted later: a point that is already stored is
    /// overwritten by itself.
    pub fn undelivered_lines(&self) -> impl Iterator<Item = (&Database, &str)> {
        self.lines.iter().flat_map(|(database, lines)| {
            // The encoder writes only UTF-8.
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
