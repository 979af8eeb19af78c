//! How much is pending anywhere in memory: the one thing that all recording threads share.
//!
//! `SeqCst` isn't needed: each counter decides by the total order of its own changes, and the
//! measurements themselves travel under locks.

use super::sync::{AtomicBool, AtomicUsize, Relaxed};

/// The room that there is, and who has what of it.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    lines: AtomicUsize,
    bytes: AtomicUsize,
    /// Lines in the thread buffers: those that no timer runs for before the buffer actor is woken.
    waiting: AtomicUsize,
    /// A measurement was refused since the buffer actor last asked.
    lost: AtomicBool,
}

/// What may be pending, and what the buffer actor is woken at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
    /// The longest line that is taken.
    pub(crate) line_bytes: usize,
    pub(crate) warn_lines: usize,
    /// A buffer that is full by what waits in the thread buffers must not stay so: no more than
    /// `lines`.
    pub(crate) trigger: usize,
}

/// There is no room: so much is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Lines { pending: usize },
    Bytes { pending: usize },
}

/// The margin above the limits is this part of them: what there is room for while the buffer
/// actor drops something else.
const MARGIN: usize = 10;

fn with_margin(limit: usize) -> usize {
    limit.saturating_add((limit / MARGIN).max(1))
}

/// Is `pending` more than is allowed? `may_exceed` is asked only if that depends on it.
fn is_beyond(pending: usize, limit: usize, may_exceed: impl FnOnce() -> bool) -> bool {
    pending > limit && (pending > with_margin(limit) || !may_exceed())
}

impl Quota {
    /// Reserves room for lines, if there is any. Is the buffer actor to be woken? For the first one
    /// that waits (to start the interval), the one that reaches the trigger size, the one that
    /// reaches the threshold for the warning, and the one beyond the limit.
    ///
    /// Lines beyond the limit use the margin, if `may_exceed` says that they may.
    pub(super) fn reserve_lines(
        &self,
        lines: usize,
        limits: &Limits,
        may_exceed: impl Fn() -> bool,
    ) -> Result<bool, Full> {
        // No line fits: don't encode one to find that out.
        let pending = self.bytes.load(Relaxed);
        if is_beyond(pending.saturating_add(1), limits.bytes, &may_exceed) {
            return Err(Full::Bytes { pending });
        }
        let before = self.lines.fetch_add(lines, Relaxed);
        let after = before + lines;
        if is_beyond(after, limits.lines, may_exceed) {
            self.lines.fetch_sub(lines, Relaxed);
            return Err(Full::Lines { pending: before });
        }
        let waited = self.waiting.fetch_add(lines, Relaxed);
        let passes = |threshold, before, after| before < threshold && threshold <= after;
        Ok(waited == 0
            || passes(limits.trigger, waited, waited + lines)
            || passes(limits.warn_lines, before, after)
            || passes(limits.lines.saturating_add(1), before, after))
    }

    /// Reserves room for bytes, if there is any. Is the buffer actor to be woken, because they are
    /// beyond the limit?
    pub(super) fn reserve_bytes(
        &self,
        bytes: usize,
        limits: &Limits,
        may_exceed: impl FnOnce() -> bool,
    ) -> Result<bool, Full> {
        let pending = self.bytes.fetch_add(bytes, Relaxed);
        let after = pending.saturating_add(bytes);
        if bytes > limits.line_bytes || is_beyond(after, limits.bytes, may_exceed) {
            self.bytes.fetch_sub(bytes, Relaxed);
            return Err(Full::Bytes { pending });
        }
        Ok(pending <= limits.bytes && after > limits.bytes)
    }

