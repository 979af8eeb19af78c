mod hands;
#[cfg(feature = "middleware")]
pub(crate) mod stopwatch;
mod watch;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::hands::{HAND, SHARED};
pub(crate) use self::watch::ClockWatch;

/// A point in time as InfluxDB keeps it: whole nanoseconds since 1970-01-01 00:00 UTC.
///
/// A constructor takes the unit with the number, so that none has to be guessed. A time that does
/// not fit into 64 bits of nanoseconds (before 1677 or after 2262) becomes the nearest one that
/// does; InfluxDB stores neither end (the range is ±9,223,372,036,854,775,806), so recording such a
/// measurement fails with [`InvalidTimestamp`](crate::RecordError::InvalidTimestamp).
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use actix_influxdb::{Measurement, Timestamp};
///
/// let sent_at = Timestamp::from_millis(1_700_000_000_000);
/// assert_eq!(sent_at, Timestamp::from_secs(1_700_000_000));
/// assert_eq!(sent_at.as_nanos(), 1_700_000_000_000_000_000);
///
/// let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
/// let reading = Measurement::new("example", "reading").field("value", 7).timestamp(an_hour_ago);
/// assert_eq!(reading.get_timestamp(), Timestamp::from(an_hour_ago));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub(crate) i64);

impl Timestamp {
    /// Returns the current time, by a clock that never gives one value twice in a process.
    ///
    /// InfluxDB overwrites a point that has the series and the timestamp of an earlier one. So two
    /// requests of one route must not share a stamp, even if the system's clock stood still or was
    /// set back by up to a second between them: such a stamp is 64 nanoseconds after the last one
    /// of its thread. Else a stamp is up to 127 nanoseconds after the system's time.
    ///
    /// If the system's clock is set back by more than a second, or by less again and again while a
    /// thread asks for no stamp, stamps follow at once. Within the period that the clock then
    /// repeats, a stamp may have been given before: a warning in the log tells of it.
    #[inline]
    pub fn now() -> Self {
        let own = HAND.try_with(|hand| Some(hand.as_ref()?.next(system_nanoseconds())));
        let own = own.ok().flatten();
        Self(own.unwrap_or_else(|| SHARED.next(system_nanoseconds)))
    }

    /// The time `nanos` nanoseconds after 1970-01-01 00:00 UTC (before, if negative).
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The time `micros` microseconds after 1970-01-01 00:00 UTC (before, if negative).
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The time `millis` milliseconds after 1970-01-01 00:00 UTC (before, if negative).
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The time `secs` seconds after 1970-01-01 00:00 UTC (before, if negative).
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970-01-01 00:00 UTC; negative before.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whether InfluxDB stores it (seen on 1.6.7: both ends of `i64` are refused).
    #[inline]
    pub(crate) fn is_storable(self) -> bool {
        self.0 > i64::MIN + 1 && self.0 < i64::MAX
    }
}

/// A time before 1677 or after 2262 becomes the nearest one that fits.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(nanoseconds_of(time))
    }
}

/// Exact where the system's clock counts nanoseconds; Windows counts 100 at a time.
impl From<Timestamp> for SystemTime {
    fn from(Timestamp(nanoseconds): Timestamp) -> Self {
        let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
        match nanoseconds < 0 {
            true => UNIX_EPOCH - distance,
            false => UNIX_EPOCH + distance,
        }
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
    #[cfg(test)]
    return tests::shifted(unshifted_nanoseconds());
    #[cfg(not(test))]
    unshifted_nanoseconds()
}

#[inline]
fn unshifted_nanoseconds() -> i64 {
    #[cfg(all(unix, target_pointer_width = "64"))]
    if let Ok(now) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME) {
        let seconds = now.tv_sec().saturating_mul(1_000_000_000);
        return seconds.saturating_add(now.tv_nsec());
    }
    nanoseconds_of(SystemTime::now())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{cell::Cell, collections::HashSet, thread};

    use super::*;

    thread_local! {
        /// What the system's clock is ahead by, for this thread.
        static SHIFT: Cell<i64> = const { Cell::new(0) };
    }

    pub(super) fn shifted(now: i64) -> i64 {
        now + SHIFT.try_with(Cell::get).unwrap_or(0)
    }

    /// Sets the system's clock, as this thread sees it: so many seconds ahead of the true time.
    pub(crate) fn set_clock_ahead(seconds: i64) {
        SHIFT.set(seconds * 1_000_000_000);
    }

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
        let stamp = Timestamp::now().as_nanos();
        // Nothing else gives out stamps of this thread.
        assert!((before..before + 60_000_000_000).contains(&stamp));
    }

    #[test]
    fn the_next_stamp_after_the_clock_was_set_back_or_forward_is_at_the_new_time() {
        // Ahead of all others, so that this test hears of no other's stamps.
        for hours in [0, -1, -2, 5, 1, 24 * 365 * 20, -3] {
            set_clock_ahead(3_600 * hours);
            for _ in 0..3 {
                let now = system_nanoseconds();
                let ahead = Timestamp::now().as_nanos() - now;
                assert!((0..1_000_000_000).contains(&ahead), "{hours} h: {ahead} ns");
            }
        }
    }

    #[test]
    fn each_unit_is_its_number_of_nanoseconds_and_what_does_not_fit_is_not_storable() {
        for (timestamp, nanoseconds) in [
            (Timestamp::from_nanos(-7), -7),
            (Timestamp::from_micros(7), 7_000),
            (Timestamp::from_millis(-7), -7_000_000),
            (Timestamp::from_secs(7), 7_000_000_000),
        ] {
            assert_eq!(timestamp.as_nanos(), nanoseconds);
            assert_eq!(Timestamp::from(SystemTime::from(timestamp)), timestamp);
        }
        for far in [
            Timestamp::from_micros(i64::MAX),
            Timestamp::from_millis(i64::MIN),
            Timestamp::from_secs(9_300_000_000),
        ] {
            assert!(!far.is_storable(), "{far:?}");
        }
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
