//! Room under the quota, reserved before a line is encoded, and released if nothing comes of it.

use std::mem;

use super::quota::{Full, Limits, Quota};

/// Room that a thread buffer has reserved under the quota, and has not used yet: so that not every
/// measurement touches what all threads share.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    lines: usize,
    bytes: usize,
    /// What was reserved since the thread buffer was last drained.
    reserved_lines: usize,
    reserved_bytes: usize,
    /// The buffer actor is to be woken when the measurement is in its thread buffer.
    wake: bool,
}

/// Room for one line, which is released by the drop unless it is [committed](Self::commit).
#[derive(Debug)]
#[must_use = "the room is released when this is dropped"]
pub(crate) struct Reservation<'a> {
    allowance: &'a mut Allowance,
    quota: &'a Quota,
}

/// At most so many lines and bytes at a time; and the first times no more than it has had by then.
const MOST_LINES: usize = 64;
const MOST_BYTES: usize = 16 << 10;

/// Of the room that is left, the part that is reserved at a time: what other thread buffers have and
/// don't use must not make the buffer full.
const LIMIT_PART: usize = 1_024;

/// Of the way to the trigger size and the threshold for the warning, the part that is reserved at a
/// time: what others don't use makes them come early by that.
const WAY_PART: usize = 16;

impl Allowance {
    /// Reserves room for one line, before it is encoded. Where that is more than the limit,
    /// `may_exceed` says whether it may use the margin.
    #[inline]
    pub(crate) fn reserve<'a>(
        &'a mut self,
        quota: &'a Quota,
        limits: &Limits,
        may_exceed: impl Fn() -> bool,
    ) -> Result<Reservation<'a>, Full> {
        if self.lines == 0 {
            self.reserve_more_lines(quota, limits, may_exceed)?;
        }
        self.lines -= 1;
        Ok(Reservation {
            allowance: self,
            quota,
        })
    }

    #[inline(never)]
    fn reserve_more_lines(
        &mut self,
        quota: &Quota,
        limits: &Limits,
        may_exceed: impl Fn() -> bool,
    ) -> Result<(), Full> {
        let pending = quota.lines();
        let way = |to: usize, at: usize| match to > at {
            true => (to - at) / WAY_PART,
            false => usize::MAX,
        };
        let lines = MOST_LINES
            .min(self.reserved_lines)
            .min(limits.lines.saturating_sub(pending) / LIMIT_PART)
            .min(way(limits.warn_lines, pending))
            .min(way(limits.trigger, quota.waiting()))
            .max(1);
        self.note(quota.reserve_lines(lines, limits, may_exceed), quota)?;
        self.lines = lines;
        self.reserved_lines += lines;
        Ok(())
    }

    #[inline(never)]
    fn reserve_more_bytes(
        &mut self,
        needed: usize,
        quota: &Quota,
        limits: &Limits,
        may_exceed: impl FnOnce() -> bool,
    ) -> Result<(), Full> {
        let left = limits.bytes.saturating_sub(quota.bytes());
        let more = MOST_BYTES.min(self.reserved_bytes).min(left / LIMIT_PART);
        let bytes = needed + more;
        self.note(quota.reserve_bytes(bytes, limits, may_exceed), quota)?;
        self.bytes += bytes;
        self.reserved_bytes += bytes;
        Ok(())
    }

    /// Notes whether the buffer actor is to be woken; for the first refusal too, to report it.
    fn note(&mut self, reserved: Result<bool, Full>, quota: &Quota) -> Result<(), Full> {
        self.wake |= reserved.unwrap_or_else(|_| quota.lose());
        reserved.map(drop)
    }

    /// How many lines the thread buffer holds.
    #[inline]
    pub(super) fn used(&self) -> usize {
        self.reserved_lines - self.lines
    }

    /// Is the buffer actor to be woken, for what has been asked for since the last call?
    #[inline]
    pub(super) fn take_wake(&mut self) -> bool {
        mem::take(&mut self.wake)
    }

    /// The thread buffer is empty: what it has not used is released. It keeps only the wake.
    pub(super) fn release(&mut self, quota: &Quota) {
        quota.release(self.lines, self.bytes);
        quota.drained(self.reserved_lines);
        *self = Self {
            wake: self.wake,
            ..Self::default()
        };
    }
}

