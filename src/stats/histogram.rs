//! A histogram of durations in fixed memory, with buckets that grow by an eighth.

use std::time::Duration;

/// Number of buckets per doubling.
const PER_DOUBLING: u32 = 8;

/// From 1 µs to more than an hour.
const DOUBLINGS: u32 = 32;

const BUCKETS: usize = (DOUBLINGS * PER_DOUBLING) as usize;

/// Counts of durations. Shorter ones count as 1 µs, longer ones in the last bucket.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            total: 0,
            longest: Duration::ZERO,
        }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let count = &mut self.counts[bucket(duration)];
        *count = count.saturating_add(1);
        self.total += 1;
        self.longest = self.longest.max(duration);
    }

    /// The duration that a `share` of all don't exceed, rounded up by at most an eighth; `None`
    /// without durations.
    pub(crate) fn percentile(&self, share: f64) -> Option<Duration> {
        if self.total == 0 {
            return None;
        }
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reaches = |count: &u32| {
            seen += u64::from(*count);
            seen >= rank
        };
        let at = self.counts.iter().position(reaches)?;
        Some(end(at).min(self.longest))
    }

    /// The longest duration, exactly.
    pub(crate) fn longest(&self) -> Option<Duration> {
        (self.total > 0).then_some(self.longest)
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
        self.longest = Duration::ZERO;
    }
}

fn bucket(duration: Duration) -> usize {
    let micros = duration.as_micros().clamp(1, u128::from(u64::MAX)) as u64;
    let doublings = micros.ilog2();
    // Eighths between one power of two and the next.
    let rest = micros - (1 << doublings);
    let eighth = (u128::from(rest) * u128::from(PER_DOUBLING)) >> doublings;
    let bucket = doublings * PER_DOUBLING + eighth as u32;
    (bucket as usize).min(BUCKETS - 1)
}

/// Upper end of a bucket.
fn end(bucket: usize) -> Duration {
    let (doublings, eighth) = (
        bucket as u32 / PER_DOUBLING,
        bucket as u64 % u64::from(PER_DOUBLING),
    );
    let micros = (1u64 << doublings) * (u64::from(PER_DOUBLING) + eighth + 1);
    Duration::from_micros(micros.div_ceil(u64::from(PER_DOUBLING)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_exact_to_an_eighth_and_never_beyond_the_longest() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.5), None);
        assert_eq!(histogram.longest(), None);
        for millis in 1..=1_000 {
            histogram.record(Duration::from_millis(millis));
        }
        for (share, exact) in [(0.0, 1), (0.5, 500), (0.9, 900), (0.99, 990), (1.0, 1_000)] {
            let percentile = histogram.percentile(share).unwrap().as_micros() as f64;
            let exact = f64::from(exact) * 1_000.0;
            let is_near = (exact..=exact * 1.126).contains(&percentile);
            assert!(is_near, "{share}: {percentile} for {exact}");
        }
        assert_eq!(histogram.percentile(1.0), Some(Duration::from_secs(1)));
        assert_eq!(histogram.longest(), Some(Duration::from_secs(1)));
        histogram.clear();
        assert_eq!(histogram.percentile(1.0), None);
    }

    #[test]
    fn one_duration_is_every_percentile_however_short_or_long() {
        for duration in [
            Duration::ZERO,
            Duration::from_nanos(1_500),
            Duration::from_micros(7),
            Duration::from_secs(3_000),
            Duration::from_secs(1 << 40),
            Duration::MAX,
        ] {
            let mut histogram = Histogram::default();
            histogram.record(duration);
            let all = [0.0, 0.5, 1.0].map(|share| histogram.percentile(share).unwrap());
            assert!(all.iter().all(|it| *it == all[0]), "{all:?}");
            assert!(all[0] <= duration, "{all:?}");
            if duration < Duration::from_secs(3_600) {
                assert!(all[0] >= duration * 8 / 9 || duration < Duration::from_micros(2));
            }
        }
    }

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for micros in [1u64, 2, 3, 7, 8, 9, 100, 1_000, 123_456, 3_600_000_000] {
            let at = bucket(Duration::from_micros(micros));
            assert!(end(at) >= Duration::from_micros(micros), "{micros}");
            assert!(
                at == 0 || end(at - 1) <= Duration::from_micros(micros),
                "{micros}"
            );
        }
    }
}
