use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::{Config, RecordError, batch::MAX_LINE_BYTES};

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
    trigger: usize,
}

impl GaugeLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            lines: config.max_buffer_size,
            bytes: config.max_buffer_bytes,
            warn_lines: config.warn_at(),
            trigger: config.trigger_size,
        }
    }
}

impl Gauge {
    /// Makes room for one line, before it is encoded. Says which one it is of those pending.
    #[inline]
    pub(crate) fn reserve_line(&self, limits: &GaugeLimits) -> Result<usize, RecordError> {
        let before = self.lines.fetch_add(1, Relaxed);
        if before >= limits.lines {
            self.lines.fetch_sub(1, Relaxed);
            return Err(RecordError::BufferFull {
                pending: before,
                limit: limits.lines,
                unit: "measurements",
                setting: "max_buffer_size",
            });
        }
        Ok(before + 1)
    }

    /// Makes room for its bytes, once they are known.
    #[inline]
    pub(crate) fn reserve_bytes(
        &self,
        bytes: usize,
        limits: &GaugeLimits,
    ) -> Result<(), RecordError> {
        let before = self.bytes.fetch_add(bytes, Relaxed);
        let limit = limits.bytes;
        if before.saturating_add(bytes) > limit || bytes > MAX_LINE_BYTES {
            self.bytes.fetch_sub(bytes, Relaxed);
            return Err(RecordError::BufferFull {
                pending: before,
                limit,
                unit: "bytes",
                setting: "max_buffer_bytes",
            });
        }
        Ok(())
    }

    pub(crate) fn release(&self, lines: usize, bytes: usize) {
        self.lines.fetch_sub(lines, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// The line that was the `pending`th is in its tray. Is the buffer actor to be woken? For the first one that waits (to
    /// start the interval), the one that reaches the trigger size, and the one that reaches the
    /// threshold for the warning.
    #[inline]
    pub(crate) fn arrived(&self, pending: usize, limits: &GaugeLimits) -> bool {
        let waiting = self.waiting.fetch_add(1, Relaxed) + 1;
        waiting == 1 || waiting == limits.trigger || pending == limits.warn_lines
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
