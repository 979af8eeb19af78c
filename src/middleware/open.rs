//! The open requests of this thread, so that a handler finds the measurement of its request.
//!
//! A request is found by the address of its head, which the
//! [`HttpRequest`](actix_web::HttpRequest), the `ServiceRequest` and a guard's context of one
//! request share, and no two requests at a time. But a request can be dropped while its middleware
//! still waits for the response, and actix-web reuses its memory. So the request carries a
//! [mark](super::mark) whose drop removes the address: an address in the table is that of a live
//! request. Nothing of the request is borrowed to find it, so that a handler may ask while it holds
//! the extensions.
//!
//! Additions to a measurement are allocated when they are first requested.

use std::{
    cell::{Cell, RefCell},
    collections::hash_map::Entry,
    num::{NonZeroU64, NonZeroUsize},
};

use super::{
    address::{self, ByAddress},
    mark,
    request_measurement::RequestMeasurement,
};
use actix_web::{
    HttpMessage as _,
    dev::{RequestHead, ServiceRequest},
};

thread_local! {
    static OPEN: RefCell<Table> = const { RefCell::new(Table::new()) };
}

#[derive(Debug)]
struct Table {
    slots: Vec<Slot>,
    /// Unused slots.
    free: Vec<usize>,
    /// Live requests, by the addresses of their heads.
    by_head: ByAddress<usize>,
    last_id: NonZeroU64,
}

/// A request that is alive, or that a middleware is waiting for.
#[derive(Debug, Default)]
struct Slot {
    /// Address of its head, until the request is dropped.
    head: Option<NonZeroUsize>,
    /// Usually the only one.
    outermost: Option<Waiting>,
    /// The innermost last.
    others: Vec<Waiting>,
}

/// A middleware that waits for the response.
#[derive(Debug)]
struct Waiting {
    id: NonZeroU64,
    measurement: Option<RequestMeasurement>,
}

/// An open request of one middleware; closed when dropped.
#[derive(Debug)]
pub(super) struct OpenRequest {
    /// `None` on a thread that is ending.
    position: Cell<Option<Position>>,
}

#[derive(Clone, Copy, Debug)]
struct Position {
    slot: usize,
    id: NonZeroU64,
}

impl OpenRequest {
    pub(super) fn new(request: &ServiceRequest) -> Self {
        let head = address::of(request.head());
        // Borrowed first: if this panics, nothing has changed.
        let mut extensions = request.extensions_mut();
        let opened = OPEN.try_with(|open| open.borrow_mut().open(head));
        if let Ok((position, true)) = opened {
            mark::put(&mut extensions, position.slot);
        }
        let position = Cell::new(opened.ok().map(|(position, _)| position));
        Self { position }
    }

    /// Closes the request. Returns its additions, if there are any.
    pub(super) fn close(&self) -> Option<RequestMeasurement> {
        let position = self.position.take()?;
        let closed = OPEN.try_with(|open| open.borrow_mut().close(position));
        closed.ok().flatten()
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.close();
    }
}

impl Table {
    const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_head: address::map(),
            last_id: NonZeroU64::MIN,
        }
    }

    /// Adds a middleware to a request. Returns whether the request is new.
    fn open(&mut self, head: NonZeroUsize) -> (Position, bool) {
        // 64 bits don't run out.
        let id = self.last_id.saturating_add(1);
        self.last_id = id;
        let waiting = Waiting {
            id,
            measurement: None,
        };
        match self.by_head.entry(head) {
            Entry::Occupied(known) => {
                let slot = *known.get();
                self.slots[slot].others.push(waiting);
                (Position { slot, id }, false)
            }
            Entry::Vacant(new) => {
                let slot = self.free.pop().unwrap_or(self.slots.len());
                new.insert(slot);
                if slot == self.slots.len() {
                    self.slots.push(Slot::default());
                }
                self.slots[slot].head = Some(head);
                self.slots[slot].outermost = Some(waiting);
                (Position { slot, id }, true)
            }
        }
    }

    fn close(&mut self, Position { slot: at, id }: Position) -> Option<RequestMeasurement> {
        let slot = self.slots.get_mut(at)?;
        let closed = match slot.outermost.take_if(|it| it.id == id) {
            Some(outermost) => outermost,
            None => {
                let inner = slot.others.iter().rposition(|it| it.id == id)?;
                slot.others.remove(inner)
            }
        };
        if slot.is_done() {
            self.free.push(at);
        }
        closed.measurement
    }

    fn forget_head(&mut self, at: usize) {
        let slot = self.slots.get_mut(at);
        if let Some(slot) = slot
            && let Some(head) = slot.head.take()
        {
            self.by_head.remove(&head);
            if slot.is_done() {
                self.free.push(at);
            }
        }
    }

    fn find(&mut self, head: NonZeroUsize) -> Option<RequestMeasurement> {
        let slot = &mut self.slots[*self.by_head.get(&head)?];
        let innermost = slot.others.last_mut().or(slot.outermost.as_mut())?;
        Some(innermost.measurement.get_or_insert_default().clone())
    }
}

impl Slot {
    /// Not while the mark exists: it could be taken for the next request's.
    fn is_done(&self) -> bool {
        self.head.is_none() && self.outermost.is_none() && self.others.is_empty()
    }
}

/// Removes the address of the request in `slot`, when its mark is dropped.
pub(super) fn forget_head(slot: usize) {
    // The table no longer exists when the thread is ending.
    _ = OPEN.try_with(|open| open.borrow_mut().forget_head(slot));
}

/// The measurement that the innermost middleware has for an open request.
pub(super) fn find(head: &RequestHead) -> Option<RequestMeasurement> {
    let found = OPEN.try_with(|open| open.borrow_mut().find(address::of(head)));
    found.ok().flatten()
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
        let head = address::of(request.head());
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
