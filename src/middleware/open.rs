//! The requests that this thread has open, so that a handler finds the measurement of its own.
//!
//! A request is found by the address of its head: that is what the
//! [`HttpRequest`](actix_web::HttpRequest), the `ServiceRequest` and a guard's context of one
//! request have in common, and no two requests at one time. But a request can be dropped while its
//! middleware still waits for the response, and actix-web uses its memory again. So the request
//! carries a [mark](super::mark) whose drop takes its address out of the table: an address that is
//! found is that of a request which is alive, and of no other. Nothing of the request is borrowed
//! to find it, so that a handler may ask while it holds its extensions.
//!
//! What is added to a measurement is allocated when it is first asked for.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use actix_web::{
    HttpMessage as _,
    dev::{RequestHead, ServiceRequest},
};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::{mark, request_measurement::RequestMeasurement};

thread_local! {
    static OPEN: RefCell<Table> = RefCell::default();
}

#[derive(Debug, Default)]
struct Table {
    slots: Vec<Slot>,
    /// The slots that no request has.
    free: Vec<usize>,
    /// The requests that are alive, by the addresses of their heads.
    by_head: HashMap<usize, usize, RandomState>,
    last_ticket: u64,
}

/// A request, while it is alive or one of its middlewares waits for the response.
#[derive(Debug)]
struct Slot {
    /// The address of its head, until it is dropped.
    head: Option<usize>,
    /// Its middlewares that wait, the innermost last.
    entries: SmallVec<[Entry; 1]>,
}

#[derive(Debug)]
struct Entry {
    ticket: u64,
    measurement: Option<RequestMeasurement>,
}

/// An open request, as one middleware has it. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct OpenRequest {
    /// None on a thread that is ending.
    place: Cell<Option<Place>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    slot: usize,
    ticket: u64,
}

impl OpenRequest {
    pub(super) fn new(request: &ServiceRequest) -> Self {
        let head = address(request.head());
        let opened = OPEN.try_with(|open| {
            if let Some(inner) = open.borrow_mut().open_again(head) {
                return inner;
            }
            // Borrowed first: should that panic, nothing has happened yet.
            let mut extensions = request.extensions_mut();
            let place = open.borrow_mut().open(head);
            mark::put(&mut extensions, place.slot);
            place
        });
        let place = Cell::new(opened.ok());
        Self { place }
    }

    /// What was added to its measurement, if anyone asked for it. It is found no more.
    pub(super) fn close(&self) -> Option<RequestMeasurement> {
        let place = self.place.take()?;
        let closed = OPEN.try_with(|open| open.borrow_mut().close(place));
        closed.ok().flatten()
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.close();
    }
}

impl Table {
    /// Adds an inner middleware to a request that is known.
    fn open_again(&mut self, head: usize) -> Option<Place> {
        let slot = *self.by_head.get(&head)?;
        Some(self.enter(slot))
    }

    /// Adds a request.
    fn open(&mut self, head: usize) -> Place {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                head: None,
                entries: SmallVec::new(),
            });
            self.slots.len() - 1
        });
        self.slots[slot].head = Some(head);
        self.by_head.insert(head, slot);
        self.enter(slot)
    }

    fn enter(&mut self, slot: usize) -> Place {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = self.last_ticket;
        self.slots[slot].entries.push(Entry {
            ticket,
            measurement: None,
        });
        Place { slot, ticket }
    }

    fn close(&mut self, Place { slot, ticket }: Place) -> Option<RequestMeasurement> {
        let entries = &mut self.slots.get_mut(slot)?.entries;
        let at = entries.iter().rposition(|entry| entry.ticket == ticket)?;
        let entry = entries.remove(at);
        self.free_if_done(slot);
        entry.measurement
    }

    fn forget_head(&mut self, slot: usize) {
        let head = self.slots.get_mut(slot).and_then(|slot| slot.head.take());
        if let Some(head) = head {
            self.by_head.remove(&head);
            self.free_if_done(slot);
        }
    }

    /// Not while its mark is there, or that could be taken for the next one's.
    fn free_if_done(&mut self, slot: usize) {
        let Slot { head, entries } = &self.slots[slot];
        if head.is_none() && entries.is_empty() {
            self.free.push(slot);
        }
    }

    fn find(&mut self, head: usize) -> Option<RequestMeasurement> {
        let slot = *self.by_head.get(&head)?;
        let innermost = self.slots[slot].entries.last_mut()?;
        Some(innermost.measurement.get_or_insert_default().clone())
    }
}

