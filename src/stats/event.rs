use std::time::Duration;

use crate::{Database, DropReason, Failure, Rejection};

/// Something that happened to measurements or endpoints, sent to
/// [subscribers](crate::Influx::subscribe).
///
/// ```
/// use actix_influxdb::Event;
///
/// fn describe(event: &Event) -> String {
///     match event {
///         Event::Written { database, measurements, .. } => format!("{database}: {measurements}"),
///         Event::Rejected { line, reason, .. } => format!("{line}: {reason}"),
///         Event::EndpointDown { url, reason, .. } => format!("{url} is down: {reason}"),
///         other => format!("{other:?}"),
///     }
/// }
/// # let _ = describe;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server has stored measurements.
    #[non_exhaustive]
    Written {
        /// Database of the measurements.
        database: Database,
        /// Number of measurements.
        measurements: usize,
    },
    /// The server has rejected one measurement.
    #[non_exhaustive]
    Rejected {
        /// Database of the measurement.
        database: Database,
        /// The measurement in line protocol, without the `\n` at its end.
        line: String,
        /// The server's refusal.
        reason: Rejection,
    },
    /// A POST failed. Its measurements are kept and sent again.
    #[non_exhaustive]
    Retrying {
        /// Database of the measurements.
        database: Database,
        /// Number of measurements.
        measurements: usize,
        /// Why the POST failed.
        reason: Failure,
    },
    /// Pending measurements were dropped. Measurements that were never recorded have no event: the
    /// caller gets an error, and [`Stats::dropped`](crate::Stats::dropped) counts them.
    #[non_exhaustive]
    Dropped {
        /// Database of the measurements.
        database: Database,
        /// Number of measurements.
        measurements: usize,
        /// Why they were dropped.
        reason: DropReason,
    },
    /// An endpoint accepts no measurements for now: it can't be reached, refuses the credentials,
    /// requests a pause, or fails for more than one database. (A failure for one database is
    /// [`Retrying`](Self::Retrying).)
    #[non_exhaustive]
    EndpointDown {
        /// Base URL of the endpoint.
        url: String,
        /// The failure that opened its breaker.
        reason: Failure,
    },
    /// An endpoint accepts measurements again.
    #[non_exhaustive]
    EndpointUp {
        /// Base URL of the endpoint.
        url: String,
        /// Duration of the outage.
        after: Duration,
        /// Number of failed attempts.
        attempts: u32,
    },
    /// An endpoint, or one of its databases, can't be written until a setting is changed here or on
    /// the server: credentials, URL, a permission, a missing database. Pending measurements are
    /// kept.
    #[non_exhaustive]
    ConfigurationFault {
        /// Base URL of the endpoint.
        url: String,
        /// The database, if the fault concerns this database only.
        database: Option<Database>,
        /// The failure that showed the fault.
        reason: Failure,
    },
    /// The end of a [`ConfigurationFault`](Self::ConfigurationFault).
    #[non_exhaustive]
    ConfigurationMended {
        /// Base URL of the endpoint.
        url: String,
        /// The database, if the fault concerned this database only.
        database: Option<Database>,
        /// Duration of the fault.
        after: Duration,
    },
    /// Events were dropped here or soon after, because the subscriber was too slow, or an event was
    /// larger than its queue (8 MiB).
    #[non_exhaustive]
    Missed {
        /// Number of dropped events.
        events: u64,
    },
}

impl Event {
    /// Memory of the event, in bytes.
    pub(crate) fn size(&self) -> usize {
        let texts = match self {
            Self::Written { database, .. } | Self::Dropped { database, .. } => database.heap_size(),
            Self::Rejected {
                database,
                line,
                reason,
            } => database.heap_size() + line.capacity() + reason.message.capacity(),
            Self::Retrying {
                database, reason, ..
            } => database.heap_size() + reason.message.capacity(),
            Self::EndpointDown { url, reason } => url.capacity() + reason.message.capacity(),
            Self::EndpointUp { url, .. } => url.capacity(),
            Self::ConfigurationFault {
                url,
                database,
                reason,
            } => {
                let database = database.as_ref().map_or(0, Database::heap_size);
                url.capacity() + database + reason.message.capacity()
            }
            Self::ConfigurationMended { url, database, .. } => {
                url.capacity() + database.as_ref().map_or(0, Database::heap_size)
            }
            Self::Missed { .. } => 0,
        };
        size_of::<Self>() + texts
    }
}

impl actix::Message for Event {
    type Result = ();
}
