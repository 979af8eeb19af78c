//! How the threads of a process share out the nanoseconds, without a counter that all would queue
//! for: of each 64, every thread has one to itself.

use std::cell::Cell;

use parking_lot::Mutex;

/// One more than there are threads with a hand of their own.
const HANDS: i64 = 64;

/// What gives stamps to one thread: those that leave this remainder when divided by [`HANDS`].
#[derive(Debug)]
pub(super) struct Hand {
    remainder: i64,
    given: Cell<Given>,
}

/// What gives stamps to the threads that have no hand of their own.
#[derive(Debug)]
pub(super) struct SharedHand(Mutex<Given>);

pub(super) static SHARED: SharedHand = SharedHand(Mutex::new(Given::NOTHING));

/// What a hand has given last, and the time by the system's clock that it was for.
#[derive(Clone, Copy, Debug)]
struct Given {
    last: i64,
    /// Not to be told from `last`: stamps are ahead of the clock where they are asked for faster
    /// than it goes.
    seen: i64,
}

/// The clock may be set back by so many nanoseconds before stamps follow.
const STEP: i64 = 1_000_000_000;

/// Those that no thread has.
static FREE: Mutex<FreeHands> = Mutex::new(FreeHands {
    next: 0,
    returned: Vec::new(),
});

struct FreeHands {
    next: i64,
    returned: Vec<(i64, Given)>,
}

thread_local! {
    /// None if there are too many threads.
    pub(super) static HAND: Option<Hand> = FREE.lock().take();
}

impl FreeHands {
    fn take(&mut self) -> Option<Hand> {
        let (remainder, given) = self.returned.pop().or_else(|| {
            let remainder = self.next;
            self.next += 1;
            (remainder < HANDS - 1).then_some((remainder, Given::NOTHING))
        })?;
        Some(Hand {
            remainder,
            given: given.into(),
        })
    }
}

impl Hand {
    /// The first stamp of this hand that is not before `now` and was not given; or, if the clock
    /// was set back by more than [`STEP`], that is not before `now`.
    #[inline]
    pub(super) fn next(&self, now: i64) -> i64 {
        let given = self.given.get().followed_by(now, self.remainder);
        self.given.set(given);
        given.last
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // The next thread that has it goes on from there.
        let returned = (self.remainder, self.given.get());
        FREE.lock().returned.push(returned);
    }
}

impl SharedHand {
    /// `now` is asked for when nobody else has the hand: a time that a thread has carried about for
    /// a while would look like a clock that was set back.
    pub(super) fn next(&self, now: impl FnOnce() -> i64) -> i64 {
        let mut given = self.0.lock();
        *given = given.followed_by(now(), HANDS - 1);
        given.last
    }
}

impl Given {
    const NOTHING: Self = Self {
        last: i64::MIN,
        seen: i64::MIN,
    };

