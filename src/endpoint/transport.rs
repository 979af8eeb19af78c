//! A connection's byte stream: TCP, TLS or a unix socket. Made by [`connector`](super::connector).

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

#[cfg(unix)]
use actix_rt::net::UnixStream;
use actix_rt::net::{ActixStream, Ready, TcpStream};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "rustls")]
use tokio_rustls::client::TlsStream;

/// A connection's byte stream.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Sets how long sent data may stay unacknowledged; `None` for the system's default.
    ///
    /// A live server acknowledges what fits its receive buffer, even if it doesn't read. With that
    /// buffer full, the time runs although the server is alive.
    fn fail_unacknowledged_after(&self, time: Option<Duration>);

    /// Whether there is nothing to read, neither bytes nor an end. Asks the system, as the runtime may not
    /// know yet.
    fn is_quiet(&mut self) -> bool;
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls a method on any kind of stream.
macro_rules! with_stream {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($stream) => $call,
            #[cfg(unix)]
            Socket::Unix($stream) => $call,
            #[cfg(feature = "rustls")]
            Socket::Tls($stream) => $call,
        }
    };
}

impl Socket {
    /// The TCP connection, also below TLS.
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            #[cfg(unix)]
            Self::Unix(_) => None,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => Some(stream.get_ref().0),
        }
    }
}

impl Transport for Socket {
    fn fail_unacknowledged_after(&self, time: Option<Duration>) {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Some(stream) = self.tcp() {
            // Without it, the request's timeout detects this later.
            _ = SockRef::from(stream).set_tcp_user_timeout(time);
        }
        #[cfg(not(any(target_os = "android", target_os = "linux")))]
        let _ = time;
    }

    fn is_quiet(&mut self) -> bool {
        match self {
            Self::Tcp(stream) => is_quiet(&SockRef::from(&*stream)),
            #[cfg(unix)]
            Self::Unix(stream) => is_quiet(&SockRef::from(&*stream)),
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => is_quiet_within(stream),
        }
    }
}

fn is_quiet(socket: &SockRef<'_>) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let peeked = socket.peek(&mut byte);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// A server may send TLS records between responses, such as session tickets. Reads them directly
/// from the socket, as the runtime may not know of them yet.
#[cfg(feature = "rustls")]
fn is_quiet_within(stream: &mut TlsStream<TcpStream>) -> bool {
    let (tcp, session) = stream.get_mut();
    let socket = SockRef::from(&*tcp);
    while !is_quiet(&socket) {
        let read = session.read_tls(&mut &*socket);
        if !read.is_ok_and(|count| count > 0) {
            return false;
        }
        let Ok(state) = session.process_new_packets() else {
            return false;
        };
        if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
            return false;
        }
    }
    true
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_stream!(self.get_mut(), stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self.get_mut(), stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}

impl Socket {
    pub(super) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        #[cfg(unix)]
        if let Self::Unix(stream) = self {
            return ActixStream::poll_read_ready(stream, context);
        }
        match self.tcp() {
            Some(stream) => ActixStream::poll_read_ready(stream, context),
            None => Poll::Pending,
        }
    }

    pub(super) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        #[cfg(unix)]
        if let Self::Unix(stream) = self {
            return ActixStream::poll_write_ready(stream, context);
        }
        match self.tcp() {
            Some(stream) => ActixStream::poll_write_ready(stream, context),
            None => Poll::Pending,
        }
    }
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::{super::tls::Tls, *};
    use crate::{Config, config::Files};

    /// Both ends of a TLS connection.
    async fn pair() -> (Socket, tokio_rustls::server::TlsStream<TcpStream>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config::v1("https://localhost").danger_accept_invalid_certs(true);
        let tls = Tls::new(&config, &Files::default()).unwrap();
        let client = async {
            let stream = TcpStream::connect(address).await.unwrap();
            tls.connect("localhost", stream).await.unwrap()
        };
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
            acceptor.accept(stream).await.unwrap()
        };
        let (client, server) = tokio::join!(client, server);
        (Socket::Tls(Box::new(client)), server)
    }

    /// Waits until unread bytes have arrived.
    fn wait_for_bytes(socket: &Socket) {
        let tcp = SockRef::from(socket.tcp().unwrap());
        let began = std::time::Instant::now();
        while is_quiet(&tcp) {
            assert!(began.elapsed() < Duration::from_secs(10), "nothing came");
            std::thread::yield_now();
        }
    }

    #[actix::test]
    async fn tickets_of_a_session_are_no_answer_but_bytes_and_an_end_are() {
        let (mut client, mut server) = pair().await;
        // TLS 1.3 sends tickets after the handshake.
        wait_for_bytes(&client);
        assert!(client.is_quiet());
        server.write_all(b"x").await.unwrap();
        server.flush().await.unwrap();
        wait_for_bytes(&client);
        assert!(!client.is_quiet());

        let (mut client, mut server) = pair().await;
        server.shutdown().await.unwrap();
        wait_for_bytes(&client);
        assert!(!client.is_quiet());
    }
}