/// The request in `slot` is gone, and its address may soon be another's. Called as its mark is
/// dropped.
pub(super) fn forget_head(slot: usize) {
    // The table is gone when the thread is ending.
    _ = OPEN.try_with(|open| open.borrow_mut().forget_head(slot));
}

/// The measurement of an open request, as its innermost middleware has it.
pub(super) fn find(head: &RequestHead) -> Option<RequestMeasurement> {
    let found = OPEN.try_with(|open| open.borrow_mut().find(address(head)));
    found.ok().flatten()
}

fn address(head: &RequestHead) -> usize {
    std::ptr::from_ref(head).addr()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request() -> ServiceRequest {
        TestRequest::default().to_srv_request()
    }

    fn is_skipped(measurement: Option<RequestMeasurement>) -> Option<bool> {
        measurement.map(|it| it.is_skipped())
    }

    /// Slots that are in use.
    fn used() -> usize {
        OPEN.with_borrow(|open| open.slots.len() - open.free.len())
    }

    #[test]
    fn a_request_is_found_while_it_is_open_and_only_itself() {
        let (request, other) = (request(), request());
        assert!(find(request.head()).is_none());
        let open = OpenRequest::new(&request);
        find(request.head()).unwrap().skip();
        assert!(find(other.head()).is_none());
        assert_eq!(is_skipped(open.close()), Some(true));
        assert!(find(request.head()).is_none());
        assert!(open.close().is_none());
        drop(request);
        assert_eq!(used(), 0);
    }

    #[test]
    fn the_innermost_is_found_and_after_it_the_next() {
        let request = request();
        let outer = OpenRequest::new(&request);
        let inner = OpenRequest::new(&request);
        find(request.head()).unwrap().skip();
        assert_eq!(is_skipped(inner.close()), Some(true));
        assert_eq!(is_skipped(find(request.head())), Some(false));
        drop(outer);
        assert!(find(request.head()).is_none());
    }

    #[test]
    fn those_in_between_can_be_closed_first() {
        let request = request();
        let [outer, middle, inner] = [(); 3].map(|()| OpenRequest::new(&request));
        find(request.head()).unwrap().skip();
        drop(outer);
        drop(middle);
        assert_eq!(is_skipped(inner.close()), Some(true));
        assert!(find(request.head()).is_none());
        drop(request);
        assert_eq!(used(), 0);
    }

    #[test]
    fn a_request_that_is_dropped_while_it_is_open_keeps_what_is_its_own_and_is_found_no_more() {
        let request = request();
        let head = address(request.head());
        let open = OpenRequest::new(&request);
        find(request.head()).unwrap().skip();
        drop(request);
        // As a request in the same memory would ask.
        assert!(OPEN.with_borrow_mut(|open| open.find(head).is_none()));
        assert_eq!(is_skipped(open.close()), Some(true));
        assert_eq!(used(), 0);
    }

    #[test]
    fn more_requests_than_there_are_typed_marks_are_told_apart() {
        const COUNT: usize = 200;
        let requests: Vec<_> = (0..COUNT).map(|_| request()).collect();
        let mut open: Vec<_> = requests.iter().map(OpenRequest::new).collect();
        for request in requests.iter().step_by(2) {
            find(request.head()).unwrap().skip();
        }
        // Half of them go first, each second by the drop of the request and by that of its entry.
        let mut kept = Vec::new();
        for (at, request) in requests.into_iter().enumerate() {
            match at % 4 < 2 {
                true => drop(request),
                false => kept.push((at, request)),
            }
        }
        for (at, request) in &kept {
            let expected = Some(at % 2 == 0);
            assert_eq!(is_skipped(find(request.head())), expected);
        }
        for (at, open) in open.drain(..).enumerate() {
            let asked = at % 2 == 0 || at % 4 >= 2;
            assert_eq!(is_skipped(open.close()), asked.then_some(at % 2 == 0));
        }
        drop(kept);
        assert_eq!(used(), 0);
    }

    #[test]
    fn one_can_be_asked_for_while_the_extensions_are_borrowed() {
        let request = request();
        let open = OpenRequest::new(&request);
        request.extensions_mut().insert(find(request.head()));
        assert!(open.close().is_some());
    }

    #[test]
    fn a_slot_is_not_used_again_while_its_mark_is_there() {
        let first = request();
        drop(OpenRequest::new(&first));
        let second = request();
        let open = OpenRequest::new(&second);
        drop(first);
        assert!(find(second.head()).is_some());
        drop(open);
    }
}
