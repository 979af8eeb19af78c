//! Circuit breaker with exponential backoff. Pure: time and random numbers are arguments.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Upper bound of the first delay; doubles with every failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// Minimum delay, whatever the jitter.
const MIN_DELAY: Duration = Duration::from_millis(25);

/// Closed, open until a time, or half-open with a single batch in flight as the probe.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: State,
    /// Results of requests that were sent before it last opened are ignored.
    open_count: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
        outage: Outage,
    },
    HalfOpen {
        outage: Outage,
    },
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    attempts: u32,
    delays: ExponentialBackoff,
}

/// Number of times that the breaker had opened when a request was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenCount(u64);

/// The end of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Time that the breaker was open.
    pub(crate) after: Duration,
    /// Number of failed attempts.
    pub(crate) attempts: u32,
}

/// What a failure does to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    Opened,
    OpenedAgain,
}

/// The inputs of a breaker's backoff.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) now: Instant,
    /// In [0, 1).
    pub(crate) random: f64,
    pub(crate) max_delay: Duration,
    /// From the header `Retry-After`.
    pub(crate) not_before: Option<Duration>,
}

impl Breaker {
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether a request may be sent.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        match &self.state {
            State::Closed => true,
            State::Open { until, .. } => *until <= now,
            State::HalfOpen { .. } => false,
        }
    }

    /// When it becomes half-open, if it is open.
    pub(crate) fn until(&self) -> Option<Instant> {
        match &self.state {
            State::Open { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Notes that a request is sent; the probe, if the breaker is open.
    pub(crate) fn send(&mut self) -> OpenCount {
        self.state = match std::mem::take(&mut self.state) {
            State::Open { outage, .. } => State::HalfOpen { outage },
            other => other,
        };
        OpenCount(self.open_count)
    }

    /// Handles a failed request. Has no effect if the request was sent before the breaker last
    /// opened.
    pub(crate) fn fail(&mut self, open_count: OpenCount, failure: Failure) -> Effect {
        if open_count.0 != self.open_count {
            return Effect::None;
        }
        let Failure {
            now,
            random,
            max_delay,
            not_before,
        } = failure;
        let opens = self.is_closed();
        let mut outage = match std::mem::take(&mut self.state) {
            State::Open { outage, .. } | State::HalfOpen { outage } => outage,
            State::Closed => Outage {
                since: now,
                attempts: 0,
                delays: ExponentialBuilder::default()
                    .with_min_delay(FIRST_DELAY.min(max_delay))
                    .with_max_delay(max_delay)
                    .without_max_times()
                    .build(),
            },
        };
        self.open_count += 1;
        outage.attempts += 1;
        // Full jitter, so that clients that lost a server together don't return together.
        let delay = outage.delays.next().unwrap_or(max_delay);
        let delay = delay.min(max_delay).mul_f64(random);
        let delay = delay.max(MIN_DELAY).max(not_before.unwrap_or_default());
        self.state = State::Open {
            until: now + delay,
            outage,
        };
        match opens {
            true => Effect::Opened,
            false => Effect::OpenedAgain,
        }
    }

    /// Handles a successful request. Returns the recovery if this closed the breaker.
    pub(crate) fn succeed(&mut self, open_count: OpenCount, now: Instant) -> Option<Recovery> {
        if open_count.0 != self.open_count {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Closed => None,
            State::Open { outage, .. } | State::HalfOpen { outage } => Some(Recovery {
                after: now.saturating_duration_since(outage.since),
                attempts: outage.attempts,
            }),
        }
    }

    /// Allows the next probe at once: this one ended without saying anything of the server.
    pub(crate) fn abandon(&mut self, open_count: OpenCount, now: Instant) {
        if open_count.0 != self.open_count {
            return;
        }
        self.state = match std::mem::take(&mut self.state) {
            State::HalfOpen { outage } => State::Open { until: now, outage },
            other => other,
        };
    }

    /// The current open count, for a request that is not the probe.
    pub(crate) fn open_count(&self) -> OpenCount {
        OpenCount(self.open_count)
    }

    /// When the outage began, and how many attempts have failed since.
    pub(crate) fn outage(&self) -> Option<(Instant, u32)> {
        match &self.state {
            State::Closed => None,
            State::Open { outage, .. } | State::HalfOpen { outage } => {
                Some((outage.since, outage.attempts))
            }
        }
    }

    /// Allows a probe at once, after a change of credentials or before shutdown.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(4);

    fn failure(now: Instant, random: f64) -> Failure {
        Failure {
            now,
            random,
            max_delay: MAX,
            not_before: None,
        }
    }

    /// Fails a probe at `now`. Returns how long the breaker is open.
    fn delay_after(breaker: &mut Breaker, now: Instant, random: f64) -> Duration {
        let open_count = breaker.send();
        breaker.fail(open_count, failure(now, random));
        breaker.until().unwrap() - now
    }

    #[test]
    fn delays_double_up_to_the_limit_and_the_jitter_covers_them_whole() {
        let (mut full, mut half) = (Breaker::default(), Breaker::default());
        let now = Instant::now();
        let seconds = [0.5, 1.0, 2.0, 4.0, 4.0, 4.0];
        for wanted in seconds {
            let wanted = Duration::from_secs_f64(wanted);
            assert_eq!(delay_after(&mut full, now, 1.0), wanted);
            assert_eq!(delay_after(&mut half, now, 0.5), wanted / 2);
        }
    }

    #[test]
    fn a_shorter_limit_holds_for_an_outage_in_progress() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..5 {
            delay_after(&mut breaker, now, 1.0);
        }
        let max_delay = Duration::from_millis(100);
        let open_count = breaker.send();
        let limited = Failure {
            max_delay,
            ..failure(now, 1.0)
        };
        breaker.fail(open_count, limited);
        assert_eq!(breaker.until(), Some(now + max_delay));
    }

    #[test]
    fn nothing_is_tried_again_in_a_hot_loop_however_the_jitter_falls() {
        assert_eq!(
            delay_after(&mut Breaker::default(), Instant::now(), 0.0),
            MIN_DELAY
        );
    }

    #[test]
    fn nothing_is_tried_before_the_server_wants_it() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        let open_count = breaker.send();
        let asked = Duration::from_secs(30);
        let not_before = Some(asked);
        breaker.fail(
            open_count,
            Failure {
                not_before,
                ..failure(now, 0.0)
            },
        );
        assert_eq!(breaker.until(), Some(now + asked));
    }

    #[test]
    fn a_half_open_breaker_lets_one_probe_through() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        delay_after(&mut breaker, now, 1.0);
        assert!(!breaker.allows(now));
        let later = now + MAX;
        assert!(breaker.allows(later));
        let probe = breaker.send();
        assert!(!breaker.allows(later));
        let recovery = breaker.succeed(probe, later);
        let attempts = 1;
        let after = MAX;
        assert_eq!(recovery, Some(Recovery { after, attempts }));
        assert!(breaker.is_closed() && breaker.allows(later));
    }

    #[test]
    fn many_posts_that_fail_together_count_as_one_failure() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        let [a, b, c] = [breaker.send(), breaker.send(), breaker.send()];
        assert_eq!(breaker.fail(a, failure(now, 1.0)), Effect::Opened);
        assert_eq!(breaker.fail(b, failure(now, 1.0)), Effect::None);
        assert_eq!(breaker.succeed(c, now), None, "it was sent before");
        assert_eq!(breaker.until(), Some(now + FIRST_DELAY));
    }

    #[test]
    fn an_outage_lasts_since_its_first_failure_and_counts_them_all() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        assert_eq!(breaker.outage(), None);
        delay_after(&mut breaker, now, 1.0);
        delay_after(&mut breaker, now + MAX, 1.0);
        assert_eq!(breaker.outage(), Some((now, 2)));
    }

    #[test]
    fn a_change_makes_an_open_breaker_try_at_once() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        delay_after(&mut breaker, now, 1.0);
        breaker.retry_now(now);
        assert!(breaker.allows(now));
    }
}
