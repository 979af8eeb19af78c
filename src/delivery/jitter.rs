//! The time until buffered measurements are sent. Pure.

use std::time::Duration;

/// Time from the first buffered measurement until all are sent; `random` is in [0, 1).
pub(crate) fn flush_after(interval: Duration, jitter: Duration, random: f64) -> Duration {
    interval + jitter.mul_f64(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const SERVICES: usize = 1_000;
    const HOUR: f64 = 3_600.0;
    /// Seconds in which requests are counted.
    const WINDOW: f64 = 0.1;

    /// Requests in the fullest window of an hour that begins `after` seconds after services were started within
    /// one window, and on average: each sends at the end of its interval, and the next begins with the next measurement.
    fn peak(jitter: Duration, after: f64) -> (usize, f64) {
        let mut random = fastrand::Rng::with_seed(7);
        let mut windows = vec![0; (HOUR / WINDOW) as usize + 1];
        for _ in 0..SERVICES {
            let mut at = WINDOW * random.f64();
            loop {
                at += flush_after(INTERVAL, jitter, random.f64()).as_secs_f64();
                // 100 measurements a second.
                at += 0.01 * random.f64();
                if at >= after + HOUR {
                    break;
                }
                if at >= after {
                    windows[((at - after) / WINDOW) as usize] += 1;
                }
            }
        }
        let all: usize = windows.iter().sum();
        (
            windows.into_iter().max().unwrap(),
            all as f64 / HOUR * WINDOW,
        )
    }

    /// `cargo test --lib jitter -- --nocapture` prints the table of docs/connections.md.
    #[test]
    fn services_that_were_started_together_do_not_send_together() {
        println!("| flush_jitter | on average | first minute | after a minute | after an hour |");
        println!("|---|---|---|---|---|");
        let mut rows = Vec::new();
        for jitter in [0, 1, 2, 5, 10] {
            let duration = Duration::from_secs(jitter);
            let first = peak(duration, 0.0);
            let (later, last) = (peak(duration, 60.0), peak(duration, HOUR));
            let average = first.1;
            println!(
                "| {jitter} s | {average:.0} | {} | {} | {} |",
                first.0, later.0, last.0
            );
            rows.push((average, first.0, later.0));
        }
        // Without a jitter, nearly all come at once, for hours.
        assert!(rows[0].1 > SERVICES / 2, "{rows:?}");
        // With one as long as the interval, a few times the average.
        let (average, first, later) = rows[4];
        assert!((first as f64) < 5.0 * average, "{rows:?}");
        assert!((later as f64) < 5.0 * average, "{rows:?}");
    }

    #[test]
    fn a_jitter_is_added_to_the_interval() {
        let jitter = Duration::from_secs(4);
        for (random, seconds) in [(0.0, 10), (0.5, 12), (0.25, 11)] {
            let after = flush_after(INTERVAL, jitter, random);
            assert_eq!(after, Duration::from_secs(seconds));
        }
    }
}
