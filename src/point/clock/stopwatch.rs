use std::time::{Duration, Instant};

/// Measures durations as [`Instant`] does, where possible without its detours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stopwatch {
    /// Nanoseconds of the monotonic clock.
    #[cfg(all(unix, target_pointer_width = "64"))]
    Since(i64),
    Instant(Instant),
}

impl Stopwatch {
    #[inline]
    pub(crate) fn start() -> Self {
        #[cfg(all(unix, target_pointer_width = "64"))]
        if let Some(now) = monotonic_nanoseconds() {
            return Self::Since(now);
        }
        Self::Instant(Instant::now())
    }

    #[inline]
    pub(crate) fn elapsed(&self) -> Duration {
        match self {
            #[cfg(all(unix, target_pointer_width = "64"))]
            Self::Since(start) => {
                let now = monotonic_nanoseconds().unwrap_or(*start);
                Duration::from_nanos(u64::try_from(now - start).unwrap_or(0))
            }
            Self::Instant(start) => start.elapsed(),
        }
    }
}

#[cfg(all(unix, target_pointer_width = "64"))]
#[inline]
fn monotonic_nanoseconds() -> Option<i64> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).ok()?;
    Some(now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(unix, target_pointer_width = "64"))]
    #[test]
    fn it_begins_at_the_time_of_the_monotonic_clock() {
        use nix::time::{ClockId, clock_gettime};

        let now = || Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
        let before = now();
        let Stopwatch::Since(nanoseconds) = Stopwatch::start() else {
            panic!("it can be read");
        };
        let began = Duration::from_nanos(nanoseconds.try_into().unwrap());
        assert!(before <= began && began <= now());
    }

    #[test]
    fn a_step_of_the_systems_clock_changes_no_duration() {
        use crate::{Measurement, point::clock::tests::set_clock_ahead};

        for seconds in [-3_600, 3_600] {
            let (began, stopwatch) = (Instant::now(), Stopwatch::start());
            let mut measurement = Measurement::new("db", "m").field("f", 1);
            let timer = measurement.timer("timer");
            set_clock_ahead(seconds);
            drop(timer);
            assert!(stopwatch.elapsed() <= began.elapsed());
            let timed = measurement.0.fields.iter().map(|(_, value)| value.clone());
            let timed: Vec<_> = timed.collect();
            let [_, crate::FieldValue::Float(timed)] = timed[..] else {
                unreachable!("{timed:?}");
            };
            assert!((0.0..=began.elapsed().as_secs_f64()).contains(&timed));
        }
    }

    #[test]
    fn it_agrees_with_the_standard_library() {
        let (outer, stopwatch, inner) = (Instant::now(), Stopwatch::start(), Instant::now());
        while inner.elapsed() < Duration::from_millis(2) {}
        let least = inner.elapsed();
        let measured = stopwatch.elapsed();
        let most = outer.elapsed();
        assert!(
            (least..=most).contains(&measured),
            "{least:?} {measured:?} {most:?}"
        );
    }
}
