//! Writing: from awc to the server.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::AsyncWrite;

use super::{Fault, FaultKind, RECEIVE_BUFFER, State, Stream, Transport};

impl<T: Transport> AsyncWrite for Stream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Permanent: such a connection is not used again.
        if this.discards_request {
            return Poll::Ready(Ok(bytes.len()));
        }
        if matches!(this.state, State::Idle | State::Over) {
            this.begin()?;
        }
        if this.poll_early_response(context)? {
            this.discards_request = true;
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(Pin::new(&mut this.transport).poll_write(context, bytes)) {
            Ok(count) => {
                this.written += count;
                if this.has_ack_timeout && this.written > RECEIVE_BUFFER {
                    this.clear_ack_timeout();
                }
                Poll::Ready(Ok(count))
            }
            Err(error) => {
                // The response may have arrived before the end: the next read tells.
                (this.broken, this.discards_request) = (Some(error), true);
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.discards_request {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut this.transport).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}

impl<T: Transport> Stream<T> {
    /// Prepares for a new request.
    fn begin(&mut self) -> Result<(), Fault> {
        let mut is_good = || self.generation == self.host.generation() && self.transport.is_quiet();
        if self.is_reused && (matches!(self.state, State::Over) || !is_good()) {
            self.state = State::Over;
            return Err(Fault {
                kind: FaultKind::CutOff,
                reason: "the connection was closed before the request".to_owned(),
                is_stale: true,
            });
        }
        self.reader.reset();
        self.head.clear();
        self.head_read = 0;
        self.early = None;
        self.written = 0;
        self.state = State::Head;
        // If the other end has gone silently, a small request need not wait for the whole timeout.
        if self.is_reused {
            self.transport
                .fail_unacknowledged_after(Some(ack_timeout(self.host.limit())));
            self.has_ack_timeout = true;
        }
        Ok(())
    }

    /// Whether a response has arrived before the request is written. An error means that the server wants
    /// no more of it; a success is a fault.
    fn poll_early_response(&mut self, context: &mut Context<'_>) -> Result<bool, Fault> {
        self.is_writing = true;
        let response = self.poll_head(context)?;
        self.is_writing = false;
        let has_begun = !self.reader.rest().is_empty();
        self.early = has_begun.then(|| self.reader.interim_count());
        Ok(response.is_ready())
    }

    fn clear_ack_timeout(&mut self) {
        self.transport.fail_unacknowledged_after(None);
        self.has_ack_timeout = false;
    }
}

/// Part of the request's limit, so that time remains for another attempt.
fn ack_timeout(limit: Duration) -> Duration {
    (limit / 4).clamp(Duration::from_secs(1), Duration::from_secs(5))
}
