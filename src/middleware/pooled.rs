use std::cell::RefCell;

use super::record::Record;

/// The record of a request, in pooled memory; empty if the request is not recorded.
///
/// A record moves from the call to the future, the response and the body, and actix-web moves those
/// several times: so only a pointer moves.
#[derive(Debug)]
pub(super) struct PooledRecord(Option<Memory>);

type Memory = Box<Option<Record>>;

/// Maximum number of records whose memory a thread keeps.
const MAX_POOLED: usize = 256;

thread_local! {
    static POOL: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

impl PooledRecord {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(record: Record) -> Self {
        let free = POOL.try_with(|pool| pool.borrow_mut().pop());
        let mut memory = free.ok().flatten().unwrap_or_default();
        *memory = Some(record);
        Self(Some(memory))
    }

    #[inline]
    pub(super) fn get(&mut self) -> Option<&mut Record> {
        self.0.as_mut()?.as_mut().as_mut()
    }

    /// Runs `work` of the wrapped service; if it panics, the request is recorded as panicked.
    #[inline]
    pub(super) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        if let Some(record) = self.get() {
            record.set_working(true);
        }
        let done = work();
        if let Some(record) = self.get() {
            record.set_working(false);
        }
        done
    }
}

impl Drop for PooledRecord {
    fn drop(&mut self) {
        let Some(mut memory) = self.0.take() else {
            return;
        };
        // Records the request.
        drop(memory.take());
        _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < MAX_POOLED {
                pool.push(memory);
            }
        });
    }
}
