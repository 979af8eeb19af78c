//! Scripted responses and faults of a write.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::reply::{Framing, Reply};

/// A script: how [`FakeInflux`](super::FakeInflux) responds to one write.
///
/// A script consists of a response ([`accept`](Self::accept), [`status`](Self::status),
/// [`error`](Self::error), or none: [`hang_up`](Self::hang_up), [`cut_request`](Self::cut_request))
/// and added faults. The default is `accept()`.
///
/// ```
/// use actix_influxdb::testing::Answer;
///
/// // Overloaded, with the time after which to retry.
/// Answer::status(503).retry_after(30);
/// // Stored, but the client gets no response.
/// Answer::accept().cut_response(0);
/// // Part of the head, and the rest after `FakeInflux::release`.
/// Answer::status(500).body("oops").stall_in_response(20);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    pub(super) response: Response,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Bytes>,
    pub(super) framing: Option<Framing>,
    pub(super) stored: bool,
    pub(super) stall: Option<Stall>,
    pub(super) cut: Option<usize>,
    pub(super) reset: bool,
    pub(super) drip: Option<(usize, Duration)>,
    pub(super) close: bool,
    pub(super) interim: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// Responds like InfluxDB.
    Accept,
    Status(u16),
    /// Closes the connection as soon as possible.
    HangUp,
    /// Closes the connection after this many bytes of the request's body.
    CutRequest(usize),
}

/// Where to wait for the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    BeforeBody,
    BeforeResponse,
    /// After this many bytes of the response.
    InResponse(usize),
}

impl Default for Answer {
    fn default() -> Self {
        Self::accept()
    }
}

impl Answer {
    fn new(response: Response) -> Self {
        Self {
            response,
            headers: Vec::new(),
            body: None,
            framing: None,
            stored: false,
            stall: None,
            cut: None,
            reset: false,
            drip: None,
            close: false,
            interim: Vec::new(),
        }
    }

    /// Responds like InfluxDB: stores the good lines and responds with 204 or an error.
    pub fn accept() -> Self {
        Self::new(Response::Accept)
    }

    /// Responds with this status and an empty body, without storing anything.
    pub fn status(code: u16) -> Self {
        Self::new(Response::Status(code))
    }

    /// Responds with this status and an error in InfluxDB's format: `{"error":"…"}` as the body,
    /// and `X-Influxdb-Error`.
    ///
    /// ```
    /// use actix_influxdb::testing::Answer;
    ///
    /// // The response of 1.6.7 to a retention policy that doesn't exist.
    /// Answer::error(500, "retention policy not found: one_week");
    /// ```
    pub fn error(code: u16, text: &str) -> Self {
        let Reply { headers, body, .. } = Reply::error(code, text);
        Self {
            headers,
            body: Some(body),
            ..Self::status(code)
        }
    }

    /// Closes the connection without a response. If this script is next when a connection is
    /// accepted, that connection is closed at once, and no request is recorded; else the connection
    /// of the next write is closed when its head has arrived.
    pub fn hang_up() -> Self {
        Self::new(Response::HangUp)
    }

    /// Closes the connection after `bytes` bytes of the request's body.
    pub fn cut_request(bytes: usize) -> Self {
        Self::new(Response::CutRequest(bytes))
    }

    /// Sets the response's body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a body of `bytes` times the letter `x`.
    pub fn body_of_size(self, bytes: usize) -> Self {
        self.body(vec![b'x'; bytes])
    }

    /// Adds a header to the response.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds the header `Retry-After` in seconds (RFC 9110 §10.2.3).
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("Retry-After", seconds.to_string())
    }

    /// Adds the header `Retry-After` as a date, in whole seconds (RFC 9110 §10.2.3).
    pub fn retry_after_date(self, at: SystemTime) -> Self {
        self.header("Retry-After", httpdate::fmt_http_date(at))
    }

    /// Stores the good lines like [`accept`](Self::accept), whatever the response.
    pub fn store(mut self) -> Self {
        self.stored = true;
        self
    }

    /// Reads the request's body only after [`FakeInflux::release`](super::FakeInflux::release).
    pub fn stall_before_body(self) -> Self {
        self.stall(Stall::BeforeBody)
    }

    /// Reads the whole request, and stores it if it is to be stored, but responds only after
    /// [`FakeInflux::release`](super::FakeInflux::release).
    pub fn stall_before_response(self) -> Self {
        self.stall(Stall::BeforeResponse)
    }

    /// Sends `bytes` bytes of the response, head included, and the rest only after
    /// [`FakeInflux::release`](super::FakeInflux::release).
    pub fn stall_in_response(self, bytes: usize) -> Self {
        self.stall(Stall::InResponse(bytes))
    }

    fn stall(mut self, stall: Stall) -> Self {
        self.stall = Some(stall);
        self
    }

    /// Closes the connection after `bytes` bytes of the response, head included.
    pub fn cut_response(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// Closes the connection with a TCP reset. Bytes sent before may be lost too.
    pub fn reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// Sends the response slowly: `bytes` bytes, then a pause of `every`, and so on.
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.drip = Some((bytes.max(1), every));
        self
    }

    /// Announces a body of `bytes` bytes, whatever its real length. If it is shorter, the client
    /// waits for the rest, unless the connection is closed:
    /// [`close_unannounced`](Self::close_unannounced).
    pub fn announce_length(mut self, bytes: u64) -> Self {
        self.framing = Some(Framing::Announced(bytes));
        self
    }

    /// Announces no body length, and closes the connection after the body (RFC 9112 §6.3).
    pub fn without_length(mut self) -> Self {
        self.framing = Some(Framing::UntilClose);
        self
    }

    /// Sends the body in chunks.
    pub fn chunked(mut self) -> Self {
        self.framing = Some(Framing::Chunked);
        self
    }

    /// Closes the connection after the response without announcing it (no `Connection: close`),
    /// like a server whose keep-alive timeout has passed.
    pub fn close_unannounced(mut self) -> Self {
        self.close = true;
        self
    }

    /// Sends an interim response first (RFC 9110 §15.2), for example 100, 102 or 103; one per call.
    ///
    /// # Panics
    ///
    /// If the status is not 1xx, or is 101, which is final.
    pub fn interim(mut self, status: u16) -> Self {
        let is_interim = (100..200).contains(&status) && status != 101;
        assert!(is_interim, "{status} is not an interim status");
        self.interim.push(status);
        self
    }

    /// The reply: this script's own, or `accepted` if InfluxDB decides.
    pub(super) fn reply(&self, accepted: Reply) -> Reply {
        let mut reply = match self.response {
            Response::Status(code) => Reply::new(code),
            _ => accepted,
        };
        reply.headers.extend(self.headers.iter().cloned());
        if let Some(body) = &self.body {
            reply.body = body.clone();
        }
        reply.framing = self.framing.unwrap_or(reply.framing);
        reply.interim.clone_from(&self.interim);
        reply
    }
}
