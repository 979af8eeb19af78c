//! Lets one update of the settings run at a time, and none inside another.

use std::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use parking_lot::{Condvar, Mutex};

use crate::{ConfigError, influx::own_thread};

thread_local! {
    /// The turns that this thread has: more than one if it updates a pipeline inside the update of
    /// another.
    static TAKEN: RefCell<Vec<TurnId>> = const { RefCell::new(Vec::new()) };
}

/// The turn of one pipeline. The program's closure runs while it is taken and may do anything, so
/// only other updates wait for it.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    state: Mutex<State>,
    is_free: Condvar,
}

/// Identifies a pipeline's turn while it is taken: its address.
pub(crate) type TurnId = usize;

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    /// Wakers of those that wait without blocking.
    wakers: Vec<Waker>,
}

/// Releases the turn when dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Taken<'a>(&'a Turn);

/// Why an update can't have the turn now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// This thread, or the sender of the message, is inside of another update.
    Inside,
    /// Another thread has the turn.
    Busy,
}

impl Turn {
    /// Waits for the turn; not on a thread of this crate, where delivery would stop meanwhile.
    pub(crate) fn take(&self) -> Result<Taken<'_>, Refused> {
        if self.is_inside() {
            return Err(Refused::Inside);
        }
        let mut state = self.state.lock();
        while state.is_taken {
            if own_thread::is_here() {
                return Err(Refused::Busy);
            }
            self.is_free.wait(&mut state);
        }
        Ok(self.taken(&mut state))
    }

    pub(crate) fn try_take(&self) -> Result<Taken<'_>, Refused> {
        if self.is_inside() {
            return Err(Refused::Inside);
        }
        let mut state = self.state.lock();
        match state.is_taken {
            true => Err(Refused::Busy),
            false => Ok(self.taken(&mut state)),
        }
    }

    /// Waits for the turn without blocking the thread.
    pub(crate) async fn taken_later(&self) -> Taken<'_> {
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

    fn taken(&self, state: &mut State) -> Taken<'_> {
        state.is_taken = true;
        // A thread that is ending has no list any more, and needs none.
        _ = TAKEN.try_with(|taken| taken.borrow_mut().push(self.id()));
        Taken(self)
    }

    fn is_inside(&self) -> bool {
        taken_here().contains(&self.id())
    }

    pub(crate) fn id(&self) -> TurnId {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Turn { state, is_free } = self.0;
        _ = TAKEN.try_with(|taken| taken.borrow_mut().retain(|id| *id != self.0.id()));
        let wakers = {
            let mut state = state.lock();
            state.is_taken = false;
            std::mem::take(&mut state.wakers)
        };
        is_free.notify_one();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Returns the turns that this thread has.
pub(crate) fn taken_here() -> Vec<TurnId> {
    let taken = TAKEN.try_with(|taken| taken.borrow().clone());
    taken.unwrap_or_default()
}

impl From<Refused> for ConfigError {
    fn from(refused: Refused) -> Self {
        let (value, allowed) = match refused {
            Refused::Inside => (
                "called inside of an update",
                "nothing was changed, make all changes in one closure",
            ),
            Refused::Busy => (
                "called on the thread that delivers, while another update runs",
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
        let (turn, other) = (Turn::default(), Turn::default());
        let taken = turn.take().unwrap();
        assert_eq!(turn.take().unwrap_err(), Refused::Inside);
        assert_eq!(turn.try_take().unwrap_err(), Refused::Inside);
        drop(other.take().unwrap());
        assert_eq!(taken_here(), [turn.id()]);
        drop(taken);
        drop(turn.take().unwrap());
        assert!(taken_here().is_empty());
    }

    #[test]
    fn a_panic_gives_the_turn_back() {
        let turn = Turn::default();
        let panics = AssertUnwindSafe(|| {
            let _taken = turn.take().unwrap();
            panic!("on purpose");
        });
        assert!(catch_unwind(panics).is_err());
        drop(turn.try_take().unwrap());
    }

    #[test]
    fn another_thread_waits_for_its_turn() {
        let turn = Turn::default();
        let taken = turn.take().unwrap();
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(turn.try_take().unwrap_err(), Refused::Busy);
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
        let turn = Turn::default();
        let _taken = turn.take().unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                own_thread::mark();
                turn.take().map(drop)
            });
            assert_eq!(other.join().unwrap(), Err(Refused::Busy));
        });
    }

    #[actix::test]
    async fn who_waits_without_blocking_is_woken() {
        let turn = Turn::default();
        let taken = turn.take().unwrap();
        let mut later = std::pin::pin!(turn.taken_later());
        let first = poll_fn(|context| Poll::Ready(later.as_mut().poll(context).is_pending()));
        assert!(first.await);
        thread::scope(|scope| {
            // Only that it is on its way elsewhere: this thread is the one that is inside.
            scope.spawn(|| assert_eq!(turn.try_take().unwrap_err(), Refused::Busy));
        });
        drop(taken);
        drop(later.await);
        drop(turn.try_take().unwrap());
    }
}
