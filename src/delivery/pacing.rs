//! The size of a database's POSTs, after large ones have failed. Pure.

use std::time::Duration;

/// Successes in a row before the limit is doubled.
const SUCCESSES: u32 = 4;

/// The limit is doubled only if the quickest success took at most this fraction of the timeout:
/// twice the size takes at most twice the time. (The quickest, because on a busy machine or link
/// most of the time has nothing to do with the size.)
const PART_OF_TIMEOUT: u32 = 2;

/// The size limit of one database's POSTs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// In bytes; `None` while nothing has failed for its size.
    limit: Option<usize>,
    /// Size of the largest POST that was written lately, in bytes.
    passed: usize,
    successes: u32,
    /// Time of the quickest of the successes.
    quickest: Duration,
    /// Whether the limit was lowered after a timeout. Then concurrent POSTs only slow each other down.
    is_slow: bool,
}

impl Pace {
    /// Maximum size of one POST, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// Maximum number of concurrent POSTs.
    pub(crate) fn writers(&self) -> usize {
        match self.is_slow {
            true => 1,
            false => usize::MAX,
        }
    }

    /// Lowers the limit after a POST of `bytes` failed; but not if as much passed lately, unless
    /// that happens again first.
    pub(crate) fn lower(&mut self, bytes: usize, is_timeout: bool) {
        if bytes <= self.passed {
            self.passed = bytes / 2;
            return;
        }
        *self = Self {
            limit: Some((bytes / 2).max(1).min(self.limit())),
            passed: self.passed,
            is_slow: self.is_slow || is_timeout,
            ..Self::default()
        };
    }

    /// Notes that `bytes` were written, within `took` of a `timeout`. `most` is the limit of the
    /// settings.
    pub(crate) fn written(&mut self, bytes: usize, took: Duration, timeout: Duration, most: usize) {
        let Some(limit) = self.limit else {
            // Only the latest success counts: older ones say little.
            self.passed = bytes;
            return;
        };
        self.passed = self.passed.max(bytes);
        self.quickest = match self.successes {
            0 => took,
            _ => self.quickest.min(took),
        };
        self.successes += 1;
        if self.successes < SUCCESSES {
            return;
        }
        self.successes = 0;
        if self.quickest <= timeout / PART_OF_TIMEOUT {
            let limit = limit.saturating_mul(2);
            match limit >= most {
                true => *self = Self::default(),
                false => self.limit = Some(limit),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MOST: usize = 1_000;

    fn written(pace: &mut Pace, bytes: usize, took: Duration, times: u32) {
        for _ in 0..times {
            pace.written(bytes, took, 10 * SECOND, MOST);
        }
    }

    #[test]
    fn it_is_lowered_to_half_of_what_failed_and_doubles_after_some_quick_successes() {
        let mut pace = Pace::default();
        assert_eq!(pace.limit(), usize::MAX);
        pace.lower(800, true);
        assert_eq!((pace.limit(), pace.writers()), (400, 1));
        pace.lower(400, false);
        assert_eq!(pace.limit(), 200);
        written(&mut pace, 200, SECOND, SUCCESSES - 1);
        assert_eq!(pace.limit(), 200);
        written(&mut pace, 200, SECOND, 1);
        assert_eq!(pace.limit(), 400);
        written(&mut pace, 400, SECOND, 2 * SUCCESSES);
        assert_eq!((pace.limit(), pace.writers()), (usize::MAX, usize::MAX));
    }

    #[test]
    fn slow_successes_do_not_raise_it_but_a_quick_one_among_them_does() {
        let mut pace = Pace::default();
        pace.lower(800, true);
        written(&mut pace, 400, 6 * SECOND, 100 * SUCCESSES);
        assert_eq!(pace.limit(), 400);
        written(&mut pace, 400, 5 * SECOND, 1);
        written(&mut pace, 400, 9 * SECOND, SUCCESSES - 1);
        assert_eq!(pace.limit(), 800);
    }

    #[test]
    fn what_fails_where_as_much_passes_fails_for_another_reason_unless_it_does_so_again() {
        let mut pace = Pace::default();
        pace.lower(800, false);
        written(&mut pace, 400, SECOND, 1);
        pace.lower(400, false);
        assert_eq!((pace.limit(), pace.writers()), (400, usize::MAX));
        written(&mut pace, 400, SECOND, 1);
        pace.lower(400, false);
        assert_eq!(pace.limit(), 400, "as much has passed in between");
        pace.lower(400, false);
        assert_eq!(pace.limit(), 200);
    }

    #[test]
    fn what_has_passed_is_remembered_when_more_fails_and_half_of_it_when_as_much_does() {
        let mut pace = Pace::default();
        pace.lower(800, false);
        written(&mut pace, 400, SECOND, 1);
        pace.lower(500, false);
        assert_eq!(pace.limit(), 250, "that many did not pass");
        pace.lower(300, false);
        assert_eq!(pace.limit(), 250, "and this many did");
        pace.lower(150, false);
        assert_eq!(pace.limit(), 250, "half of it did");
        pace.lower(150, false);
        assert_eq!(pace.limit(), 75);
    }

    #[test]
    fn a_single_byte_is_the_least() {
        let mut pace = Pace::default();
        pace.lower(1, false);
        assert_eq!(pace.limit(), 1);
    }
}
