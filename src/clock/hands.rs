//! How the threads of a process share out the nanoseconds, without a counter that all would queue
//! for: of each 64, every thread has one to itself.

use std::{
    cell::Cell,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use parking_lot::Mutex;

/// One more than there are threads with a hand of their own.
const HANDS: i64 = 64;

/// What gives stamps to one thread: those that leave this remainder when divided by [`HANDS`].
#[derive(Debug)]
pub(super) struct Hand {
    remainder: i64,
    last: Cell<i64>,
}

/// What gives stamps to the threads that have no hand of their own.
#[derive(Debug)]
pub(super) struct SharedHand(AtomicI64);

pub(super) static SHARED: SharedHand = SharedHand(AtomicI64::new(i64::MIN));

/// Those that no thread has.
static FREE: Mutex<FreeHands> = Mutex::new(FreeHands {
    next: 0,
    returned: Vec::new(),
});

struct FreeHands {
    next: i64,
    returned: Vec<(i64, i64)>,
}

thread_local! {
    /// None if there are too many threads.
    pub(super) static HAND: Option<Hand> = FREE.lock().take();
}

impl FreeHands {
    fn take(&mut self) -> Option<Hand> {
        let (remainder, last) = self.returned.pop().or_else(|| {
            let remainder = self.next;
            self.next += 1;
            (remainder < HANDS - 1).then_some((remainder, i64::MIN))
        })?;
        Some(Hand {
            remainder,
            last: last.into(),
        })
    }
}

impl Hand {
    /// The first stamp of this hand that is not before `now` and was not given.
    #[inline]
    pub(super) fn next(&self, now: i64) -> i64 {
        let next = following(self.last.get(), now, self.remainder);
        self.last.set(next);
        next
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // The next thread that has it goes on from there, also if the clock is set back.
        FREE.lock().returned.push((self.remainder, self.last.get()));
    }
}

impl SharedHand {
    pub(super) fn next(&self, now: i64) -> i64 {
        let next = |last| following(last, now, HANDS - 1);
        let last = self
            .0
            .fetch_update(Relaxed, Relaxed, |last| Some(next(last)));
        next(last.unwrap_or(i64::MIN))
    }
}

#[inline]
fn following(last: i64, now: i64, remainder: i64) -> i64 {
    let up = now.saturating_add(HANDS - 1) & !(HANDS - 1);
    (up | remainder).max(last.saturating_add(HANDS))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        mem::ManuallyDrop,
        sync::{Arc, Barrier},
        thread,
    };

    use super::*;
    use crate::Timestamp;

    #[test]
    fn a_clock_that_stands_still_or_is_set_back_goes_on_in_small_steps() {
        let mut last = i64::MIN;
        let given = [100, 100, 40, 100, 1_000].map(|now| {
            last = following(last, now, 5);
            last
        });
        assert_eq!(given, [133, 197, 261, 325, 1_029]);
    }

    #[test]
    fn a_stamp_is_at_or_shortly_after_the_time_whatever_the_hand() {
        for remainder in 0..HANDS {
            for now in -130..130 {
                let stamp = following(i64::MIN, now, remainder);
                assert!((now..now + 2 * HANDS).contains(&stamp), "{now} {remainder}");
                assert_eq!(stamp.rem_euclid(HANDS), remainder);
            }
        }
    }

    #[test]
    fn more_threads_than_there_are_hands_never_get_one_stamp_twice() {
        const THREADS: usize = 3 * HANDS as usize;
        let all_are_there = Arc::new(Barrier::new(THREADS));
        let run = |_| {
            let all_are_there = Arc::clone(&all_are_there);
            thread::spawn(move || {
                let first = Timestamp::now();
                all_are_there.wait();
                let more = (0..500).map(|_| Timestamp::now());
                more.chain([first]).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        let stamps = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        assert_eq!(stamps.collect::<HashSet<_>>().len(), THREADS * 501);
    }

    #[test]
    fn a_thread_that_gets_the_hand_of_one_that_has_ended_goes_on_where_that_stopped() {
        let mut free = FreeHands {
            next: HANDS - 2,
            returned: Vec::new(),
        };
        // It isn't one of this process: it must not come back.
        let hand = ManuallyDrop::new(free.take().unwrap());
        assert!(free.take().is_none());
        let ahead = hand.next(1_000_000);
        free.returned.push((hand.remainder, hand.last.get()));
        let again = ManuallyDrop::new(free.take().unwrap());
        assert!(again.next(0) > ahead);
    }
}
