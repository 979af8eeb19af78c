//! Lets a flush or shutdown by the handle cover earlier messages to `addr()`.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, ResponseFuture, WrapFuture as _};
use futures_channel::oneshot;

use super::BufferActor;
use crate::{FlushReport, ShutdownReport, actors::messages::internal::Barrier};

/// Fraction of the timeout spent on earlier messages; a flood may take longer.
const FRACTION: u32 = 4;

/// A delay too short to subtract from the timeout.
const NEGLIGIBLE: Duration = Duration::from_millis(10);

fn left(timeout: Duration, passed: Duration) -> Duration {
    match passed < NEGLIGIBLE {
        true => timeout,
        false => timeout.saturating_sub(passed),
    }
}

impl BufferActor {
    pub(super) fn flush_after_ingest(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> ResponseFuture<FlushReport> {
        let (answer, report) = oneshot::channel();
        let (began, shared) = (self.now(), Arc::clone(&self.shared));
        self.after_ingest(timeout / FRACTION, context, move |buffer, context| {
            let left = left(timeout, buffer.now() - began);
            // The caller may be gone.
            _ = answer.send(buffer.flush(left, context));
        });
        Box::pin(async move {
            match report.await {
                Ok(report) => report.await.ok(),
                Err(_) => None,
            }
            .unwrap_or_else(|| shared.not_flushed())
        })
    }

    pub(super) fn shut_down_after_ingest(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> ResponseFuture<ShutdownReport> {
        let (answer, report) = oneshot::channel();
        let (began, shared) = (self.now(), Arc::clone(&self.shared));
        self.after_ingest(timeout / FRACTION, context, move |buffer, context| {
            let left = left(timeout, buffer.now() - began);
            _ = answer.send(buffer.shut_down(left, context));
        });
        Box::pin(async move {
            match report.await {
                Ok(report) => report.await.ok(),
                Err(_) => None,
            }
            .unwrap_or_else(|| shared.not_shut_down())
        })
    }

    /// Calls `then` when the ingest actor has handled all earlier messages, or after `limit`.
    pub(super) fn after_ingest(
        &mut self,
        limit: Duration,
        context: &mut Context<Self>,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) {
        let Some(ingest) = &self.ingest else {
            return then(self, context);
        };
        let (passed, is_passed) = oneshot::channel();
        // Not `send`, which waits if the mailbox is full.
        ingest.do_send(Barrier(passed));
        let is_passed = actix_rt::time::timeout(limit, is_passed);
        let then = is_passed
            .into_actor(self)
            .map(|_, buffer, context| then(buffer, context));
        context.spawn(then);
    }
}
