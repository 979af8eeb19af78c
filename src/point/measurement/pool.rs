//! The memory of measurements that are recorded, for those to come.
//!
//! Most are recorded by the thread that makes them. Those that are sent to the buffer actor come to
//! an end on its thread, which makes none: it returns their memory, many at a time. (If it freed
//! it, the two threads would queue for the allocator.)

use std::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use parking_lot::Mutex;

use super::Contents;

/// How many a thread keeps to itself, and how many it takes or hands back at once.
const KEPT: usize = 128;
const AT_ONCE: usize = 64;

/// How many are kept for all.
const RETURNED: usize = 1_024;

type Memory = Vec<Box<Contents>>;

thread_local! {
    static POOL: RefCell<Memory> = const { RefCell::new(Vec::new()) };
}

static FOR_ALL: Mutex<Memory> = Mutex::new(Vec::new());

/// Is there any for all? So that a thread that needs some looks before it asks.
static IS_ANY: AtomicBool = AtomicBool::new(false);

/// The memory of a measurement that is no more, if there is some at once.
#[inline]
pub(super) fn take() -> Option<Box<Contents>> {
    let take = |pool: &RefCell<Memory>| {
        let mut pool = pool.borrow_mut();
        if pool.is_empty() && IS_ANY.load(Relaxed) {
            refill(&mut pool);
        }
        pool.pop()
    };
    // A thread that is ending has no pool any longer.
    POOL.try_with(take).ok()?
}

#[cold]
fn refill(pool: &mut Memory) {
    if let Some(mut for_all) = FOR_ALL.try_lock() {
        let from = for_all.len().saturating_sub(AT_ONCE);
        pool.extend(for_all.drain(from..));
        IS_ANY.store(from > 0, Relaxed);
    }
}

/// Keeps memory that holds nothing any more.
#[inline]
pub(super) fn keep(contents: Box<Contents>) {
    let keep = |pool: &RefCell<Memory>| {
        let mut pool = pool.borrow_mut();
        pool.push(contents);
        if pool.len() > KEPT {
            return_some(&mut pool);
        }
    };
    _ = POOL.try_with(keep);
}

#[cold]
fn return_some(pool: &mut Memory) {
    let surplus = pool.drain(KEPT - AT_ONCE..);
    if let Some(mut for_all) = FOR_ALL.try_lock()
        && for_all.len() < RETURNED
    {
        for_all.extend(surplus);
        IS_ANY.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::Measurement;

    fn memory(count: usize) -> Memory {
        (0..count).map(|_| Measurement::new("db", "m").0).collect()
    }

    fn pool() -> usize {
        POOL.with_borrow(Vec::len)
    }

    #[test]
    fn what_one_thread_keeps_another_takes() {
        memory(4 * KEPT).into_iter().for_each(keep);
        assert!((1..=KEPT).contains(&pool()));
        let other = thread::spawn(|| {
            // Other tests take some too, and the lock may be theirs just now.
            (0..100_000).any(|_| take().is_some())
        });
        assert!(other.join().unwrap());
    }

    #[test]
    fn a_measurement_that_is_recorded_leaves_its_memory_to_the_next() {
        let measurement = Measurement::new("db", "m")
            .tag("a", "b".repeat(9))
            .field("f", 1);
        let address = std::ptr::from_ref(&*measurement.0);
        measurement.recycle();
        let next = Measurement::new("db", "m");
        assert_eq!(std::ptr::from_ref(&*next.0), address);
        assert!(next.0.tags.len() + next.0.fields.len() == 0);
    }

    #[test]
    fn not_more_is_kept_than_is_worth_it() {
        memory(4 * RETURNED).into_iter().for_each(keep);
        assert!(pool() <= KEPT);
        assert!(FOR_ALL.lock().len() < RETURNED + KEPT);
    }
}
