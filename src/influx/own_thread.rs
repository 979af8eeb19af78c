//! Marks the crate's own threads, which must never wait for themselves.

use std::cell::Cell;

thread_local! {
    static DELIVERS: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that delivers.
pub(crate) fn mark() {
    DELIVERS.set(true);
}

/// Whether this thread delivers. The program's code may run on it: its logger, the closure of an
/// [`Update`](crate::Update).
pub(crate) fn is_here() -> bool {
    // A thread that has dropped this is ending, and delivers nothing.
    DELIVERS.try_with(Cell::get).unwrap_or(false)
}
