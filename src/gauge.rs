use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::{Config, Overflow, RecordError, batch::MAX_LINE_BYTES};

/// How much is pending anywhere in memory, and when the buffer actor is to look.
///
/// The one thing that all recording threads share. `SeqCst` isn't needed: each counter decides by
/// the total order of its own changes, and the measurements themselves travel under locks.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    lines: AtomicUsize,
    bytes: AtomicUsize,
    /// Lines in the trays: those that no timer runs for before the buffer actor is woken.
    waiting: AtomicUsize,
    /// A measurement was refused since the buffer actor last asked.
    lost: AtomicBool,
}

/// The settings that the gauge is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GaugeLimits {
    lines: usize,
    bytes: usize,
    warn_lines: usize,
    /// A buffer that is full by what waits in the trays must not stay so.
    trigger: usize,
    overflow: Overflow,
}

/// The reserve above the limits is this part of them: what there is room for while the buffer
/// actor drops something else.
const RESERVE: usize = 10;

impl GaugeLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            lines: config.max_buffer_size,
            bytes: config.max_buffer_bytes,
            warn_lines: config.warn_at(),
            trigger: config.trigger_size.min(config.max_buffer_size),
            overflow: config.overflow,
        }
    }

    /// May a measurement use the reserve, given whether its database is below its share?
    #[inline]
    pub(crate) fn opens_reserve(&self, is_below_share: bool) -> bool {
        is_below_share || self.overflow == Overflow::DropOldest
    }
}

fn with_reserve(limit: usize, reserve: bool) -> usize {
    match reserve {
        true => limit.saturating_add((limit / RESERVE).max(1)),
        false => limit,
    }
}

fn bytes_are_full(pending: usize, limits: &GaugeLimits) -> RecordError {
    RecordError::BufferFull {
        pending,
        limit: limits.bytes,
        unit: "bytes",
        setting: "max_buffer_bytes",
    }
}

/// Room that a tray has been given, and has not used yet: so that not every measurement touches
/// what all threads share.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    lines: usize,
    bytes: usize,
    /// What it has been given since the tray was last emptied.
    given_lines: usize,
    given_bytes: usize,
    /// The buffer actor is to be woken when the measurement is in its tray.
    alarm: bool,
}

/// At most so many lines and bytes at a time; and the first times no more than it has had by then.
const MOST_LINES: usize = 64;
const MOST_BYTES: usize = 16 << 10;

/// Of the room that is left, the part that is given at a time: what other trays have and don't use
/// must not make the buffer full.
const LIMIT_PART: usize = 1_024;

/// Of the way to the trigger size and the threshold for the warning, the part that is given at a
/// time: what others don't use makes them come early by that.
const WAY_PART: usize = 16;

