//! What the checked files take from a library. `tests/loom` has its own of each.

pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

pub(super) use parking_lot::Mutex;
