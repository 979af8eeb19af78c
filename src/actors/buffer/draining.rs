//! Drains the thread buffers: at the trigger size, or after the interval.

use std::{sync::Arc, time::Instant};

use actix::{AsyncContext as _, Context, SpawnHandle};

use super::BufferActor;
use crate::{actors::messages::internal::Wake, delivery::jitter::flush_after, ingest::wakeup::Due};

/// The timer for lines in the thread buffers.
#[derive(Debug)]
pub(super) struct Interval {
    began: Instant,
    /// Random number for the jitter, kept when the interval changes.
    jitter: f64,
    timer: SpawnHandle,
}

impl Interval {
    pub(super) fn began(&self) -> Instant {
        self.began
    }
}

impl BufferActor {
    pub(super) fn drain_if_due(&mut self, context: &mut Context<Self>) {
        match self.shared.intake.quota.due(&self.limits.limits) {
            Due::Drain => {
                self.drain(context);
                self.pump(context);
            }
            Due::Interval => self.arm_interval(context),
            Due::Nothing => {}
        }
        self.raise_alarms(context);
    }

    /// Drains the thread buffers into the backlog.
    pub(super) fn drain(&mut self, context: &mut Context<Self>) {
        self.stop_interval(context);
        self.alarms.clock_was_set_back();
        let now = self.now();
        let drained = self.shared.intake.drain();
        for (database, batch) in &drained {
            self.shared.health.admitted(database, batch.len());
        }
        match self.writes_ahead() {
            true => self.write_ahead(drained, context),
            false => drained
                .into_iter()
                .for_each(|(database, batch)| self.dispatcher.add(database, batch, now)),
        }
        self.make_room(context);
        match self
            .shared
            .intake
            .quota
            .due_after_drain(&self.limits.limits)
        {
            Due::Drain => context.notify(Wake),
            Due::Interval => self.arm_interval(context),
            Due::Nothing => {}
        }
    }

    /// Writes to disk or evicts what exceeds the limits on pending measurements.
    pub(super) fn make_room(&mut self, context: &mut Context<Self>) {
        if self.spool_overflow(context) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let now = self.now();
        while shared.intake.quota.is_over(&self.limits.limits) {
            let Some(evicted) = self.dispatcher.evict(self.config.overflow, now) else {
                break;
            };
            self.settle(evicted, None);
        }
    }

    /// Starts the interval with the first buffered measurement.
    fn arm_interval(&mut self, context: &mut Context<Self>) {
        if self.interval.is_none() {
            let now = self.now();
            self.start_interval((now, fastrand::f64()), context);
            self.publish_oldest(now);
        }
    }

    /// Starts the interval at `began`; `jitter` is a random number for the part of the jitter to
    /// add.
    pub(super) fn start_interval(
        &mut self,
        (began, jitter): (Instant, f64),
        context: &mut Context<Self>,
    ) {
        let ends = began + flush_after(self.drain_interval(), self.drain_jitter(), jitter);
        let left = ends.saturating_duration_since(self.now());
        let timer = context.run_later(left, |buffer, context| {
            buffer.interval = None;
            buffer.drain(context);
            buffer.pump(context);
            buffer.raise_alarms(context);
        });
        self.interval = Some(Interval {
            began,
            jitter,
            timer,
        });
    }

    pub(super) fn stop_interval(&mut self, context: &mut Context<Self>) -> Option<(Instant, f64)> {
        let interval = self.interval.take()?;
        context.cancel_future(interval.timer);
        Some((interval.began, interval.jitter))
    }
}
