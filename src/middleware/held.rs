use std::cell::RefCell;

use super::record::Record;

/// The record of a request, wherever that is; or none, if it is not recorded.
///
/// It is handed on from the call to the future, to the response and its body, and actix-web moves
/// those several times. So it stays in one place, and that is used again.
#[derive(Debug)]
pub(super) struct Held(Option<Place>);

type Place = Box<Option<Record>>;

/// So many places are kept by a thread.
const KEPT: usize = 256;

thread_local! {
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

impl Held {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(record: Record) -> Self {
        let free = PLACES.try_with(|places| places.borrow_mut().pop());
        let mut place = free.ok().flatten().unwrap_or_default();
        *place = Some(record);
        Self(Some(place))
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

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut place) = self.0.take() else {
            return;
        };
        // This records it.
        drop(place.take());
        _ = PLACES.try_with(|places| {
            let mut places = places.borrow_mut();
            if places.len() < KEPT {
                places.push(place);
            }
        });
    }
}
