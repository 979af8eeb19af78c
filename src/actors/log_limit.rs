use std::time::{Duration, Instant};

/// Allows a number of log lines per window, and counts the others. Pure: the time is an argument.
#[derive(Debug)]
pub(crate) struct LogLimit {
    lines: u32,
    window: Duration,
    began: Option<Instant>,
    shown: u32,
    held_back: u64,
}

/// Permission to log one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Number of lines held back since the last one.
    pub(crate) held_back: u64,
}

impl LogLimit {
    pub(crate) fn new(lines: u32, window: Duration) -> Self {
        Self {
            lines,
            window,
            began: None,
            shown: 0,
            held_back: 0,
        }
    }

    /// Asks to log one line now.
    pub(crate) fn ask(&mut self, now: Instant) -> Option<Shown> {
        let is_over = |began| now.saturating_duration_since(began) >= self.window;
        if self.began.is_none_or(is_over) {
            self.began = Some(now);
            self.shown = 0;
        }
        if self.shown == self.lines {
            self.held_back += 1;
            return None;
        }
        self.shown += 1;
        Some(Shown {
            held_back: std::mem::take(&mut self.held_back),
        })
    }

    /// Whether lines were held back since their number was last taken.
    pub(crate) fn holds_back(&self) -> bool {
        self.held_back > 0
    }

    /// Takes the number of lines held back.
    pub(crate) fn take_held_back(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lets_its_lines_through_and_the_next_one_says_how_many_it_did_not() {
        let window = Duration::from_secs(10);
        let mut limit = LogLimit::new(2, window);
        let now = Instant::now();
        let ask = |limit: &mut LogLimit, now| limit.ask(now).map(|shown| shown.held_back);
        assert_eq!(ask(&mut limit, now), Some(0));
        assert_eq!(ask(&mut limit, now), Some(0));
        assert_eq!(ask(&mut limit, now), None);
        assert_eq!(ask(&mut limit, now + window / 2), None);
        assert_eq!(ask(&mut limit, now + window), Some(2));
        assert_eq!(ask(&mut limit, now + window), Some(0));
        assert_eq!(ask(&mut limit, now + window), None);
        assert_eq!(limit.take_held_back(), 1);
        assert_eq!(limit.take_held_back(), 0);
    }
}
