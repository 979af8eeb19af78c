use super::quota::{Full, Limits};
use crate::{BufferUnit, Config, Overflow, RecordError, batch::MAX_LINE_BYTES};

/// The settings that the quota is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuotaLimits {
    pub(crate) limits: Limits,
    overflow: Overflow,
}

impl QuotaLimits {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = Limits {
            lines: config.max_buffer_size,
            bytes: config.max_buffer_bytes,
            line_bytes: MAX_LINE_BYTES,
            warn_lines: config.warn_at(),
            trigger: config.trigger_size.min(config.max_buffer_size),
        };
        let overflow = config.overflow;
        Self { limits, overflow }
    }

    /// May a measurement exceed the limits, within the margin, given whether its database is below
    /// its share?
    pub(crate) fn may_exceed(&self, is_below_share: impl FnOnce() -> bool) -> bool {
        self.overflow != Overflow::DropNewest || is_below_share()
    }

    /// What the caller is told.
    #[cold]
    pub(crate) fn error(&self, full: Full) -> RecordError {
        match full {
            Full::Lines { pending } => RecordError::BufferFull {
                pending,
                limit: self.limits.lines,
                unit: BufferUnit::Measurements,
            },
            Full::Bytes { pending } => RecordError::BufferFull {
                pending,
                limit: self.limits.bytes,
                unit: BufferUnit::Bytes,
            },
        }
    }
}
