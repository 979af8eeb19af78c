//! Messages for [`Influx::addr`](crate::Influx::addr), one for each method of
//! [`Influx`](crate::Influx). A [`Measurement`] is a message too.
//!
//! ```
//! use std::time::Duration;
//!
//! use actix_influxdb::{Influx, Measurement, messages};
//!
//! async fn record_and_flush(influx: &Influx) -> Result<(), actix::MailboxError> {
//!     let buffer = influx.addr();
//!     buffer.do_send(Measurement::new("example", "login").field("ms", 12.5));
//!     let report = buffer.send(messages::Flush { timeout: Duration::from_secs(5) }).await?;
//!     println!("{report}");
//!     Ok(())
//! }
//! # let _ = record_and_flush;
//! ```

pub(crate) mod internal;

use std::{fmt, time::Duration};

use actix::{Message, Recipient};

use crate::{
    Config, ConfigError, Delivery, Event, FlushReport, Measurement, PingError, ServerInfo,
    ShutdownReport, Stats,
    influx::update_lock::{self, LockId},
};

/// Records a measurement. Answered when it has ended: see
/// [`Influx::deliver`](crate::Influx::deliver).
///
/// ```
/// # use actix_influxdb::{Delivery, Influx, Measurement, messages::Deliver};
/// # async fn deliver(influx: &Influx, order: Measurement) -> Result<bool, actix::MailboxError> {
/// Ok(influx.addr().send(Deliver(order)).await? == Delivery::Written)
/// # }
/// ```
#[derive(Debug, Message)]
#[rtype(result = "Delivery")]
pub struct Deliver(pub Measurement);

/// Sends all pending measurements. Answered when everything recorded before the message has ended,
/// or after `timeout`. See [`Influx::flush`](crate::Influx::flush).
///
/// ```
/// # use std::time::Duration;
/// # use actix_influxdb::{Influx, messages::Flush};
/// # async fn flush(influx: &Influx) -> Result<bool, actix::MailboxError> {
/// let timeout = Duration::from_secs(5);
/// Ok(influx.addr().send(Flush { timeout }).await?.is_complete())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "FlushReport")]
pub struct Flush {
    /// Maximum time before the answer.
    pub timeout: Duration,
}

/// Stops recording, sends all pending measurements, and ends. Answered when everything has ended,
/// or after `timeout`. See [`Influx::shutdown`](crate::Influx::shutdown).
///
/// ```
/// # use std::time::Duration;
/// # use actix_influxdb::{Influx, messages::Shutdown};
/// # async fn shutdown(influx: &Influx) -> Result<bool, actix::MailboxError> {
/// let timeout = Duration::from_secs(10);
/// Ok(influx.addr().send(Shutdown { timeout }).await?.is_complete())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ShutdownReport")]
pub struct Shutdown {
    /// Maximum time before the answer.
    pub timeout: Duration,
}

/// Answered with a snapshot of the ledger. See [`Influx::stats`](crate::Influx::stats).
///
/// ```
/// # use actix_influxdb::{Influx, messages::GetStats};
/// # async fn pending(influx: &Influx) -> Result<u64, actix::MailboxError> {
/// Ok(influx.addr().send(GetStats).await?.pending)
/// # }
/// ```
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Stats")]
pub struct GetStats;

/// Asks the server for its version. See [`Influx::ping`](crate::Influx::ping).
///
/// ```
/// # use actix_influxdb::{Influx, messages::Ping};
/// # async fn is_there(influx: &Influx) -> Result<bool, actix::MailboxError> {
/// Ok(influx.addr().send(Ping).await?.is_ok())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<ServerInfo, PingError>")]
pub struct Ping;

/// Changes settings. See [`Influx::update`](crate::Influx::update).
///
/// ```
/// # use actix_influxdb::{Influx, messages::Update};
/// # async fn slow_down(influx: &Influx) -> Result<bool, actix::MailboxError> {
/// let update = Update::new(|config| config.max_clients(1));
/// Ok(influx.addr().send(update).await?.is_ok())
/// # }
/// ```
#[derive(Message)]
#[rtype(result = "Result<(), ConfigError>")]
pub struct Update {
    pub(crate) change: Box<dyn FnOnce(Config) -> Config + Send>,
    /// The updates in whose closures this one was made: they may be waiting for its answer.
    pub(crate) held_locks: Vec<LockId>,
}

impl Update {
    /// Creates an update that applies `change` to the configuration. Within the closure of another
    /// update, it is answered with an error.
    pub fn new(change: impl FnOnce(Config) -> Config + Send + 'static) -> Self {
        Self {
            change: Box::new(change),
            held_locks: update_lock::held_here(),
        }
    }
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").finish_non_exhaustive()
    }
}

/// Subscribes the recipient to all events from now on. See
/// [`Influx::subscribe`](crate::Influx::subscribe).
///
/// ```
/// # use actix::Recipient;
/// # use actix_influxdb::{Event, Influx, messages::Subscribe};
/// # fn subscribe(influx: &Influx, subscriber: Recipient<Event>) {
/// influx.addr().do_send(Subscribe(subscriber));
/// # }
/// ```
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe(pub Recipient<Event>);
