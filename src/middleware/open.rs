//! The requests that this thread has open, so that a handler finds the measurement of its own.
//!
//! A request could carry it in its extensions, at the cost of two allocations for every request,
//! whether or not anyone asks. Here an open request is one entry of a table that is already there,
//! by the address of its head: that is what the [`HttpRequest`](actix_web::HttpRequest), the
//! `ServiceRequest` and a guard's context of one request have in common, and no two requests at
//! one time. What is added to its measurement is allocated when it is first asked for.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use actix_web::dev::RequestHead;
use foldhash::fast::RandomState;

use super::request_measurement::RequestMeasurement;

thread_local! {
    static OPEN: RefCell<HashMap<usize, Open, RandomState>> = RefCell::default();
    static NEXT_TICKET: Cell<u64> = const { Cell::new(0) };
}

struct Open {
    ticket: u64,
    measurement: Option<RequestMeasurement>,
    /// The same request, as a middleware further out has opened it.
    outer: Option<Box<Open>>,
}

/// An open request. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct OpenRequest {
    key: usize,
    ticket: u64,
    is_closed: Cell<bool>,
}

impl OpenRequest {
    pub(super) fn new(head: &RequestHead) -> Self {
        let key = key(head);
        let ticket = NEXT_TICKET.get();
        NEXT_TICKET.set(ticket.wrapping_add(1));
        OPEN.with_borrow_mut(|open| {
            let entry = Open {
                ticket,
                measurement: None,
                outer: None,
            };
            if let Some(outer) = open.insert(key, entry)
                && let Some(entry) = open.get_mut(&key)
            {
                entry.outer = Some(Box::new(outer));
            }
        });
        Self {
            key,
            ticket,
            is_closed: Cell::new(false),
        }
    }

    /// What was added to its measurement, if anyone asked for it. It is found no more.
    pub(super) fn close(&self) -> Option<RequestMeasurement> {
        if self.is_closed.replace(true) {
            return None;
        }
        // The table is gone when the thread is ending.
        let closed = OPEN.try_with(|open| {
            let mut open = open.borrow_mut();
            let innermost = open.get_mut(&self.key)?;
            if innermost.ticket != self.ticket {
                return innermost.close_outer(self.ticket);
            }
            let Open {
                measurement, outer, ..
            } = open.remove(&self.key)?;
            if let Some(outer) = outer {
                open.insert(self.key, *outer);
            }
            measurement
        });
        closed.unwrap_or_default()
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.close();
    }
}

impl Open {
    fn close_outer(&mut self, ticket: u64) -> Option<RequestMeasurement> {
        let outer = self.outer.as_mut()?;
        if outer.ticket != ticket {
            return outer.close_outer(ticket);
        }
        let Open {
            measurement, outer, ..
        } = *self.outer.take()?;
        self.outer = outer;
        measurement
    }
}

/// The measurement of an open request, as its innermost middleware has it.
pub(super) fn find(head: &RequestHead) -> Option<RequestMeasurement> {
    let found = OPEN.try_with(|open| {
        let mut open = open.borrow_mut();
        let innermost = open.get_mut(&key(head))?;
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
        OPEN.with_borrow(|open| assert!(open.is_empty()));
    }
}
