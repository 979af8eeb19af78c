//! The requests that this thread has open, so that a handler finds the measurement of its own.
//!
//! A request could carry it in its extensions, at the cost of two allocations for every request,
//! whether or not anyone asks. Here an open request is one entry of a table that is already there,
//! with the address of its head: that is what the [`HttpRequest`](actix_web::HttpRequest), the
//! `ServiceRequest` and a guard's context of one request have in common, and no two requests at
//! one time. What is added to its measurement is allocated when it is first asked for.

use std::cell::{Cell, RefCell};

use actix_web::dev::RequestHead;

use super::request_measurement::RequestMeasurement;

thread_local! {
    static OPEN: RefCell<Table> = const { RefCell::new(Table::new()) };
    static NEXT_TICKET: Cell<u64> = const { Cell::new(0) };
}

/// Entries have a fixed place each. They are searched only for a handler that asks.
struct Table {
    entries: Vec<Entry>,
    /// The places that no request has.
    free: Vec<usize>,
}

struct Entry {
    /// The address of the head; none, if this is free.
    key: usize,
    /// Middlewares further in have higher ones.
    ticket: u64,
    measurement: Option<RequestMeasurement>,
}

const FREE: usize = 0;

/// An open request. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct OpenRequest {
    place: usize,
    is_closed: Cell<bool>,
}

impl OpenRequest {
    pub(super) fn new(head: &RequestHead) -> Self {
        let ticket = NEXT_TICKET.get();
        NEXT_TICKET.set(ticket.wrapping_add(1));
        let entry = Entry {
            key: key(head),
            ticket,
            measurement: None,
        };
        let is_closed = Cell::new(false);
        let place = OPEN.with_borrow_mut(|open| open.add(entry));
        Self { place, is_closed }
    }

    /// What was added to its measurement, if anyone asked for it. It is found no more.
    pub(super) fn close(&self) -> Option<RequestMeasurement> {
        if self.is_closed.replace(true) {
            return None;
        }
        // The table is gone when the thread is ending.
        let closed = OPEN.try_with(|open| open.borrow_mut().remove(self.place));
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
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    fn add(&mut self, entry: Entry) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.entries[place] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        }
    }

    fn remove(&mut self, place: usize) -> Option<RequestMeasurement> {
        let entry = self.entries.get_mut(place)?;
        entry.key = FREE;
        self.free.push(place);
        entry.measurement.take()
    }

    fn innermost(&mut self, key: usize) -> Option<&mut Entry> {
        let of_the_request = self.entries.iter_mut().filter(|entry| entry.key == key);
        of_the_request.max_by_key(|entry| entry.ticket)
    }
}

/// The measurement of an open request, as its innermost middleware has it.
pub(super) fn find(head: &RequestHead) -> Option<RequestMeasurement> {
    let found = OPEN.try_with(|open| {
        let mut open = open.borrow_mut();
        let innermost = open.innermost(key(head))?;
        Some(innermost.measurement.get_or_insert_default().clone())
    });
    found.ok().flatten()
}

fn key(head: &RequestHead) -> usize {
    std::ptr::from_ref(head).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_skipped(measurement: Option<RequestMeasurement>) -> Option<bool> {
        measurement.map(|it| it.is_skipped())
    }

    #[test]
    fn a_request_is_found_while_it_is_open_and_only_itself() {
        let (head, other) = (RequestHead::default(), RequestHead::default());
        assert!(find(&head).is_none());
        let open = OpenRequest::new(&head);
        find(&head).unwrap().skip();
        assert!(find(&other).is_none());
        assert_eq!(is_skipped(open.close()), Some(true));
        assert!(find(&head).is_none());
        assert!(open.close().is_none());
    }

    #[test]
    fn the_innermost_is_found_and_after_it_the_next() {
        let head = RequestHead::default();
        let outer = OpenRequest::new(&head);
        let inner = OpenRequest::new(&head);
        find(&head).unwrap().skip();
        assert_eq!(is_skipped(inner.close()), Some(true));
        assert_eq!(is_skipped(find(&head)), Some(false));
        drop(outer);
        assert!(find(&head).is_none());
    }

    #[test]
    fn those_in_between_can_be_closed_first() {
        let head = RequestHead::default();
        let [outer, middle, inner] = [(); 3].map(|()| OpenRequest::new(&head));
        find(&head).unwrap().skip();
        drop(outer);
        drop(middle);
        assert_eq!(is_skipped(inner.close()), Some(true));
        assert!(find(&head).is_none());
        OPEN.with_borrow(|open| assert!(open.entries.iter().all(|entry| entry.key == FREE)));
    }
}
