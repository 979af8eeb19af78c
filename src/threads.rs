//! Threads for blocking work. If the system provides none (a limit of processes or of a container's
//! threads), that is an error here, and delivery goes on without. The runtime's own pool would panic
//! in the middle of a POST.

use std::{io, thread};

use futures_channel::oneshot;

/// Starts a thread.
///
/// # Errors
///
/// If the system provides none.
pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(test)]
    refusal::ask()?;
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop)
}

/// Does work on a new thread, and returns its result.
///
/// # Errors
///
/// If the system provides no thread, or the work has panicked.
pub(crate) async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    // The caller may have dropped the future.
    start("influx-work", move || _ = sender.send(work()))?;
    let result = receiver.await;
    result.map_err(|_| io::Error::other("the thread for it has ended"))
}

/// For tests: from this thread, none can be started.
#[cfg(test)]
pub(crate) mod refusal {
    use std::{cell::Cell, io};

    thread_local! {
        static IS_ON: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn set(is_on: bool) {
        IS_ON.set(is_on);
    }

    pub(super) fn ask() -> io::Result<()> {
        match IS_ON.get() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn work_is_done_elsewhere_and_neither_a_panic_nor_the_lack_of_a_thread_is_one_here() {
        let here = thread::current().id();
        let there = elsewhere(|| thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        let panicked = elsewhere(|| panic!("on purpose")).await;
        assert_eq!(panicked.unwrap_err().kind(), io::ErrorKind::Other);
        refusal::set(true);
        let refused = elsewhere(|| ()).await;
        refusal::set(false);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
