use std::time::{Duration, Instant};

use super::system_nanoseconds;

/// Notices that the system's clock was set back, by the clock that only goes on.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    system: i64,
    monotonic: Instant,
}

/// From here on it is told of: stamps follow from here on too.
const STEP: Duration = Duration::from_secs(1);

/// Clocks are slowed down by less than this part of the time: that is no step.
const SLEW_PART: u32 = 1_000;

impl ClockWatch {
    pub(crate) fn start() -> Self {
        Self {
            system: system_nanoseconds(),
            monotonic: Instant::now(),
        }
    }

    /// By how much the system's clock was set back since the last call, if that is worth a word.
    pub(crate) fn step_back(&mut self) -> Option<Duration> {
        self.step_back_at(system_nanoseconds(), Instant::now())
    }

    fn step_back_at(&mut self, system: i64, monotonic: Instant) -> Option<Duration> {
        let elapsed = monotonic.saturating_duration_since(self.monotonic);
        let gone_back = i128::from(self.system) - i128::from(system);
        let behind = i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX) + gone_back;
        *self = Self { system, monotonic };
        let behind = Duration::from_nanos(u64::try_from(behind).ok()?);
        (behind > STEP + elapsed / SLEW_PART).then_some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// What is noticed when the clock shows `to` after so many seconds.
    fn noticed(seconds: u64, to: i64) -> Option<u64> {
        let monotonic = Instant::now();
        let mut watch = ClockWatch {
            system: 0,
            monotonic,
        };
        let step = watch.step_back_at(to, monotonic + Duration::from_secs(seconds));
        assert_eq!(watch.system, to);
        step.map(|step| step.as_secs())
    }

    #[test]
    fn a_clock_that_goes_on_or_is_set_forward_is_not_noticed() {
        assert_eq!(noticed(0, 0), None);
        assert_eq!(noticed(10, 10 * SECOND), None);
        assert_eq!(noticed(10, 9_500_000_000), None);
        assert_eq!(noticed(10, 3_600 * SECOND), None);
        assert_eq!(noticed(0, i64::MAX), None);
    }

    #[test]
    fn a_clock_that_is_set_back_by_more_than_a_second_is_noticed_once() {
        assert_eq!(noticed(0, -2 * SECOND), Some(2));
        assert_eq!(noticed(10, -3_600 * SECOND), Some(3_610));
        assert_eq!(noticed(5_000, 1_000 * SECOND), Some(4_000));
        assert_eq!(noticed(0, i64::MIN), Some(i64::MAX as u64 / SECOND as u64));
        let mut watch = ClockWatch::start();
        super::super::tests::set_clock_ahead(-3_600);
        assert!(watch.step_back().is_some());
        assert_eq!(watch.step_back(), None);
    }

    #[test]
    fn a_clock_that_is_slowed_down_is_not_noticed_however_long_that_takes() {
        // By 500 parts per million, the most that is usual.
        let day = 24 * 3_600;
        assert_eq!(noticed(day, (day as i64 - 43) * SECOND), None);
    }
}