    /// So many lines are no longer pending.
    pub(crate) fn release(&self, lines: usize, bytes: usize) {
        self.lines.fetch_sub(lines, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// So many lines wait in a thread buffer no longer.
    pub(super) fn drained(&self, lines: usize) {
        self.waiting.fetch_sub(lines, Relaxed);
    }

    /// Is more pending than may be?
    pub(crate) fn is_over(&self, limits: &Limits) -> bool {
        self.lines.load(Relaxed) > limits.lines || self.bytes.load(Relaxed) > limits.bytes
    }

    /// A measurement was refused. Is the buffer actor to be woken, to say so?
    pub(super) fn lose(&self) -> bool {
        !self.lost.swap(true, Relaxed)
    }

    /// Was a measurement refused since it was last [taken](Self::take_lost)?
    pub(super) fn has_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }

    /// Was a measurement refused since the last call?
    pub(crate) fn take_lost(&self) -> bool {
        self.lost.swap(false, Relaxed)
    }

    /// Lines in the thread buffers, and room that these have reserved.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Lines pending anywhere, and room that thread buffers have reserved.
    pub(crate) fn lines(&self) -> usize {
        self.lines.load(Relaxed)
    }

    /// The bytes of these.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        lines: 10,
        bytes: 100,
        line_bytes: 60,
        warn_lines: 7,
        trigger: 4,
    };

    #[test]
    fn the_longest_line_that_is_allowed_is_taken_and_no_longer_one() {
        let quota = Quota::default();
        for bytes in [61, 62, 90, usize::MAX] {
            let full = quota.reserve_bytes(bytes, &LIMITS, || true);
            assert_eq!(full, Err(Full::Bytes { pending: 0 }), "{bytes}");
        }
        assert_eq!(quota.reserve_bytes(60, &LIMITS, || false), Ok(false));
        assert_eq!(quota.bytes(), 60);
    }

    #[test]
    fn bytes_may_exceed_the_limit_by_the_margin_and_wake_when_they_pass_it() {
        let quota = Quota::default();
        let reserve = |bytes| quota.reserve_bytes(bytes, &LIMITS, || true);
        assert_eq!(reserve(60), Ok(false));
        assert_eq!(reserve(40), Ok(false), "as many as are allowed");
        assert!(!quota.is_over(&LIMITS));
        assert_eq!(reserve(5), Ok(true));
        assert!(quota.is_over(&LIMITS));
        assert_eq!(reserve(4), Ok(false), "woken before");
        assert_eq!(reserve(2), Err(Full::Bytes { pending: 109 }));
        assert_eq!(reserve(1), Ok(false));
        quota.release(0, 10);
        assert!(!quota.is_over(&LIMITS));
        let full = quota.reserve_bytes(1, &LIMITS, || false);
        assert_eq!(full, Err(Full::Bytes { pending: 100 }));
        assert_eq!(quota.bytes(), 100);
    }

    #[test]
    fn lines_wake_at_the_first_the_trigger_the_threshold_and_beyond_the_limit() {
        let quota = Quota::default();
        let reserve = |lines| quota.reserve_lines(lines, &LIMITS, || true);
        // So many are pending before: 0, 1, 3, 5, 6, 8, 10.
        let woken = [1, 2, 2, 1, 2, 2, 1].map(|lines| reserve(lines).unwrap());
        assert_eq!(woken, [true, false, true, false, true, false, true]);
        assert!(quota.is_over(&LIMITS));
        assert_eq!(reserve(1), Err(Full::Lines { pending: 11 }));
        quota.release(1, 0);
        assert!(!quota.is_over(&LIMITS));
        assert_eq!((quota.lines(), quota.waiting()), (10, 11));
    }

    #[test]
    fn no_line_is_taken_when_there_is_no_room_for_its_bytes() {
        let quota = Quota::default();
        for bytes in [50, 49] {
            quota.reserve_bytes(bytes, &LIMITS, || false).unwrap();
        }
        assert_eq!(quota.reserve_lines(1, &LIMITS, || false), Ok(true));
        quota.reserve_bytes(1, &LIMITS, || false).unwrap();
        let full = quota.reserve_lines(1, &LIMITS, || false);
        assert_eq!(full, Err(Full::Bytes { pending: 100 }));
        assert_eq!((quota.lines(), quota.waiting()), (1, 1));
    }
}
