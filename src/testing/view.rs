//! A snapshot view of a [`FakeInflux`](super::FakeInflux).

use std::fmt;

use super::{point::Point, request::Request, state::State};

/// The contents of a [`FakeInflux`](super::FakeInflux) at one moment: the argument of the closures
/// of [`wait_until`](super::FakeInflux::wait_until) and [`view`](super::FakeInflux::view).
///
/// ```
/// # let influx = actix_influxdb::testing::FakeInflux::start();
/// assert_eq!(influx.view(|view| view.requests().len()), 0);
/// ```
pub struct View<'a> {
    state: &'a State,
}

impl<'a> View<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self { state }
    }

    /// Returns the points stored in `database`: what a query would return.
    pub fn points(&self, database: &str) -> impl Iterator<Item = &'a Point> + use<'a> {
        self.state
            .store
            .stored(database)
            .iter()
            .map(|point| &**point)
    }

    /// Returns every good line that arrived for `database`, including repeated ones.
    pub fn received(&self, database: &str) -> impl Iterator<Item = &'a Point> + use<'a> {
        self.state
            .store
            .received(database)
            .iter()
            .map(|point| &**point)
    }

    /// Returns the number of points stored in `database`.
    pub fn count(&self, database: &str) -> usize {
        self.state.store.stored(database).len()
    }

    /// Returns the number of good lines that arrived for `database`, including repeated ones.
    pub fn received_count(&self, database: &str) -> usize {
        self.state.store.received(database).len()
    }

    /// Returns the databases that were created or written to, sorted.
    pub fn databases(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.state.store.databases()
    }

    /// Returns all requests, in order of arrival.
    pub fn requests(&self) -> &'a [Request] {
        &self.state.requests
    }

    /// Returns the number of writes among the requests.
    pub fn write_count(&self) -> usize {
        self.state
            .requests
            .iter()
            .filter(|request| request.is_write())
            .count()
    }

    /// Returns the number of accepted connections.
    pub fn connection_count(&self) -> u64 {
        self.state.connections.accepted()
    }
}

impl fmt::Debug for View<'_> {
    /// Prints the counts, and a line per request.
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
