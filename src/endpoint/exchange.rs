//! One request and its response.

use std::{rc::Rc, time::Duration};

use actix_rt::time::{Instant, timeout};
use awc::{
    ClientRequest,
    http::header::{HeaderMap, HeaderValue},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use percent_encoding::percent_decode;

use super::{
    body::PiecewiseBody,
    fault::{Fault, FaultKind},
    host::Host,
};

/// Maximum number of body bytes that are read: enough for many quoted lines.
const MAX_BODY: usize = 64 << 10;

/// Maximum pause within a body; the rest is not read after that.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// Maximum time for a body, after the head.
const MAX_BODY_TIME: Duration = Duration::from_secs(2);

/// A response with a complete head; the body may be incomplete.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: HeaderMap,
    /// At most [`MAX_BODY`] bytes.
    body: Bytes,
    /// Whether the body was complete, or read as far as it is ever read.
    pub(super) is_whole: bool,
}

impl Response {
    /// Redacts secrets in the body: a server may repeat the request's headers, and responses are
    /// logged. Short ones are left, as they may occur in a line.
    pub(super) fn redacted<'a>(mut self, secrets: impl Iterator<Item = &'a HeaderValue>) -> Self {
        for secret in secrets
            .filter_map(|value| value.to_str().ok())
            .filter(|it| it.len() >= 8)
        {
            let body = String::from_utf8_lossy(&self.body);
            if body.contains(secret) {
                self.body = body.replace(secret, "[redacted]").into();
            }
        }
        self
    }

    pub(super) fn is_success(&self) -> bool {
        (200..=299).contains(&self.status)
    }

    /// Value of a header, if it is one of those [used](super::head).
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = percent_decode(self.headers.get(name)?.as_bytes());
        Some(value.decode_utf8_lossy().into_owned())
    }

    pub(super) fn body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request and reads the response, within `limit`. The body has its own limit: a head whose
/// body never comes costs little time, and its status is not lost.
pub(super) async fn exchange(
    request: ClientRequest,
    body: Bytes,
    host: &Rc<Host>,
    limit: Duration,
) -> Result<Response, Fault> {
    let began = Instant::now();
    let sent = timeout(limit, request.send_body(PiecewiseBody(body))).await;
    let mut response = match sent {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let fault = Fault::from(error);
            if !matches!(fault.kind, FaultKind::NotConnected { .. }) {
                host.retire_connections();
            }
            return Err(fault);
        }
        Err(_) => {
            host.retire_connections();
            return Err(Fault::new(
                FaultKind::TimedOut,
                format!("no response within {limit:?}"),
            ));
        }
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = BytesMut::new();
    let limit = limit.saturating_sub(began.elapsed()).min(MAX_BODY_TIME);
    let end = Instant::now() + limit;
    let is_whole = loop {
        let left = end.saturating_duration_since(Instant::now());
        match timeout(left.min(MAX_PAUSE), response.next()).await {
            Ok(None) => break true,
            Ok(Some(Ok(chunk))) => {
                let room = MAX_BODY - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if body.len() == MAX_BODY {
                    break true;
                }
            }
            Ok(Some(Err(_))) | Err(_) => break false,
        }
    };
    Ok(Response {
        status,
        headers,
        body: body.freeze(),
        is_whole,
    })
}
