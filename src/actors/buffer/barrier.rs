//! Makes the handle's flush and shutdown cover messages that were sent to `addr()` before.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, ResponseFuture, WrapFuture as _};
use futures_channel::oneshot;

use super::BufferActor;
use crate::{FlushReport, ShutdownReport, actors::messages::internal::Barrier};

/// Part of the timeout that is spent on messages sent before: a flood may take longer.
const PART: u32 = 4;

/// A delay that is not subtracted from the timeout.
const USUAL: Duration = Duration::from_millis(10);

fn left(timeout: Duration, passed: Duration) -> Duration {
    match passed < USUAL {
        true => timeout,
        false => timeout.saturating_sub(passed),
    }
}

impl BufferActor {
    pub(super) fn flush_behind_ingest(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> ResponseFuture<FlushReport> {
        let (answer, report) = oneshot::channel();
        let (began, shared) = (self.now(), Arc::clone(&self.shared));
        self.behind_ingest(timeout / PART, context, move |buffer, context| {
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

    pub(super) fn shut_down_behind_ingest(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> ResponseFuture<ShutdownReport> {
        let (answer, report) = oneshot::channel();
        let (began, shared) = (self.now(), Arc::clone(&self.shared));
        self.behind_ingest(timeout / PART, context, move |buffer, context| {
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

    /// Calls `go_on` when the ingest actor has handled all earlier messages, or when `limit` has passed.
    pub(super) fn behind_ingest(
        &mut self,
        limit: Duration,
        context: &mut Context<Self>,
        go_on: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) {
        let Some(ingest) = &self.ingest else {
            return go_on(self, context);
        };
        let (passed, is_passed) = oneshot::channel();
        // Not `send`: that waits where the mailbox is full.
        ingest.do_send(Barrier(passed));
        let is_passed = actix_rt::time::timeout(limit, is_passed);
        let go_on = is_passed
            .into_actor(self)
            .map(|_, buffer, context| go_on(buffer, context));
        context.spawn(go_on);
    }
}
