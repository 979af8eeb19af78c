//! Reading: from the server to awc.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::{FOREIGN_PAUSE, Fault, FaultKind, Framing, RECEIVE_BUFFER, State, Stream, Transport};
use crate::endpoint::head::{self, Head};

/// Number of bytes that are read at once while a head is awaited.
const PIECE: usize = 4 << 10;

impl<T: Transport> AsyncRead for Stream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.state, State::Head) {
            ready!(this.poll_head(context))?;
        }
        let head = &this.head[this.head_read..];
        if !head.is_empty() {
            let count = head.len().min(buffer.remaining());
            buffer.put_slice(&head[..count]);
            this.head_read += count;
            return Poll::Ready(Ok(()));
        }
        match this.state {
            State::Idle => this.poll_idle(context).map(Ok),
            State::Head | State::Over => Poll::Ready(Ok(())),
            State::Body { .. } => this.poll_body(context, buffer),
        }
    }
}

impl<T: Transport> Stream<T> {
    /// Ready when the connection must not be used again.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.generation == self.host.generation() {
            let mut piece = [MaybeUninit::uninit(); 1];
            let mut piece = ReadBuf::uninit(&mut piece);
            // An end, an error, or unexpected bytes.
            _ = ready!(Pin::new(&mut self.transport).poll_read(context, &mut piece));
        }
        self.state = State::Over;
        Poll::Ready(())
    }

    /// Ready when awc can read the final head; the body is next.
    pub(super) fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        loop {
            match self.reader.next(&mut self.head) {
                Ok(Some(head)) => return Poll::Ready(self.take_head(head)),
                Ok(None) => {}
                Err(unreadable) => return Poll::Ready(Err(self.unreadable(unreadable))),
            }
            let mut piece = [MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut piece);
            let read = match Pin::new(&mut self.transport).poll_read(context, &mut piece) {
                Poll::Pending => {
                    ready!(self.poll_foreign(context));
                    Ok(())
                }
                Poll::Ready(read) => read,
            };
            if !piece.filled().is_empty() {
                self.reader.push(piece.filled());
            } else if self.reader.is_foreign() {
                let foreign = self.reader.foreign();
                return Poll::Ready(Err(self.unreadable(foreign)));
            } else {
                return Poll::Ready(Err(self.connection_lost(read.err())));
            }
        }
    }

    /// Ready if the response is not HTTP and has paused.
    fn poll_foreign(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.reader.is_foreign() {
            return Poll::Pending;
        }
        let sleep = || Box::pin(actix_rt::time::sleep(FOREIGN_PAUSE));
        let pause = self.foreign.get_or_insert_with(sleep);
        pause.as_mut().poll(context)
    }

    fn take_head(&mut self, mut head: Head) -> Result<(), Fault> {
        let is_early = self.is_writing
            || self.broken.is_some()
            || self.early == Some(self.reader.interim_count());
        if is_early && (200..=299).contains(&head.status) {
            let status = head.status;
            let reason = format!("status {status} came before all of the request was sent");
            return Err(Fault::new(FaultKind::NotAnswered, reason));
        }
        // With an error, a server may leave the rest of the request unread.
        let is_taken = head.status < 400 || (head.status != 413 && self.written <= RECEIVE_BUFFER);
        head.is_reusable &= !is_early && is_taken;
        head::finish(&head, &mut self.head);
        self.state = State::Body {
            framing: head.framing,
            is_reusable: head.is_reusable,
        };
        self.end_body();
        Ok(())
    }

    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let State::Body { framing, .. } = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        let rest = self.reader.rest();
        if !rest.is_empty() {
            let count = rest.len().min(buffer.remaining());
            let count = framing.advance(&rest[..count])?;
            buffer.put_slice(&rest[..count]);
            self.reader.consume(count);
            self.end_body();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if read.is_empty() {
            if *framing != Framing::UntilClose {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.state = State::Over;
            return Poll::Ready(Ok(()));
        }
        let count = framing.advance(read)?;
        // Bytes after the body belong to no response; an invalid body is found later.
        self.reader.push(&read[count..]);
        buffer.set_filled(before + count);
        self.end_body();
        Poll::Ready(Ok(()))
    }

    /// After the end of the body, the connection becomes idle or unusable.
    fn end_body(&mut self) {
        let State::Body {
            framing,
            is_reusable,
        } = &self.state
        else {
            return;
        };
        if framing.is_over() {
            self.state = match *is_reusable && self.reader.rest().is_empty() {
                true => State::Idle,
                false => State::Over,
            };
            self.is_reused = true;
            // Whatever happened to others, this connection works.
            self.generation = self.host.generation();
        }
    }
}