    #[inline]
    fn followed_by(self, now: i64, remainder: i64) -> Self {
        let last = match self.seen.saturating_sub(STEP) > now {
            true => i64::MIN,
            false => self.last,
        };
        let up = now.saturating_add(HANDS - 1) & !(HANDS - 1);
        Self {
            last: (up | remainder).max(last.saturating_add(HANDS)),
            seen: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        mem::ManuallyDrop,
        sync::{Arc, Barrier},
        thread,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    /// A time of day, in nanoseconds.
    const NOON: i64 = 1_700_000_000 * SECOND;
    const SECOND: i64 = 1_000_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    fn hand(remainder: i64) -> ManuallyDrop<Hand> {
        // It isn't one of this process: it must not come back.
        ManuallyDrop::new(Hand {
            remainder,
            given: Given::NOTHING.into(),
        })
    }

    #[test]
    fn a_clock_that_stands_still_or_is_set_back_a_little_goes_on_in_small_steps() {
        let hand = hand(5);
        let given = [100, 100, 40, 100, 1_000].map(|now| hand.next(now));
        assert_eq!(given, [133, 197, 261, 325, 1_029]);
        assert_eq!(hand.next(NOON), NOON + 5);
        assert_eq!(hand.next(NOON - SECOND), NOON + 5 + HANDS);
    }

    #[test]
    fn a_clock_that_is_set_back_by_more_than_a_second_or_forward_is_followed_at_once() {
        let hand = hand(5);
        for now in [
            NOON,
            NOON - SECOND - 1,
            NOON - HOUR,
            NOON + 20 * 365 * 24 * HOUR,
            NOON,
            NOON + HOUR,
            0,
            NOON,
            -NOON,
        ] {
            for later in [0, 1_000, 2_000] {
                let stamp = hand.next(now + later);
                let ahead = stamp - (now + later);
                assert!((0..2 * HANDS).contains(&ahead), "{now} {later}: {ahead}");
            }
        }
    }

    #[test]
    fn threads_that_have_no_hand_share_one_that_no_thread_has() {
        let shared = SharedHand(Mutex::new(Given::NOTHING));
        for now in [0, 1, NOON, NOON] {
            assert_eq!(shared.next(|| now) % HANDS, HANDS - 1);
        }
    }

    #[test]
    fn the_hand_of_a_thread_that_has_ended_is_anothers() {
        let has_hand = || thread::spawn(|| HAND.with(Option::is_some)).join().unwrap();
        let has_hand: Vec<_> = (0..3 * HANDS).map(|_| has_hand()).collect();
        // Other tests may have them all, but not all the time.
        assert!(has_hand[2 * HANDS as usize..].contains(&true));
    }

    #[test]
    fn stamps_that_are_asked_for_faster_than_the_clock_goes_are_no_step_of_it() {
        let hand = hand(5);
        let mut last = i64::MIN;
        // Each takes 20 ns; by then they are 2 seconds ahead.
        for count in 0..50_000_000 {
            let stamp = hand.next(NOON + 20 * count);
            assert!(stamp > last);
            last = stamp;
        }
        assert!(last > NOON + 3 * SECOND);
    }

    proptest! {
        #[test]
        fn no_two_stamps_are_equal_while_no_step_back_is_longer_than_a_second(
            readings in prop::collection::vec((0..4_i64, -2 * HANDS..2 * HANDS, 0..20_i64), 1..300),
        ) {
            let hands = [0, 1, 7, HANDS - 1].map(hand);
            let mut seen = [NOON; 4];
            let mut given = HashSet::new();
            for (at, nanoseconds, kind) in readings {
                let at = at as usize;
                // Mostly it stands nearly still; sometimes it jumps.
                let now = seen[at] + match kind {
                    0 => -SECOND,
                    1 => HOUR,
                    2 => -SECOND / 2,
                    _ => nanoseconds,
                };
                seen[at] = now;
                let stamp = hands[at].next(now);
                prop_assert!(stamp >= now);
                prop_assert!(given.insert(stamp), "{stamp} twice");
            }
        }

        #[test]
        fn stamps_go_on_from_wherever_the_clock_is_set(
            times in prop::collection::vec(-2 * NOON..2 * NOON, 1..50),
        ) {
            let hand = hand(5);
            let mut seen = times[0];
            for now in times {
                let stamp = hand.next(now);
                let is_followed = now > seen || seen - now > SECOND;
                prop_assert!(!is_followed || (now..now + 2 * HANDS).contains(&stamp));
                seen = now;
            }
        }
    }

    #[test]
    fn a_stamp_is_at_or_shortly_after_the_time_whatever_the_hand() {
        for remainder in 0..HANDS {
            for now in -130..130 {
                let stamp = hand(remainder).next(now);
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
        let hand = ManuallyDrop::new(free.take().unwrap());
        assert!(free.take().is_none());
        let ahead = hand.next(1_000_000);
        free.returned.push((hand.remainder, hand.given.get()));
        let again = ManuallyDrop::new(free.take().unwrap());
        assert!(again.next(0) > ahead);
    }
}
