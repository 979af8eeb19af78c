//! A look at what a [`FakeInflux`](super::FakeInflux) has, at one moment.

use std::fmt;

use super::{point::Point, request::Request, state::State};

/// What the server has, while nothing can change it: see
/// [`FakeInflux::wait_until`](super::FakeInflux::wait_until).
pub struct View<'a> {
    state: &'a State,
}

impl<'a> View<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self { state }
    }

    /// The points that are stored in `database`: what a query would return.
    pub fn points(&self, database: &str) -> impl Iterator<Item = &'a Point> + use<'a> {
        self.state
            .store
            .stored(database)
            .iter()
            .map(|point| &**point)
    }

    /// Every good line that arrived for `database`, repeated ones too.
    pub fn received(&self, database: &str) -> impl Iterator<Item = &'a Point> + use<'a> {
        self.state
            .store
            .received(database)
            .iter()
            .map(|point| &**point)
    }

    /// How many points are stored in `database`.
    pub fn count(&self, database: &str) -> usize {
        self.state.store.stored(database).len()
    }

    /// How many good lines arrived for `database`, repeated ones too.
    pub fn received_count(&self, database: &str) -> usize {
        self.state.store.received(database).len()
    }

    /// The databases that were created or written to, sorted.
    pub fn databases(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.state.store.databases()
    }

    /// All requests, in the order they arrived.
    pub fn requests(&self) -> &'a [Request] {
        &self.state.requests
    }

    /// How many of the requests are writes.
    pub fn write_count(&self) -> usize {
        self.state
            .requests
            .iter()
            .filter(|request| request.is_write())
            .count()
    }

    /// How many connections were accepted.
    pub fn connection_count(&self) -> u64 {
        self.state.connections.accepted()
    }
}

impl fmt::Debug for View<'_> {
    /// What there is, in numbers, and a line for each request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} connections, {} requests:",
            self.connection_count(),
            self.requests().len()
        )?;
        for Request {
            method,
            path,
            query,
            body,
            status,
            ..
        } in self.requests()
        {
            let size = body.len();
            writeln!(
                f,
                "  {method} {path} {query:?}, {size} bytes, answered {status:?}"
            )?;
        }
        for database in self.databases() {
            let (stored, received) = (self.count(database), self.received_count(database));
            writeln!(
                f,
                "database {database:?}: {stored} points of {received} good lines"
            )?;
        }
        for panic in &self.state.panics {
            writeln!(f, "the server panicked: {panic}")?;
        }
        Ok(())
    }
}
