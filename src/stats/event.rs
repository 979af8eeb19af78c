use std::time::Duration;

use crate::Database;

/// What happens to measurements and endpoints, for those who [subscribe](crate::Influx::subscribe).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server has stored them.
    Written {
        /// Their database.
        database: Database,
        /// How many.
        measurements: usize,
    },
    /// The server has said that it will not store this one.
    Rejected {
        /// Its database.
        database: Database,
        /// The measurement in line protocol, without the `\n` at its end.
        line: String,
        /// In the server's words.
        reason: String,
    },
    /// They could not be delivered, and will be sent again.
    Retrying {
        /// Their database.
        database: Database,
        /// How many.
        measurements: usize,
        /// What went wrong.
        reason: String,
    },
    /// They were pending, and were given up. What is refused when it is recorded is not told here,
    /// but to its caller and in [`Stats::dropped`](crate::Stats::dropped).
    Dropped {
        /// Their database.
        database: Database,
        /// How many.
        measurements: usize,
        /// Why.
        reason: DropReason,
    },
    /// The server does not take measurements, for now: it can't be reached, refuses the
    /// credentials, asks for a pause, or fails for more than one database. (A failure for one
    /// database is [`Retrying`](Self::Retrying).)
    EndpointDown {
        /// Its base URL.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The server takes measurements again.
    EndpointUp {
        /// Its base URL.
        url: String,
        /// How long it did not.
        after: Duration,
        /// How many attempts failed.
        attempts: u32,
    },
    /// The endpoint, or one of its databases, can't be written before somebody changes a setting
    /// here or there: the credentials, the URL, a right, a database that is missing. What is pending
    /// is kept.
    ConfigurationFault {
        /// Its base URL.
        url: String,
        /// The database, if the fault is its own.
        database: Option<Database>,
        /// What went wrong.
        reason: String,
    },
    /// A [`ConfigurationFault`](Self::ConfigurationFault) is over.
    ConfigurationMended {
        /// Its base URL.
        url: String,
        /// The database, if the fault was its own.
        database: Option<Database>,
        /// How long it lasted.
        after: Duration,
    },
    /// The subscriber was too slow, or an event too large to wait for it (8 MiB): this many events
    /// were left out here or soon after.
    Missed {
        /// How many.
        events: u64,
    },
}

impl Event {
    /// What it takes in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let texts = match self {
            Self::Written { database, .. } | Self::Dropped { database, .. } => database.heap_size(),
            Self::Rejected {
                database,
                line,
                reason,
            } => database.heap_size() + line.capacity() + reason.capacity(),
            Self::Retrying {
                database, reason, ..
            } => database.heap_size() + reason.capacity(),
            Self::EndpointDown { url, reason } => url.capacity() + reason.capacity(),
            Self::EndpointUp { url, .. } => url.capacity(),
            Self::ConfigurationFault {
                url,
                database,
                reason,
            } => {
                let database = database.as_ref().map_or(0, Database::heap_size);
                url.capacity() + database + reason.capacity()
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

/// Why pending measurements were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum DropReason {
    /// The batch was not drawn: see [`Config::sample_probability`](crate::Config::sample_probability).
    #[display("its batch was not drawn for sending (sample_probability)")]
    Sampled,
    /// The buffer was full: see [`Config::overflow`](crate::Config::overflow).
    #[display("the buffer was full, and others had more right to the room (overflow)")]
    Overflow,
    /// It was older than [`Config::max_age`](crate::Config::max_age).
    #[display("it was older than what is still worth sending (max_age)")]
    Expired,
    /// The time for shutdown had passed.
    #[display("it was not delivered before the time for shutdown had passed")]
    Undelivered,
}
