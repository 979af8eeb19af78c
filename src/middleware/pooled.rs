use std::cell::RefCell;

use super::record::Record;

/// The record of a request, wherever that is; or none, if it is not recorded.
///
/// A record is handed on from the call to the future, to the response and its body, and actix-web
/// moves those several times. So the record stays where it is, in memory that is used again.
#[derive(Debug)]
pub(super) struct PooledRecord(Option<Memory>);

type Memory = Box<Option<Record>>;

/// Maximum number of records whose memory a thread keeps.
const KEPT: usize = 256;

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

    /// Does `work` of the wrapped service, such that its panic is one of the record's request.
    #[inline]
    pub(super) fn watch<T>(&mut self, work: impl FnOnce() -> T) -> T {
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
        // This records it.
        drop(memory.take());
        _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT {
                pool.push(memory);
            }
        });
    }
}
