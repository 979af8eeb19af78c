mod hands;
#[cfg(feature = "middleware")]
pub(crate) mod stopwatch;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::hands::{HAND, SHARED};

/// A point in time as InfluxDB keeps it: whole nanoseconds since 1970-01-01 00:00 UTC.
///
/// Converts from those nanoseconds as an [`i64`], and from a [`SystemTime`]. What InfluxDB can't
/// store (it takes ±9,223,372,036,854,775,806) is an error when the measurement is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub(crate) i64);

impl Timestamp {
    /// This instant, by a clock that never gives one value twice in a process.
    ///
    /// InfluxDB overwrites a point that has the series and the timestamp of an earlier one. So two
    /// requests of one route must not share a stamp, even if the system's clock stood still or was
    /// set back between them: such a stamp is 64 nanoseconds after the last one of its thread.
    /// Else a stamp is up to 127 nanoseconds after the system's time.
    #[inline]
    pub fn now() -> Self {
        let now = system_nanoseconds();
        let own = HAND.try_with(|hand| hand.as_ref().map(|hand| hand.next(now)));
        Self(own.ok().flatten().unwrap_or_else(|| SHARED.next(now)))
    }

    /// Nanoseconds since 1970-01-01 00:00 UTC.
    pub fn nanoseconds(self) -> i64 {
        self.0
    }

    /// Is this in the range that InfluxDB stores? (seen on 1.6.7: both ends of `i64` are refused)
    #[inline]
    pub(crate) fn is_storable(self) -> bool {
        self.0 > i64::MIN + 1 && self.0 < i64::MAX
    }
}

impl From<i64> for Timestamp {
    fn from(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(nanoseconds_of(time))
    }
}

fn nanoseconds_of(time: SystemTime) -> i64 {
    let nanoseconds = |duration: Duration| {
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let nanoseconds = seconds.saturating_mul(1_000_000_000);
        nanoseconds.saturating_add(duration.subsec_nanos().into())
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => nanoseconds(since),
        Err(before) => -nanoseconds(before.duration()),
    }
}

/// The clock of [`SystemTime`], where possible without its detours.
#[inline]
fn system_nanoseconds() -> i64 {
    #[cfg(all(unix, target_pointer_width = "64"))]
    if let Ok(now) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME) {
        let seconds = now.tv_sec().saturating_mul(1_000_000_000);
        return seconds.saturating_add(now.tv_nsec());
    }
    nanoseconds_of(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn eight_threads_that_hammer_the_clock_never_get_one_stamp_twice() {
        const EACH: usize = 50_000;
        let threads: Vec<_> = (0..8)
            .map(|_| thread::spawn(|| (0..EACH).map(|_| Timestamp::now()).collect::<Vec<_>>()))
            .collect();
        let stamps: HashSet<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(stamps.len(), 8 * EACH);
    }

    #[test]
    fn stamps_follow_the_system_clock() {
        let before = nanoseconds_of(SystemTime::now());
        let stamp = Timestamp::now().nanoseconds();
        // Nothing else gives out stamps of this thread.
        assert!((before..before + 60_000_000_000).contains(&stamp));
    }

    #[test]
    fn times_before_1970_are_negative_and_times_out_of_range_are_not_storable() {
        let before = UNIX_EPOCH - Duration::from_nanos(5);
        assert_eq!(Timestamp::from(before), Timestamp(-5));
        let far = UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 4);
        assert!(!Timestamp::from(far).is_storable());
        assert!(!Timestamp(i64::MIN + 1).is_storable());
        assert!(Timestamp(i64::MIN + 2).is_storable());
        assert!(Timestamp(i64::MAX - 1).is_storable());
        assert!(!Timestamp(i64::MAX).is_storable());
    }
}
