//! A scripted server, for tests and fuzzing.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Host, Stream, Transport};
use crate::endpoint::route::Route;

/// What can be read next.
#[derive(Clone, Debug)]
pub(in crate::endpoint) enum Step {
    Bytes(Vec<u8>),
    /// Nothing, until this many bytes of requests were accepted.
    After(usize),
    Close,
    Reset,
}

#[derive(Debug, Default)]
pub(in crate::endpoint) struct Script {
    pub(in crate::endpoint) steps: VecDeque<Step>,
    /// Number of request bytes that are accepted.
    pub(in crate::endpoint) takes: usize,
    pub(in crate::endpoint) taken: usize,
    /// Whether a write fails once no more is accepted. Otherwise it waits.
    pub(in crate::endpoint) breaks: bool,
    pub(in crate::endpoint) unacknowledged: Option<Duration>,
}

/// The client's side of the script.
#[derive(Clone, Debug, Default)]
pub(in crate::endpoint) struct Scripted(pub(in crate::endpoint) Rc<RefCell<Script>>);

impl Scripted {
    pub(in crate::endpoint) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Script {
            steps: steps.into_iter().collect(),
            takes: usize::MAX,
            ..Script::default()
        };
        Self(Rc::new(RefCell::new(script)))
    }

    pub(in crate::endpoint) fn stream(&self) -> Stream<Self> {
        Stream::new(self.clone(), Rc::new(Host::new("h:1", Route::tcp())))
    }
}

impl Transport for Scripted {
    fn fail_unacknowledged_after(&self, time: Option<Duration>) {
        self.0.borrow_mut().unacknowledged = time;
    }

    fn is_quiet(&mut self) -> bool {
        let script = self.0.borrow();
        match script.steps.front() {
            Some(Step::After(count)) => script.taken < *count,
            step => step.is_none(),
        }
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut script = self.0.borrow_mut();
        if let Some(Step::After(count)) = script.steps.front() {
            if script.taken < *count {
                return Poll::Pending;
            }
            script.steps.pop_front();
        }
        match script.steps.pop_front() {
            Some(Step::Bytes(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
                buffer.put_slice(&bytes);
                if !rest.is_empty() {
                    script.steps.push_front(Step::Bytes(rest));
                }
                Poll::Ready(Ok(()))
            }
            Some(Step::After(_)) | None => Poll::Pending,
            Some(Step::Close) => {
                script.steps.push_front(Step::Close);
                Poll::Ready(Ok(()))
            }
            Some(Step::Reset) => {
                script.steps.push_front(Step::Close);
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut script = self.0.borrow_mut();
        let count = bytes.len().min(script.takes - script.taken);
        script.taken += count;
        match (count, script.breaks) {
            (0, true) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            (0, false) => Poll::Pending,
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes a request of `count` bytes. Returns how many were accepted, or seemed so.
pub(in crate::endpoint) fn write(stream: &mut Stream<Scripted>, count: usize) -> io::Result<usize> {
    let mut context = Context::from_waker(Waker::noop());
    let (request, mut written) = (vec![b'x'; count], 0);
    while written < count {
        match Pin::new(&mut *stream).poll_write(&mut context, &request[written..]) {
            Poll::Ready(count) => written += count?,
            Poll::Pending => break,
        }
    }
    Ok(written)
}

/// Reads all that is available. Returns it, and whether that was the end.
pub(in crate::endpoint) fn read(stream: &mut Stream<Scripted>) -> io::Result<(Vec<u8>, bool)> {
    let mut context = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    loop {
        let mut piece = [0; 100];
        let mut piece = ReadBuf::new(&mut piece);
        match Pin::new(&mut *stream).poll_read(&mut context, &mut piece) {
            Poll::Ready(read) => read?,
            Poll::Pending => return Ok((all, false)),
        }
        if piece.filled().is_empty() {
            return Ok((all, true));
        }
        all.extend_from_slice(piece.filled());
    }
}
