//! What awc reads from and writes to, in front of the socket.
//!
//! awc takes an interim response (1xx) for the final one, waits for bodies that never come, reads
//! nothing before the request's body is written, and uses connections again that are not clean. So each
//! response's head is read here before awc sees it, and is written anew so that awc can take it in one
//! way only. What goes wrong is a [`Fault`], inside of the `io::Error` that awc hands on.
//!
//! A connection that is not known to be clean after a response reads as closed from then on: awc's
//! pool reads once before it uses a connection again.

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

/// How long the rest of what is no HTTP is waited for, so that it can be said what it is.
const FOREIGN_PAUSE: Duration = Duration::from_millis(200);

/// What the receive buffer of every live server takes, whether it reads or not, in bytes.
const SMALL: usize = 48 << 10;

/// A connection to a server, for one request after the other.
pub(super) struct Stream<T> {
    transport: T,
    host: Rc<Host>,
    /// The age of the host when the connection was last known to be good.
    age: u64,
    state: State,
    /// Has there been a response before?
    is_reused: bool,
    reader: HeadReader,
    /// The head that awc is to read, and how much of it has been read.
    head: Vec<u8>,
    head_read: usize,
    /// The request goes nowhere from here on: the answer is there, or the connection is broken.
    discards: bool,
    /// Why it is broken.
    broken: Option<io::Error>,
    /// Is a part of the request still to be written?
    is_writing: bool,
    /// How many interim heads had come when it was last so, if another head had begun by then.
    early: Option<usize>,
    /// As much of the request as was written, in bytes.
    written: usize,
    /// Is there a limit for what is not acknowledged?
    is_impatient: bool,
    foreign: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum State {
    /// Between requests. Whatever can be read now is no answer.
    Idle,
    /// A request is sent, or its response's head is waited for.
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
            age: host.age(),
            host,
            state: State::Idle,
            is_reused: false,
            reader: HeadReader::default(),
            head: Vec::new(),
            head_read: 0,
            discards: false,
            broken: None,
            is_writing: false,
            early: None,
            written: 0,
            is_impatient: false,
            foreign: None,
        }
    }

    /// The other end says nothing more, or the connection is broken.
    fn cut(&mut self, error: Option<io::Error>) -> Fault {
        let error = self.broken.take().or(error);
        #[cfg(feature = "rustls")]
        if let Some(fault) = error.as_ref().and_then(super::tls::fault) {
            return fault;
        }
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        let (kind, reason) = match error {
            // Of the system's own limits: keep-alive probes, or what was sent and not acknowledged.
            Some(error) if is_late(&error) => (
                FaultKind::TimedOut,
                "the server does not acknowledge what is sent to it".to_owned(),
            ),
            Some(error) => (
                FaultKind::CutOff,
                format!("the connection was cut before the response: {error}"),
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
        // On a connection that was used before, it is the rest of the response before.
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
