//! Who wakes the buffer actor, and what it then does: so that nothing stays in a thread buffer
//! without a timer that runs for it, nor the trigger size without a drain.
//!
//! A recording thread sends the wake in [`Guarded::put`], after its line is there. Whoever
//! finds that nothing waits yet, or passes the trigger size, has to send one, *whatever becomes of
//! its own line*: others, who have seen its room taken, rely on that.

use super::{
    quota::{Limits, Quota},
    reservation::Allowance,
    sync::Mutex,
};

/// What a recording thread leaves for the buffer actor, and the room that it has reserved.
#[derive(Debug)]
pub(crate) struct Guarded<C>(Mutex<(C, Allowance)>);

/// What the buffer actor has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Drain the thread buffers.
    Drain,
    /// See to it that the interval's timer runs.
    Interval,
    Nothing,
}

impl<C> Guarded<C> {
    pub(crate) fn new(contents: C) -> Self {
        Self(Mutex::new((contents, Allowance::default())))
    }

    /// For the thread that records. `wake` is called if the buffer actor has to be woken, when the
    /// lock is free again.
    #[inline]
    pub(crate) fn put<R>(
        &self,
        wake: impl FnOnce(),
        put: impl FnOnce(&mut C, &mut Allowance) -> R,
    ) -> R {
        let mut locked = self.0.lock();
        let (contents, allowance) = &mut *locked;
        let result = put(contents, allowance);
        let is_due = allowance.take_wake();
        drop(locked);
        if is_due {
            wake();
        }
        result
    }

    /// For the buffer actor: `take` leaves no lines.
    pub(crate) fn drain<R>(&self, quota: &Quota, take: impl FnOnce(&mut C) -> R) -> R {
        let (contents, allowance) = &mut *self.0.lock();
        allowance.release(quota);
        take(contents)
    }

    /// What is there; `look` is told how many lines.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut C, usize) -> R) -> R {
        let (contents, allowance) = &mut *self.0.lock();
        look(contents, allowance.used())
    }
}

impl Quota {
    /// When the buffer actor was woken.
    pub(crate) fn due(&self, limits: &Limits) -> Due {
        match self.has_lost() || self.is_over(limits) {
            true => Due::Drain,
            false => self.due_after_drain(limits),
        }
    }

    /// When all thread buffers have been drained. Lines that have come since may have been taken
    /// for others that waited, so that nobody sends a wake for them.
    pub(crate) fn due_after_drain(&self, limits: &Limits) -> Due {
        match self.waiting() {
            waiting if waiting >= limits.trigger => Due::Drain,
            0 => Due::Nothing,
            _ => Due::Interval,
        }
    }
}
