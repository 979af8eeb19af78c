use std::{fmt, time::Duration};

use actix::{Message, Recipient};

use crate::{
    Config, ConfigError, Database, Delivery, Event, FlushReport, Measurement, PingError,
    ServerInfo, ShutdownReport, Stats,
    delivery::{
        backlog::LoanId,
        contacts::Contact,
        isolation::Named,
        verdict::{Refusal, Verdict},
    },
    influx::turn::{self, TurnId},
};

/// Record this measurement, and say what became of it. See
/// [`Influx::deliver`](crate::Influx::deliver).
#[derive(Debug, Message)]
#[rtype(result = "Delivery")]
pub struct Deliver(pub Measurement);

/// Send all that is pending. The answer comes when everything that was recorded before is settled,
/// or when `timeout` has passed. See [`Influx::flush`](crate::Influx::flush).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "FlushReport")]
pub struct Flush {
    /// How long to wait.
    pub timeout: Duration,
}

/// Take nothing more, send all that is pending, and end. The answer comes when everything is
/// settled, or when `timeout` has passed. See [`Influx::shutdown`](crate::Influx::shutdown).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ShutdownReport")]
pub struct Shutdown {
    /// How long to wait.
    pub timeout: Duration,
}

/// Take a snapshot of the ledger. See [`Influx::stats`](crate::Influx::stats).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Stats")]
pub struct GetStats;

/// Ask the server whether it is there. See [`Influx::ping`](crate::Influx::ping).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<ServerInfo, PingError>")]
pub struct Ping;

/// Change settings. See [`Influx::update`](crate::Influx::update).
#[derive(Message)]
#[rtype(result = "Result<(), ConfigError>")]
pub struct Update {
    pub(super) change: Box<dyn FnOnce(Config) -> Config + Send>,
    /// The updates that were under way where this one was made: it can't have its turn inside of
    /// one of them, and whoever made it may wait for the answer.
    pub(super) inside: Vec<TurnId>,
}

impl Update {
    /// Applies `change` to the configuration. One that is made inside of the closure of another
    /// update is answered with an error.
    pub fn new(change: impl FnOnce(Config) -> Config + Send + 'static) -> Self {
        Self {
            change: Box::new(change),
            inside: turn::taken_here(),
        }
    }
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").finish_non_exhaustive()
    }
}

/// Send all events to this subscriber. See [`Influx::subscribe`](crate::Influx::subscribe).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe(pub Recipient<Event>);

/// Flush or shut down; what was to come before has been taken.
#[derive(Debug)]
pub(crate) struct InOrder<M>(pub(crate) M);

impl<M: Message> Message for InOrder<M> {
    type Result = M::Result;
}

/// From a recording thread: ask what is due.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

/// From the handle: the configuration has been changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reconfigure;

/// From a writer: what came of a POST.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Returned {
    pub(crate) loan: LoanId,
    pub(crate) writer: usize,
    pub(crate) contact: Contact,
    /// Was there an answer with another status than the one that all servers have for success?
    pub(crate) is_unusual: bool,
    pub(crate) verdict: Verdict,
}

/// From the replay actor: what a refusal names of its batch. Nothing, if it died over it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Isolated {
    pub(crate) loan: LoanId,
    pub(crate) found: Option<(Named, Refusal)>,
}

/// To itself: what came of creating a database.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Created {
    pub(super) database: Database,
    pub(super) result: Result<(), String>,
    /// Was it the first attempt since the database was found missing?
    pub(super) is_first: bool,
}

/// To itself: what an endpoint answered to a ping.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Pinged {
    pub(super) result: Result<ServerInfo, PingError>,
}

/// To itself: everything is answered, end the thread.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct End;
