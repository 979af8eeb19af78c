//! How much one POST of a database may hold, where less than what is allowed has proved right. Pure.

use std::time::Duration;

/// After so many successes it is tried with twice as much.
const SUCCESSES: u32 = 4;

/// And only if the quickest of them took no more than this part of the time that it may take: twice
/// as much takes twice as long at most. (The quickest, because on a busy machine or a link that
/// others use as well, most of the time has nothing to do with the size.)
const PART_OF_TIMEOUT: u32 = 2;

/// The pace of one database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// In bytes. None, as long as nothing speaks against what the settings allow.
    limit: Option<usize>,
    /// As much was written with one POST lately, in bytes.
    passed: usize,
    successes: u32,
    /// The shortest time that one of them took.
    quickest: Duration,
    /// Was it lowered for want of time? Then POSTs side by side only slow each other down.
    is_slow: bool,
}

impl Pace {
    /// How many bytes one POST may hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// How many POSTs at once.
    pub(crate) fn writers(&self) -> usize {
        match self.is_slow {
            true => 1,
            false => usize::MAX,
        }
    }

    /// So many bytes at once were too much. Unless as many have passed lately: then it was something
    /// else, or so it seems; if it happens again before as many pass, it counts.
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

    /// So many bytes were written, within `took` of a `timeout`. `most` is what the settings allow.
    pub(crate) fn written(&mut self, bytes: usize, took: Duration, timeout: Duration, most: usize) {
        let Some(limit) = self.limit else {
            // What passed long ago says little of now.
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
