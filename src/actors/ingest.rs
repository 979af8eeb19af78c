//! Receives the messages that programs send to `addr()`, in front of the buffer actor.
//!
//! actix empties a mailbox before it polls anything else, so an actor flooded with messages runs no
//! timer and gets no other actor's messages. The ingest actor needs neither: it records
//! measurements into its thread buffer, like any other thread, and passes other messages to the
//! buffer actor, in order.
//!
//! | message | from | answer | on failure |
//! |---|---|---|---|
//! | [`Measurement`] | any actor | none | counted; logged if invalid |
//! | [`Deliver`] | any actor | how it ended | `Delivery::Dropped` |
//! | [`GetStats`] | any actor | the ledger | |
//! | [`Flush`], [`Shutdown`], [`Ping`], [`Update`], [`Subscribe`] | any actor | the buffer actor's | see there |
//! | [`Barrier`] | the buffer actor | when all earlier messages are handled | none, if the ingest actor has died |

use std::{fmt, sync::Arc, thread, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, MessageResult,
    ResponseFuture, WrapFuture as _,
};
use futures_channel::oneshot;

use super::{
    budget::Budget,
    buffer::BufferActor,
    log_limit::LogLimit,
    messages::{
        Deliver, Flush, GetStats, Ping, Shutdown, Subscribe, Update,
        internal::{Barrier, InOrder},
    },
};
use crate::{
    ConfigError, Delivery, DropReason, FlushReport, Measurement, PingError, ServerInfo,
    ShutdownReport, influx::shared::Shared, logging, stats::report::Ticket,
};

/// The actor that records measurements sent as messages, also named `BufferActor`. Its address is
/// [`Influx::addr`](crate::Influx::addr).
///
/// ```
/// use actix::Addr;
/// use actix_influxdb::{IngestActor, Measurement};
///
/// struct Sensor {
///     buffer: Addr<IngestActor>,
/// }
///
/// impl Sensor {
///     fn report(&self, celsius: f64) {
///         let reading = Measurement::new("example", "sensor").field("celsius", celsius);
///         self.buffer.do_send(reading);
///     }
/// }
/// # let _ = Sensor::report;
/// ```
pub struct IngestActor {
    shared: Arc<Shared>,
    buffer: Addr<BufferActor>,
    budget: Budget,
    /// Limits log lines of invalid measurements, whose errors reach no caller.
    invalid: LogLimit,
}

/// Mailbox size beyond which `try_send` fails.
const MAILBOX: usize = 1_024;

const INVALID_LINES: u32 = 5;
const INVALID_WINDOW: Duration = Duration::from_secs(10);

impl IngestActor {
    pub(super) fn new(shared: Arc<Shared>, buffer: Addr<BufferActor>) -> Self {
        Self {
            shared,
            buffer,
            budget: Budget::default(),
            invalid: LogLimit::new(INVALID_LINES, INVALID_WINDOW),
        }
    }

    fn record(&mut self, measurement: Measurement, ticket: Option<Ticket>) -> Option<Delivery> {
        let taken = self.shared.intake.take(measurement, ticket);
        let error = self.shared.recorded(taken).err()?;
        if error.is_invalid()
            && let Some(shown) = self.invalid.ask(actix_rt::time::Instant::now().into_std())
        {
            logging::error!("a measurement sent as a message was not recorded: {error}");
            if shown.held_back > 0 {
                logging::error!(
                    "{} more measurements sent as messages were not recorded",
                    shown.held_back
                );
            }
        }
        let reason = DropReason::of(error);
        Some(Delivery::Dropped { reason })
    }
}

impl fmt::Debug for IngestActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestActor").finish_non_exhaustive()
    }
}

impl Actor for IngestActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

/// Logs a panic: delivery continues, but the program's messages are lost.
impl Drop for IngestActor {
    fn drop(&mut self) {
        if thread::panicking() && self.shared.end().is_none() {
            logging::error!(
                "the actor behind `addr()` has panicked: measurements that are sent to it are lost \
                 from now on, recorded measurements are delivered as before"
            );
        }
    }
}

impl Handler<Measurement> for IngestActor {
    type Result = ();

    fn handle(&mut self, measurement: Measurement, context: &mut Self::Context) {
        self.budget.spend(context);
        self.record(measurement, None);
    }
}

impl Handler<Deliver> for IngestActor {
    type Result = ResponseFuture<Delivery>;

    fn handle(
        &mut self,
        Deliver(measurement): Deliver,
        context: &mut Self::Context,
    ) -> Self::Result {
        self.budget.spend(context);
        let (ticket, delivery) = Ticket::new();
        match self.record(measurement, Some(ticket)) {
            Some(dropped) => Box::pin(async { dropped }),
            None => Box::pin(delivery),
        }
    }
}

impl Handler<Barrier> for IngestActor {
    type Result = ();

    fn handle(&mut self, Barrier(passed): Barrier, context: &mut Self::Context) {
        self.budget.spend(context);
        // The buffer actor may have stopped waiting.
        _ = passed.send(());
    }
}

impl Handler<Flush> for IngestActor {
    type Result = ResponseFuture<FlushReport>;

    fn handle(&mut self, flush: Flush, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        let (report, shared) = (self.buffer.send(InOrder(flush)), Arc::clone(&self.shared));
        Box::pin(async move { report.await.unwrap_or_else(|_| shared.not_flushed()) })
    }
}

impl Handler<Shutdown> for IngestActor {
    type Result = ResponseFuture<ShutdownReport>;

    fn handle(&mut self, shutdown: Shutdown, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        let (report, shared) = (
            self.buffer.send(InOrder(shutdown)),
            Arc::clone(&self.shared),
        );
        Box::pin(async move { report.await.unwrap_or_else(|_| shared.not_shut_down()) })
    }
}

impl Handler<GetStats> for IngestActor {
    type Result = MessageResult<GetStats>;

    fn handle(&mut self, _: GetStats, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        MessageResult(self.shared.stats())
    }
}

impl Handler<Ping> for IngestActor {
    type Result = ResponseFuture<Result<ServerInfo, PingError>>;

    fn handle(&mut self, ping: Ping, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        let info = self.buffer.send(ping);
        Box::pin(async { info.await.unwrap_or(Err(PingError::Stopped)) })
    }
}

impl Handler<Update> for IngestActor {
    type Result = ResponseFuture<Result<(), ConfigError>>;

    /// Blocks other messages until the update is applied, so that it covers what is sent after it.
    fn handle(&mut self, update: Update, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        let (answer, result) = oneshot::channel();
        let applied = self.buffer.send(update).into_actor(self);
        context.wait(applied.map(|applied, _, _| {
            // The sender may be gone.
            _ = answer.send(applied.unwrap_or_else(|_| Err(not_applied())));
        }));
        Box::pin(async { result.await.unwrap_or_else(|_| Err(not_applied())) })
    }
}

impl Handler<Subscribe> for IngestActor {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, context: &mut Self::Context) {
        self.budget.spend(context);
        self.buffer.do_send(subscribe);
    }
}

fn not_applied() -> ConfigError {
    ConfigError::new("update", "sent too late", "a pipeline that has not ended")
}

#[cfg(test)]
mod tests;
