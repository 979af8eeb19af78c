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
    /// The slots that no request has.
    free: Vec<usize>,
    /// The requests that are alive, by the addresses of their heads.
    by_head: ByAddress<usize>,
    last_ticket: NonZeroU64,
}

/// A request, while it is alive or one of its middlewares waits for the response.
#[derive(Debug, Default)]
struct Slot {
    /// The address of its head, until it is dropped.
    head: Option<NonZeroUsize>,
    /// Mostly there is one.
    outermost: Option<Waiting>,
    /// The innermost is the last.
    others: Vec<Waiting>,
}

/// A middleware that waits.
#[derive(Debug)]
struct Waiting {
    ticket: NonZeroU64,
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
    ticket: NonZeroU64,
}

impl OpenRequest {
    pub(super) fn new(request: &ServiceRequest) -> Self {
        let head = address::of(request.head());
        // Borrowed first: should that panic, nothing has happened yet.
        let mut extensions = request.extensions_mut();
        let opened = OPEN.try_with(|open| open.borrow_mut().open(head));
        if let Ok((place, true)) = opened {
            mark::put(&mut extensions, place.slot);
        }
        let place = Cell::new(opened.ok().map(|(place, _)| place));
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
    const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_head: address::map(),
            last_ticket: NonZeroU64::MIN,
        }
    }

    /// Adds a middleware to a request. Is that one new?
    fn open(&mut self, head: NonZeroUsize) -> (Place, bool) {
        // They last for longer than any machine.
        let ticket = self.last_ticket.saturating_add(1);
        self.last_ticket = ticket;
        let waiting = Waiting {
            ticket,
            measurement: None,
        };
        match self.by_head.entry(head) {
            Entry::Occupied(known) => {
                let slot = *known.get();
                self.slots[slot].others.push(waiting);
                (Place { slot, ticket }, false)
            }
            Entry::Vacant(new) => {
                let slot = self.free.pop().unwrap_or(self.slots.len());
                new.insert(slot);
                if slot == self.slots.len() {
                    self.slots.push(Slot::default());
                }
                self.slots[slot].head = Some(head);
                self.slots[slot].outermost = Some(waiting);
                (Place { slot, ticket }, true)
            }
        }
    }

    fn close(&mut self, Place { slot: at, ticket }: Place) -> Option<RequestMeasurement> {
        let slot = self.slots.get_mut(at)?;
        let closed = match slot.outermost.take_if(|it| it.ticket == ticket) {
            Some(outermost) => outermost,
            None => {
                let inner = slot.others.iter().rposition(|it| it.ticket == ticket)?;
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
    /// Not while its mark is there, which could be taken for the next request's.
    fn is_done(&self) -> bool {
        self.head.is_none() && self.outermost.is_none() && self.others.is_empty()
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
