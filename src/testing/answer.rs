//! The script of one answer: what is said, and what goes wrong while it is said.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::reply::{Framing, Reply};

/// A script: how [`FakeInflux`](super::FakeInflux) answers one write.
///
/// A script is made of the response ([`accept`](Self::accept), [`status`](Self::status),
/// [`error`](Self::error), or nothing at all: [`hang_up`](Self::hang_up),
/// [`cut_request`](Self::cut_request)) and of faults that are added to it. The default is `accept()`.
///
/// ```
/// use actix_influxdb::testing::Answer;
///
/// // Overloaded, with the time after which to retry.
/// Answer::status(503).retry_after(30);
/// // Stored, but the client doesn't learn it.
/// Answer::accept().cut_response(0);
/// // Half of the head, and then nothing until `FakeInflux::release`.
/// Answer::status(500).body("oops").stall_in_response(20);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    pub(super) what: What,
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
pub(super) enum What {
    /// As InfluxDB would.
    Accept,
    Status(u16),
    /// Cut as soon as possible.
    HangUp,
    /// Cut when this many bytes of the body are read.
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
    fn new(what: What) -> Self {
        Self {
            what,
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

    /// Does what InfluxDB does: stores the good lines and answers 204, or answers with an error.
    pub fn accept() -> Self {
        Self::new(What::Accept)
    }

    /// Answers with this status, an empty body and without storing anything.
    pub fn status(code: u16) -> Self {
        Self::new(What::Status(code))
    }

    /// Answers with this status and InfluxDB's way of telling an error: `{"error":"…"}` as the body,
    /// and `X-Influxdb-Error`.
    ///
    /// ```
    /// use actix_influxdb::testing::Answer;
    ///
    /// // What 1.6.7 says if a write names a retention policy that doesn't exist.
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

    /// Closes the connection without a response. If this is the next answer when a connection is
    /// accepted, that one is closed at once, and no request is recorded; else the connection of the
    /// next write is, when its head has arrived.
    pub fn hang_up() -> Self {
        Self::new(What::HangUp)
    }

    /// Closes the connection when `bytes` bytes of the request's body are read.
    pub fn cut_request(bytes: usize) -> Self {
        Self::new(What::CutRequest(bytes))
    }

    /// Sets the response's body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a body of `bytes` times `x`.
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

    /// Adds the header `Retry-After` as a date, which has whole seconds (RFC 9110 §10.2.3).
    pub fn retry_after_date(self, at: SystemTime) -> Self {
        self.header("Retry-After", httpdate::fmt_http_date(at))
    }

    /// Stores the good lines, as [`accept`](Self::accept) does, whatever the response is.
    pub fn store(mut self) -> Self {
        self.stored = true;
        self
    }

    /// Reads the request's body only after [`FakeInflux::release`](super::FakeInflux::release).
    pub fn stall_before_body(self) -> Self {
        self.stall(Stall::BeforeBody)
    }

    /// Reads the whole request, and stores it if it is to be stored, but answers only after
    /// [`FakeInflux::release`](super::FakeInflux::release): a late answer.
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

    /// Cuts the connection with a TCP reset instead of an orderly end. Bytes sent before may be lost too.
    pub fn reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// Sends the response slowly: `bytes` bytes, a pause of `every`, and so on.
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.drip = Some((bytes.max(1), every));
        self
    }

    /// Announces a body of `bytes` bytes, whatever its length is. If it has fewer, the client waits for
    /// the others, unless the connection is closed as well:
    /// [`close_unannounced`](Self::close_unannounced).
    pub fn announce_length(mut self, bytes: u64) -> Self {
        self.framing = Some(Framing::Announced(bytes));
        self
    }

    /// Announces no length of the body, and closes the connection at its end (RFC 9112 §6.3).
    pub fn without_length(mut self) -> Self {
        self.framing = Some(Framing::UntilClose);
        self
    }

    /// Sends the body in chunks.
    pub fn chunked(mut self) -> Self {
        self.framing = Some(Framing::Chunked);
        self
    }

    /// Closes the connection after the answer without having said so (`Connection: close` is
    /// missing), as a server does whose keep-alive time is over.
    pub fn close_unannounced(mut self) -> Self {
        self.close = true;
        self
    }

    /// Sends an interim response first (RFC 9110 §15.2): 100, 102 or 103, say. More than one call
    /// sends more than one.
    ///
    /// # Panics
    ///
    /// If the status is not 1xx, or is 101, which is final.
    pub fn interim(mut self, status: u16) -> Self {
        let is_interim = (100..200).contains(&status) && status != 101;
        assert!(is_interim, "{status} is no status of an interim response");
        self.interim.push(status);
        self
    }

    /// The reply: this script's own, or `accepted` where InfluxDB has the word.
    pub(super) fn reply(&self, accepted: Reply) -> Reply {
        let mut reply = match self.what {
            What::Status(code) => Reply::new(code),
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
