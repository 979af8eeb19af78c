//! The stream between awc and the socket.
//!
//! awc takes an interim response (1xx) for the final one, waits for bodies that never come, reads
//! nothing before the request's body is written, and reuses connections that are not clean. So each
//! response's head is parsed here first, and rewritten so that awc can read it in one way only.
//! Failures are [`Fault`]s, inside the `io::Error` that awc passes on.
//!
//! A connection that may not be clean after a response reads as closed: awc's pool reads once
//! before it reuses a connection.

mod reading;
mod writing;

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::{
    net::{ActixStream, Ready},
    time::Sleep,
};

use super::{
    fault::{Fault, FaultKind},
    framing::Framing,
    host::Host,
    reader::{HeadReader, Unreadable},
    transport::{Socket, Transport},
};

/// Time to wait for the rest of a response that is not HTTP, to describe it.
const FOREIGN_PAUSE: Duration = Duration::from_millis(200);

/// Bytes that every live server's receive buffer accepts, even if the server doesn't read.
const RECEIVE_BUFFER: usize = 48 << 10;

/// A connection to a server, for sequential requests.
pub(super) struct Stream<T> {
    transport: T,
    host: Rc<Host>,
    /// The host's generation when the connection was last known to be good.
    generation: u64,
    state: State,
    /// Whether there has been a response before.
    is_reused: bool,
    reader: HeadReader,
    /// The head for awc, and how much of it awc has read.
    head: Vec<u8>,
    head_read: usize,
    /// The rest of the request is discarded: the response is there, or the connection is broken.
    discards_request: bool,
    /// Why the connection is broken.
    broken: Option<io::Error>,
    /// Whether part of the request is unwritten.
    is_writing: bool,
    /// Number of interim heads at the last write, if another head had begun by then.
    early: Option<usize>,
    /// Number of request bytes written.
    written: usize,
    /// Whether there is a timeout for unacknowledged data.
    has_ack_timeout: bool,
    foreign: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum State {
    /// Between requests; any bytes that arrive are not a response.
    Idle,
    /// The request is being sent, or the head awaited.
    Head,
    Body {
        framing: Framing,
        is_reusable: bool,
    },
    /// Not to be used again.
    Over,
}

impl<T: Transport> Stream<T> {
    pub(super) fn new(transport: T, host: Rc<Host>) -> Self {
        Self {
            transport,
            generation: host.generation(),
            host,
            state: State::Idle,
            is_reused: false,
            reader: HeadReader::default(),
            head: Vec::new(),
            head_read: 0,
            discards_request: false,
            broken: None,
            is_writing: false,
            early: None,
            written: 0,
            has_ack_timeout: false,
            foreign: None,
        }
    }

    /// The fault after the other end closed the connection or it broke.
    fn connection_lost(&mut self, error: Option<io::Error>) -> Fault {
        let error = self.broken.take().or(error);
        #[cfg(feature = "rustls")]
        if let Some(fault) = error.as_ref().and_then(super::tls::fault) {
            return fault;
        }
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        let (kind, reason) = match error {
            // From the system's limits: keep-alive probes, or unacknowledged data.
            Some(error) if is_late(&error) => (
                FaultKind::TimedOut,
                "the server does not acknowledge sent data".to_owned(),
            ),
            Some(error) => (
                FaultKind::CutOff,
                format!("the connection was lost before the response: {error}"),
            ),
            None => (
                FaultKind::CutOff,
                "the connection was closed before the response".to_owned(),
            ),
        };
        Fault {
            kind,
            reason,
            is_stale: self.is_reused && !self.reader.has_begun(),
        }
    }

    fn unreadable(&mut self, unreadable: Unreadable) -> Fault {
        let host = &self.host.name;
        // On a reused connection, it is the rest of the previous response.
        let is_rest =
            matches!(unreadable, Unreadable::Foreign(_)) && self.reader.interim_count() == 0;
        let reason = match unreadable {
            Unreadable::Foreign(what) => {
                format!("the server at {host} does not speak HTTP/1: it answered {what}")
            }
            Unreadable::Faulty(what) => {
                format!("the response of the server at {host} can't be used: {what}")
            }
        };
        Fault {
            kind: FaultKind::NotReadable,
            reason,
            is_stale: self.is_reused && is_rest,
        }
    }
}

impl ActixStream for Stream<Socket> {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.transport.poll_read_ready(context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.transport.poll_write_ready(context)
    }
}

impl<T> std::fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Stream");
        debug.field("host", &self.host.name);
        debug.field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod check;
#[cfg(any(test, fuzzing))]
mod script;
#[cfg(test)]
mod tests;
