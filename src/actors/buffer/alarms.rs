//! Warnings about a full buffer, losses, and a system clock that was set back.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context};

use super::BufferActor;
use crate::{logging, point::clock::ClockWatch};

/// Minimum time between warnings that the buffer fills.
const WARN_EVERY: Duration = Duration::from_secs(120);

/// Losses are logged at once, then summed up at this interval.
const LOSSES_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Alarms {
    warned: Option<Instant>,
    /// Total losses when last logged.
    reported: u64,
    reports_losses: bool,
    clock: ClockWatch,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            warned: None,
            reported: 0,
            reports_losses: false,
            clock: ClockWatch::start(),
        }
    }
}

impl Alarms {
    /// Logs a warning if the system clock was set back. Returns whether it was.
    pub(super) fn clock_was_set_back(&mut self) -> bool {
        let step = self.clock.step_back();
        if let Some(step) = step {
            logging::warning!(
                "the system clock was set back by {step:.1?}, and timestamps follow it: points \
                 recorded before it has caught up may overwrite earlier ones"
            );
        }
        step.is_some()
    }

    /// Whether the threshold is reached and the last warning is old enough.
    fn warns(&mut self, pending: usize, threshold: usize, now: Instant) -> bool {
        let is_quiet = |warned| now.saturating_duration_since(warned) >= WARN_EVERY;
        let warns = pending >= threshold && self.warned.is_none_or(is_quiet);
        if warns {
            self.warned = Some(now);
        }
        warns
    }
}

impl BufferActor {
    pub(super) fn raise_alarms(&mut self, context: &mut Context<Self>) {
        let (now, pending) = (self.now(), self.shared.intake.quota.lines());
        if self.alarms.warns(pending, self.config.warn_at(), now) {
            let limit = self.config.max_buffer_size;
            logging::warning!(
                "{pending} measurements are pending, of at most {limit} (max_buffer_size)"
            );
        }
        for exceeded in self.shared.intake.cardinality.take_exceeded() {
            logging::warning!("{exceeded}");
        }
        if !self.alarms.reports_losses {
            self.report_losses(context);
        }
    }

    /// Logs losses, and checks again after [`LOSSES_EVERY`].
    fn report_losses(&mut self, context: &mut Context<Self>) {
        self.alarms.reports_losses = self.shared.intake.quota.take_lost();
        if self.alarms.reports_losses {
            let stats = self.shared.intake.stats();
            let lost = stats.dropped.buffer_full + stats.dropped.overflow;
            let since = lost - std::mem::replace(&mut self.alarms.reported, lost);
            let (lines, bytes) = (self.config.max_buffer_size, self.config.max_buffer_bytes);
            logging::error!(
                "the buffer is full (max_buffer_size {lines}, max_buffer_bytes {bytes}): \
                 {since} measurements lost, {lost} in total"
            );
            context.run_later(LOSSES_EVERY, |buffer, context| {
                buffer.report_losses(context)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::clock::tests::set_clock_ahead;

    #[test]
    fn a_clock_that_is_set_back_is_told_of_once() {
        let mut alarms = Alarms::default();
        assert!(!alarms.clock_was_set_back());
        set_clock_ahead(-3_600);
        assert!(alarms.clock_was_set_back());
        assert!(!alarms.clock_was_set_back());
        set_clock_ahead(0);
        assert!(!alarms.clock_was_set_back());
    }

    #[test]
    fn the_warning_is_given_at_the_threshold_and_not_again_for_2_minutes() {
        let mut alarms = Alarms::default();
        let now = Instant::now();
        let minutes = |minutes: u64| now + Duration::from_secs(60 * minutes);
        assert!(!alarms.warns(59, 60, now));
        assert!(alarms.warns(60, 60, now));
        assert!(!alarms.warns(100, 60, minutes(1)));
        assert!(alarms.warns(100, 60, minutes(2)));
        assert!(!alarms.warns(59, 60, minutes(9)));
    }
}