impl Credit {
    /// Makes room for one line, before it is encoded.
    #[inline]
    pub(crate) fn take_line(
        &mut self,
        gauge: &Gauge,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<(), RecordError> {
        if self.lines == 0 {
            self.ask_for_lines(gauge, limits, reserve)?;
        }
        self.lines -= 1;
        Ok(())
    }

    #[inline(never)]
    fn ask_for_lines(
        &mut self,
        gauge: &Gauge,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<(), RecordError> {
        let pending = gauge.lines.load(Relaxed);
        let way = |to: usize, at: usize| match to > at {
            true => (to - at) / WAY_PART,
            false => usize::MAX,
        };
        let lines = MOST_LINES
            .min(self.given_lines)
            .min(limits.lines.saturating_sub(pending) / LIMIT_PART)
            .min(way(limits.warn_lines, pending))
            .min(way(limits.trigger, gauge.waiting.load(Relaxed)))
            .max(1);
        self.alarm |= gauge.give_lines(lines, limits, reserve)?;
        self.lines = lines;
        self.given_lines += lines;
        Ok(())
    }

    /// Makes room for its bytes, once they are known.
    #[inline]
    pub(crate) fn take_bytes(
        &mut self,
        bytes: usize,
        gauge: &Gauge,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<(), RecordError> {
        if self.bytes < bytes {
            self.ask_for_bytes(bytes - self.bytes, gauge, limits, reserve)?;
        }
        self.bytes -= bytes;
        Ok(())
    }

    #[inline(never)]
    fn ask_for_bytes(
        &mut self,
        needed: usize,
        gauge: &Gauge,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<(), RecordError> {
        let left = limits.bytes.saturating_sub(gauge.bytes.load(Relaxed));
        let more = MOST_BYTES.min(self.given_bytes).min(left / LIMIT_PART);
        let bytes = needed + more;
        self.alarm |= gauge.give_bytes(bytes, limits, reserve)?;
        self.bytes += bytes;
        self.given_bytes += bytes;
        Ok(())
    }

    /// The line that room was made for has not been put into the tray.
    pub(crate) fn put_back_line(&mut self, gauge: &Gauge) {
        self.lines += 1;
        if self.lines == self.given_lines {
            // Nothing is in the tray.
            self.give_back(gauge);
        }
    }

    /// Is the buffer actor to be woken, for what has been asked for since the last call?
    #[inline]
    pub(crate) fn take_alarm(&mut self) -> bool {
        std::mem::take(&mut self.alarm)
    }

    /// The tray is empty.
    pub(crate) fn give_back(&mut self, gauge: &Gauge) {
        gauge.release(self.lines, self.bytes);
        gauge.waiting.fetch_sub(self.given_lines, Relaxed);
        *self = Self::default();
    }
}

impl Gauge {
    /// Gives room for lines, if there is any. Is the buffer actor to be woken? For the first one
    /// that waits (to start the interval), the one that reaches the trigger size, the one that
    /// reaches the threshold for the warning, and the one that is more than may be.
    fn give_lines(
        &self,
        lines: usize,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<bool, RecordError> {
        // No line fits: don't encode one to find that out.
        let bytes = self.bytes.load(Relaxed);
        if bytes >= limits.bytes && bytes >= with_reserve(limits.bytes, reserve) {
            return Err(bytes_are_full(bytes, limits));
        }
        let before = self.lines.fetch_add(lines, Relaxed);
        let after = before + lines;
        if after > limits.lines && after > with_reserve(limits.lines, reserve) {
            self.lines.fetch_sub(lines, Relaxed);
            return Err(RecordError::BufferFull {
                pending: before,
                limit: limits.lines,
                unit: "measurements",
                setting: "max_buffer_size",
            });
        }
        let waited = self.waiting.fetch_add(lines, Relaxed);
        let passes = |threshold, before, after| before < threshold && threshold <= after;
        Ok(waited == 0
            || passes(limits.trigger, waited, waited + lines)
            || passes(limits.warn_lines, before, after)
            || passes(limits.lines.saturating_add(1), before, after))
    }

    /// Gives room for bytes, if there is any. Is the buffer actor to be woken, because they are more
    /// than may be?
    fn give_bytes(
        &self,
        bytes: usize,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<bool, RecordError> {
        let before = self.bytes.fetch_add(bytes, Relaxed);
        let after = before.saturating_add(bytes);
        let is_over = after > limits.bytes && after > with_reserve(limits.bytes, reserve);
        if is_over || bytes > MAX_LINE_BYTES {
            self.bytes.fetch_sub(bytes, Relaxed);
            return Err(bytes_are_full(before, limits));
        }
        Ok(before <= limits.bytes && after > limits.bytes)
    }

    pub(crate) fn release(&self, lines: usize, bytes: usize) {
        self.lines.fetch_sub(lines, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// Do as many wait in the trays as the trigger size?
    pub(crate) fn triggers(&self, limits: &GaugeLimits) -> bool {
        self.waiting.load(Relaxed) >= limits.trigger
    }

    /// Is there no room for more?
    pub(crate) fn is_full(&self, limits: &GaugeLimits) -> bool {
        self.lost.load(Relaxed) || self.is_over(limits)
    }

    /// Is more pending than may be?
    pub(crate) fn is_over(&self, limits: &GaugeLimits) -> bool {
        self.lines.load(Relaxed) > limits.lines || self.bytes.load(Relaxed) > limits.bytes
    }

    /// A measurement was refused. Is the buffer actor to be woken, to say so?
    pub(crate) fn lost(&self) -> bool {
        !self.lost.swap(true, Relaxed)
    }

    /// Was a measurement refused since the last call?
    pub(crate) fn take_lost(&self) -> bool {
        self.lost.swap(false, Relaxed)
    }

    /// Lines in the trays, and room that trays have been given.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Lines pending anywhere, and room that trays have been given.
    pub(crate) fn lines(&self) -> usize {
        self.lines.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(lines: usize, trigger: usize) -> GaugeLimits {
        let config = Config::default().max_buffer_size(lines);
        GaugeLimits::new(&config.warn_threshold(lines).trigger_size(trigger))
    }

    /// Takes room for lines of 100 bytes each; says after how many the buffer actor was woken.
    fn take(credit: &mut Credit, gauge: &Gauge, limits: &GaugeLimits, lines: usize) -> Vec<usize> {
        let mut woken = Vec::new();
        for line in 1..=lines {
            if credit.take_line(gauge, limits, false).is_err() {
                break;
            }
            credit.take_bytes(100, gauge, limits, false).unwrap();
            if credit.take_alarm() {
                woken.push(line);
            }
        }
        woken
    }

    #[test]
    fn one_tray_wakes_for_its_first_line_and_at_the_trigger_size_exactly() {
        for trigger in [2, 17, 1_000, 5_000] {
            let (gauge, limits) = (Gauge::default(), limits(500_000, trigger));
            let woken = take(&mut Credit::default(), &gauge, &limits, trigger + 100);
            assert_eq!(woken, [1, trigger]);
        }
    }

    #[test]
    fn what_other_trays_have_and_do_not_use_never_makes_a_small_buffer_full() {
        let (gauge, limits) = (Gauge::default(), limits(1_000, 5_000));
        let mut credits: [Credit; 8] = Default::default();
        for credit in &mut credits {
            take(credit, &gauge, &limits, 50);
        }
        assert_eq!(gauge.lines(), 8 * 50);
        take(&mut credits[0], &gauge, &limits, 10_000);
        assert_eq!(gauge.lines(), 1_000);
    }

    #[test]
    fn of_a_large_buffer_they_have_little() {
        let (gauge, limits) = (Gauge::default(), limits(500_000, 1_000_000));
        let mut credits: [Credit; 8] = Default::default();
        for credit in &mut credits {
            take(credit, &gauge, &limits, 1_000);
        }
        let unused = gauge.lines() - 8_000;
        assert!(unused <= 8 * MOST_LINES, "{unused}");
    }

    #[test]
    fn all_that_is_not_used_is_given_back() {
        let (gauge, limits) = (Gauge::default(), limits(500_000, 5_000));
        let mut credit = Credit::default();
        take(&mut credit, &gauge, &limits, 300);
        assert!(gauge.lines() > 300 && gauge.waiting() > 300);
        credit.give_back(&gauge);
        assert_eq!((gauge.lines(), gauge.waiting()), (300, 0));
        gauge.release(300, 300 * 100);
        assert_eq!(gauge.bytes.load(Relaxed), 0);
    }
}
