//! Empties the trays: when enough waits there, or long enough.

use std::{sync::Arc, time::Instant};

use actix::{AsyncContext as _, Context, SpawnHandle};

use super::{BufferActor, Wake};
use crate::Database;

/// A timer for what waits in the trays.
#[derive(Debug)]
pub(super) struct Interval {
    began: Instant,
    timer: SpawnHandle,
}

impl BufferActor {
    pub(super) fn look(&mut self, context: &mut Context<Self>) {
        let gauge = &self.shared.intake.gauge;
        if gauge.triggers(&self.limits) || gauge.is_full(&self.limits) {
            self.drain(context);
            self.pump(context);
        } else {
            self.arm_interval(context);
        }
        self.raise_alarms(context);
    }

    /// While many measurements come as messages, [`Wake`] waits behind them.
    pub(super) fn look_if_triggered(&mut self, context: &mut Context<Self>) {
        if self.shared.intake.gauge.triggers(&self.limits) {
            self.look(context);
        }
    }

    /// Empties the trays. What comes out is due.
    pub(super) fn drain(&mut self, context: &mut Context<Self>) {
        self.stop_interval(context);
        let now = self.now();
        let drained = self.shared.intake.drain();
        for (database, batch) in drained {
            self.shared.health.admitted(&database, batch.len());
            self.dispatcher.add(database, batch, now);
        }
        self.make_room();
        // What came meanwhile may have passed the trigger size, and nobody else would look.
        match self.shared.intake.gauge.triggers(&self.limits) {
            true => context.notify(Wake),
            false => self.arm_interval(context),
        }
    }

    /// Gives up what is more than may be pending, and tells callers who may go on when it is full.
    fn make_room(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (intake, now) = (&shared.intake, self.now());
        while intake.gauge.is_over(&self.limits) {
            let Some(evicted) = self.dispatcher.evict(self.config.overflow, now) else {
                break;
            };
            self.settle(evicted);
        }
        let backlog = self.dispatcher.backlog();
        let pending = |database: &Database| backlog.pending(database);
        intake.shares.update(self.config.max_buffer_size, pending);
    }

    /// The first measurement that waits starts the interval.
    fn arm_interval(&mut self, context: &mut Context<Self>) {
        if self.interval.is_none() && self.shared.intake.gauge.waiting() > 0 {
            self.start_interval(self.now(), context);
        }
    }

    pub(super) fn start_interval(&mut self, began: Instant, context: &mut Context<Self>) {
        let ends = began + self.config.interval;
        let left = ends.saturating_duration_since(self.now());
        let timer = context.run_later(left, |buffer, context| {
            buffer.interval = None;
            buffer.drain(context);
            buffer.pump(context);
            buffer.raise_alarms(context);
        });
        self.interval = Some(Interval { began, timer });
    }

    pub(super) fn stop_interval(&mut self, context: &mut Context<Self>) -> Option<Instant> {
        let interval = self.interval.take()?;
        context.cancel_future(interval.timer);
        Some(interval.began)
    }
}
