//! Allows one update of the settings at a time, and none within another.

use std::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use parking_lot::{Condvar, Mutex};

use crate::{ConfigError, influx::own_thread};

thread_local! {
    /// The locks held by this thread: several if it updates a pipeline within the update of
    /// another.
    static HELD: RefCell<Vec<LockId>> = const { RefCell::new(Vec::new()) };
}

/// The update lock of a pipeline. The program's closure runs while it is held and may do anything,
/// so only other updates wait for it.
#[derive(Debug, Default)]
pub(crate) struct UpdateLock {
    state: Mutex<State>,
    is_free: Condvar,
}

/// Identifies a held lock by its address.
pub(crate) type LockId = usize;

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    /// Wakers of updates that wait without blocking.
    wakers: Vec<Waker>,
}

/// Releases the lock when dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct UpdateGuard<'a>(&'a UpdateLock);

/// Why an update can't have the lock now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockError {
    /// This thread, or the sender of the message, is within another update.
    Reentrant,
    /// Another thread holds the lock.
    Busy,
}

impl UpdateLock {
    /// Waits for the lock; not on a thread of this crate, as delivery would stop meanwhile.
    pub(crate) fn take(&self) -> Result<UpdateGuard<'_>, LockError> {
        if self.is_held_here() {
            return Err(LockError::Reentrant);
        }
        let mut state = self.state.lock();
        while state.is_taken {
            if own_thread::is_here() {
                return Err(LockError::Busy);
            }
            self.is_free.wait(&mut state);
        }
        Ok(self.taken(&mut state))
    }

    pub(crate) fn try_take(&self) -> Result<UpdateGuard<'_>, LockError> {
        if self.is_held_here() {
            return Err(LockError::Reentrant);
        }
        let mut state = self.state.lock();
        match state.is_taken {
            true => Err(LockError::Busy),
            false => Ok(self.taken(&mut state)),
        }
    }

    /// Waits for the lock without blocking the thread.
    pub(crate) async fn lock_async(&self) -> UpdateGuard<'_> {
        poll_fn(|context| {
            let mut state = self.state.lock();
            if state.is_taken {
                state.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(self.taken(&mut state))
        })
        .await
    }

    fn taken(&self, state: &mut State) -> UpdateGuard<'_> {
        state.is_taken = true;
        // A thread that is ending has no list any more, and needs none.
        _ = HELD.try_with(|taken| taken.borrow_mut().push(self.id()));
        UpdateGuard(self)
    }

    fn is_held_here(&self) -> bool {
        held_here().contains(&self.id())
    }

    pub(crate) fn id(&self) -> LockId {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for UpdateGuard<'_> {
    fn drop(&mut self) {
        let UpdateLock { state, is_free } = self.0;
        _ = HELD.try_with(|taken| taken.borrow_mut().retain(|id| *id != self.0.id()));
        let wakers = {
            let mut state = state.lock();
            state.is_taken = false;
            std::mem::take(&mut state.wakers)
        };
        is_free.notify_one();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The locks held by this thread.
pub(crate) fn held_here() -> Vec<LockId> {
    let taken = HELD.try_with(|taken| taken.borrow().clone());
    taken.unwrap_or_default()
}

impl From<LockError> for ConfigError {
    fn from(error: LockError) -> Self {
        let (value, allowed) = match error {
            LockError::Reentrant => (
                "called inside an update",
                "nothing was changed, make all changes in one closure",
            ),
            LockError::Busy => (
                "called on the delivery thread, while another update runs",
                "nothing was changed, call it from another thread",
            ),
        };
        ConfigError::new("update", value, allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::mpsc::channel,
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn a_turn_inside_of_ones_own_is_refused_and_one_of_another_pipeline_is_not() {
        let (turn, other) = (UpdateLock::default(), UpdateLock::default());
        let taken = turn.take().unwrap();
        assert_eq!(turn.take().unwrap_err(), LockError::Reentrant);
        assert_eq!(turn.try_take().unwrap_err(), LockError::Reentrant);
        drop(other.take().unwrap());
        assert_eq!(held_here(), [turn.id()]);
        drop(taken);
        drop(turn.take().unwrap());
        assert!(held_here().is_empty());
    }

    #[test]
    fn a_panic_gives_the_turn_back() {
        let turn = UpdateLock::default();
        let panics = AssertUnwindSafe(|| {
            let _taken = turn.take().unwrap();
            panic!("on purpose");
        });
        assert!(catch_unwind(panics).is_err());
        drop(turn.try_take().unwrap());
    }

    #[test]
    fn another_thread_waits_for_its_turn() {
        let turn = UpdateLock::default();
        let taken = turn.take().unwrap();
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(turn.try_take().unwrap_err(), LockError::Busy);
                sender.send("waits").unwrap();
                let _taken = turn.take().unwrap();
                sender.send("has it").unwrap();
            });
            let next = || receiver.recv_timeout(Duration::from_secs(20));
            assert_eq!(next(), Ok("waits"));
            assert!(receiver.try_recv().is_err());
            drop(taken);
            assert_eq!(next(), Ok("has it"));
        });
    }

    #[test]
    fn the_crates_own_thread_does_not_block_for_its_turn() {
        let turn = UpdateLock::default();
        let _taken = turn.take().unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                own_thread::mark();
                turn.take().map(drop)
            });
            assert_eq!(other.join().unwrap(), Err(LockError::Busy));
        });
    }

    #[actix::test]
    async fn who_waits_without_blocking_is_woken() {
        let turn = UpdateLock::default();
        let taken = turn.take().unwrap();
        let mut later = std::pin::pin!(turn.lock_async());
        let first = poll_fn(|context| Poll::Ready(later.as_mut().poll(context).is_pending()));
        assert!(first.await);
        thread::scope(|scope| {
            // Only that it is on its way elsewhere: this thread is the one that is inside.
            scope.spawn(|| assert_eq!(turn.try_take().unwrap_err(), LockError::Busy));
        });
        drop(taken);
        drop(later.await);
        drop(turn.try_take().unwrap());
    }
}
