//! The way to the server.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::AsyncWrite;

use super::{Fault, FaultKind, SMALL, State, Stream, Transport};

impl<T: Transport> AsyncWrite for Stream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // For good: such a connection is not used again.
        if this.discards {
            return Poll::Ready(Ok(bytes.len()));
        }
        if matches!(this.state, State::Idle | State::Over) {
            this.begin()?;
        }
        if this.hear(context)? {
            this.discards = true;
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(Pin::new(&mut this.transport).poll_write(context, bytes)) {
            Ok(count) => {
                this.written += count;
                if this.is_impatient && this.written > SMALL {
                    this.be_patient();
                }
                Poll::Ready(Ok(count))
            }
            Err(error) => {
                // The answer may have come before the end: what is read next tells.
                (this.broken, this.discards) = (Some(error), true);
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.discards {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut this.transport).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}

impl<T: Transport> Stream<T> {
    /// The first bytes of a request are to be sent.
    fn begin(&mut self) -> Result<(), Fault> {
        let mut is_good = || self.age == self.host.age() && self.transport.is_quiet();
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
        // If the other end has gone without a word, what is small need not wait for the whole timeout.
        if self.is_reused {
            self.transport
                .fail_unacknowledged_after(Some(impatience(self.host.limit())));
            self.is_impatient = true;
        }
        Ok(())
    }

    /// Is there an answer before all of the request is written? With an error, the server wants no more of
    /// it; and a success is a fault.
    fn hear(&mut self, context: &mut Context<'_>) -> Result<bool, Fault> {
        self.is_writing = true;
        let heard = self.poll_head(context)?;
        self.is_writing = false;
        let has_begun = !self.reader.rest().is_empty();
        self.early = has_begun.then(|| self.reader.interim_count());
        Ok(heard.is_ready())
    }

    fn be_patient(&mut self) {
        self.transport.fail_unacknowledged_after(None);
        self.is_impatient = false;
    }
}

/// A part of the whole request's limit, so that there is time for another attempt.
fn impatience(limit: Duration) -> Duration {
    (limit / 4).clamp(Duration::from_secs(1), Duration::from_secs(5))
}
