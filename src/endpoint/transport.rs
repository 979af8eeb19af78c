//! The kinds of ways to a server. There is TCP; TLS, unix sockets and tunnels through a proxy have
//! their place here: a variant, made in [`connector`](super::connector), below the stream that reads
//! heads.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection's bytes go through.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Fails when what was sent is not acknowledged for so long; `None`: as long as the system likes.
    ///
    /// A live server acknowledges what its receive buffer takes, also while it reads nothing. But where
    /// that buffer is full, the time runs as well, although the server is there.
    fn fail_unacknowledged_after(&self, time: Option<Duration>);

    /// Is there nothing to read, neither bytes nor an end? Asks the system: the runtime may not have heard of it
    /// yet.
    fn is_quiet(&self) -> bool;
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
}

impl Transport for Socket {
    fn fail_unacknowledged_after(&self, time: Option<Duration>) {
        let Self::Tcp(_stream) = self;
        #[cfg(any(target_os = "android", target_os = "linux"))]
        {
            // Without it, the request's own timeout finds it out, later.
            _ = socket2::SockRef::from(_stream).set_tcp_user_timeout(time);
        }
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        let _ = time;
    }

    fn is_quiet(&self) -> bool {
        let Self::Tcp(stream) = self;
        let mut byte = [MaybeUninit::uninit()];
        let peeked = socket2::SockRef::from(stream).peek(&mut byte);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self::Tcp(stream) = self.get_mut();
        Pin::new(stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self::Tcp(stream) = self.get_mut();
        Pin::new(stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self::Tcp(stream) = self.get_mut();
        Pin::new(stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self::Tcp(stream) = self.get_mut();
        Pin::new(stream).poll_shutdown(context)
    }
}