impl Reservation<'_> {
    /// The buffer actor is to be woken, whatever comes of the line.
    pub(crate) fn wake(&mut self) {
        self.allowance.wake = true;
    }

    /// The line has so many bytes and stays, if there is room for these too.
    #[inline]
    pub(crate) fn commit(
        self,
        bytes: usize,
        limits: &Limits,
        may_exceed: impl FnOnce() -> bool,
    ) -> Result<(), Full> {
        if self.allowance.bytes < bytes {
            let needed = bytes - self.allowance.bytes;
            self.allowance
                .reserve_more_bytes(needed, self.quota, limits, may_exceed)?;
        }
        self.allowance.bytes -= bytes;
        mem::forget(self);
        Ok(())
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.allowance.lines += 1;
        if self.allowance.used() == 0 {
            self.allowance.release(self.quota);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(lines: usize, trigger: usize) -> Limits {
        Limits {
            lines,
            bytes: 128 << 20,
            line_bytes: 1 << 30,
            warn_lines: lines,
            trigger: trigger.min(lines),
        }
    }

    /// Puts lines of 100 bytes each; says after how many the buffer actor was woken.
    fn put(allowance: &mut Allowance, quota: &Quota, limits: &Limits, lines: usize) -> Vec<usize> {
        let mut woken = Vec::new();
        for line in 1..=lines {
            let Ok(room) = allowance.reserve(quota, limits, || false) else {
                break;
            };
            room.commit(100, limits, || false).unwrap();
            if allowance.take_wake() {
                woken.push(line);
            }
        }
        woken
    }

    #[test]
    fn one_thread_wakes_for_its_first_line_and_at_the_trigger_size_exactly() {
        for trigger in [2, 17, 1_000, 5_000] {
            let (quota, limits) = (Quota::default(), limits(500_000, trigger));
            let woken = put(&mut Allowance::default(), &quota, &limits, trigger + 100);
            assert_eq!(woken, [1, trigger]);
        }
    }

    #[test]
    fn what_other_threads_have_and_do_not_use_never_makes_a_small_buffer_full() {
        let (quota, limits) = (Quota::default(), limits(1_000, 5_000));
        let mut allowances: [Allowance; 8] = Default::default();
        for allowance in &mut allowances {
            put(allowance, &quota, &limits, 50);
        }
        assert_eq!(quota.lines(), 8 * 50);
        put(&mut allowances[0], &quota, &limits, 10_000);
        assert_eq!(quota.lines(), 1_000);
    }

    #[test]
    fn of_a_large_buffer_they_have_little() {
        let (quota, limits) = (Quota::default(), limits(500_000, 1_000_000));
        let mut allowances: [Allowance; 8] = Default::default();
        for allowance in &mut allowances {
            put(allowance, &quota, &limits, 1_000);
        }
        let unused = quota.lines() - 8_000;
        assert!(unused <= 8 * MOST_LINES, "{unused}");
    }

    #[test]
    fn all_that_is_not_used_is_released() {
        let (quota, limits) = (Quota::default(), limits(500_000, 5_000));
        let mut allowance = Allowance::default();
        put(&mut allowance, &quota, &limits, 300);
        assert_eq!(allowance.used(), 300);
        assert!(quota.lines() > 300 && quota.waiting() > 300);
        assert!(quota.bytes() > 300 * 100);
        allowance.release(&quota);
        assert_eq!((quota.lines(), quota.waiting()), (300, 0));
        quota.release(300, 300 * 100);
        assert_eq!(quota.bytes(), 0);
    }

    #[test]
    fn what_is_reserved_is_what_is_needed_and_as_much_as_was_reserved_before() {
        let (quota, limits) = (Quota::default(), limits(500_000, 5_000));
        let mut allowance = Allowance::default();
        let reserved = [100, 100, 150].map(|bytes| {
            let room = allowance.reserve(&quota, &limits, || false).unwrap();
            room.commit(bytes, &limits, || false).unwrap();
            (quota.lines(), quota.bytes())
        });
        assert_eq!(reserved, [(1, 100), (2, 300), (4, 650)]);
    }

    #[test]
    fn room_that_was_reserved_can_be_used_when_there_is_no_other() {
        let (quota, limits) = (Quota::default(), limits(500_000, 5_000));
        let mut allowance = Allowance::default();
        put(&mut allowance, &quota, &limits, 6);
        let all = limits.bytes + 1 - quota.bytes();
        quota.reserve_bytes(all, &limits, || true).unwrap();
        assert_eq!(allowance.bytes, 100);
        put(&mut allowance, &quota, &limits, 1);
        assert_eq!((allowance.used(), allowance.bytes), (7, 0));
    }

    #[test]
    fn a_reservation_that_is_dropped_leaves_nothing_but_the_wake() {
        let (quota, limits) = (Quota::default(), limits(10, 5));
        let mut allowance = Allowance::default();
        drop(allowance.reserve(&quota, &limits, || false).unwrap());
        assert_eq!(
            (quota.lines(), quota.waiting(), allowance.used()),
            (0, 0, 0)
        );
        assert!(allowance.take_wake());
    }

    #[test]
    fn a_line_without_room_for_its_bytes_leaves_nothing_but_the_wake() {
        let (quota, limits) = (Quota::default(), limits(10, 5));
        let mut allowance = Allowance::default();
        let room = allowance.reserve(&quota, &limits, || false).unwrap();
        let full = room.commit(limits.bytes + 1, &limits, || false);
        assert_eq!(full, Err(Full::Bytes { pending: 0 }));
        assert_eq!((quota.lines(), quota.bytes(), quota.waiting()), (0, 0, 0));
        assert!(allowance.take_wake());
        assert!(quota.take_lost());
    }

    #[test]
    fn whether_a_line_may_exceed_the_limit_is_asked_only_beyond_it() {
        let (quota, limits) = (Quota::default(), limits(10, 100));
        let mut allowance = Allowance::default();
        let mut reserve = |may_exceed: fn() -> bool| {
            let room = allowance.reserve(&quota, &limits, may_exceed)?;
            room.commit(1, &limits, may_exceed)
        };
        for _ in 0..10 {
            reserve(|| unreachable!("there is room")).unwrap();
        }
        assert_eq!(reserve(|| false), Err(Full::Lines { pending: 10 }));
        reserve(|| true).unwrap();
        let beyond = reserve(|| unreachable!("there is none"));
        assert_eq!(beyond, Err(Full::Lines { pending: 11 }));
    }
}
