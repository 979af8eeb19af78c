//! loom's own of what the checked files take from a library.

pub use std::sync::atomic::Ordering::Relaxed;

use loom::sync::MutexGuard;
pub use loom::sync::atomic::{AtomicBool, AtomicUsize};

#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("no thread of a model panics")
    }
}
