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

impl Gauge {
    /// Makes room for one line, before it is encoded. Says which one it is of those pending.
    #[inline]
    pub(crate) fn reserve_line(
        &self,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<usize, RecordError> {
        let before = self.lines.fetch_add(1, Relaxed);
        if before >= limits.lines && before >= with_reserve(limits.lines, reserve) {
            self.lines.fetch_sub(1, Relaxed);
            return Err(RecordError::BufferFull {
                pending: before,
                limit: limits.lines,
                unit: "measurements",
                setting: "max_buffer_size",
            });
        }
        // No line fits: don't encode one to find that out.
        let bytes = self.bytes.load(Relaxed);
        if bytes >= limits.bytes && bytes >= with_reserve(limits.bytes, reserve) {
            self.lines.fetch_sub(1, Relaxed);
            return Err(bytes_are_full(bytes, limits));
        }
        Ok(before + 1)
    }

    /// Makes room for its bytes, once they are known. Says how many are pending with them.
    #[inline]
    pub(crate) fn reserve_bytes(
        &self,
        bytes: usize,
        limits: &GaugeLimits,
        reserve: bool,
    ) -> Result<usize, RecordError> {
        let before = self.bytes.fetch_add(bytes, Relaxed);
        let after = before.saturating_add(bytes);
        let is_over = after > limits.bytes && after > with_reserve(limits.bytes, reserve);
        if is_over || bytes > MAX_LINE_BYTES {
            self.bytes.fetch_sub(bytes, Relaxed);
            return Err(bytes_are_full(before, limits));
        }
        Ok(after)
    }

    pub(crate) fn release(&self, lines: usize, bytes: usize) {
        self.lines.fetch_sub(lines, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// A line is in its tray, the `lines`th of those pending, and with its `added` bytes there are
    /// `bytes`. Is the buffer actor to be woken? For the first one that waits (to start the
    /// interval), the one that reaches the trigger size, the one that reaches the threshold for
    /// the warning, and the one that is more than may be.
    #[inline]
    pub(crate) fn arrived(
        &self,
        lines: usize,
        bytes: usize,
        added: usize,
        limits: &GaugeLimits,
    ) -> bool {
        let waiting = self.waiting.fetch_add(1, Relaxed) + 1;
        waiting == 1
            || waiting == limits.trigger
            || lines == limits.warn_lines
            || lines.checked_sub(1) == Some(limits.lines)
            || (bytes > limits.bytes && bytes - added <= limits.bytes)
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

    pub(crate) fn left_trays(&self, lines: usize) {
        self.waiting.fetch_sub(lines, Relaxed);
    }

    /// Lines in the trays.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Lines pending anywhere.
    pub(crate) fn lines(&self) -> usize {
        self.lines.load(Relaxed)
    }
}
