//! Test servers whose responses are scripted byte by byte.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A server that treats each connection alike. Its threads end with the process.
pub(super) struct RawServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl RawServer {
    /// `serve` gets each connection and its number, from 1.
    pub(super) fn start(serve: impl Fn(Peer, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let (count, serve) = (Arc::clone(&connections), Arc::new(serve));
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (serve, number) = (serve.clone(), count.fetch_add(1, Ordering::SeqCst) + 1);
                let connection = connection.unwrap();
                thread::spawn(move || serve(Peer(connection), number));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Sends these bytes in response to each request.
    pub(super) fn answering(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |mut peer, _| {
            while peer.request().is_some() {
                peer.send(bytes.as_ref());
            }
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Number of connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A client's connection.
pub(super) struct Peer(pub(super) TcpStream);

impl Peer {
    /// Head of the next request, if any; its body is read too.
    pub(super) fn request(&mut self) -> Option<String> {
        let head = self.head()?;
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse::<u64>().unwrap()
        });
        let body = std::io::copy(&mut (&mut self.0).take(length), &mut std::io::sink());
        (body.ok()? == length).then_some(head)
    }

    /// Head of the next request; its body is not read.
    pub(super) fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if self.0.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        Some(String::from_utf8(head).unwrap())
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have closed the connection.
        _ = self.0.write_all(bytes.as_ref());
    }

    /// Sends single bytes, each in its own segment.
    pub(super) fn dribble(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) {
        self.0.set_nodelay(true).unwrap();
        for byte in bytes.as_ref() {
            self.send([*byte]);
            thread::sleep(pause);
        }
    }

    /// Closes the sending side; still reads.
    pub(super) fn end(&mut self) {
        _ = self.0.shutdown(Shutdown::Write);
        self.drain();
    }

    /// Resets the connection.
    pub(super) fn reset(self) {
        let socket = socket2::SockRef::from(&self.0);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Reads until the client closes the connection.
    pub(super) fn drain(&mut self) {
        _ = std::io::copy(&mut self.0, &mut std::io::sink());
    }

    /// Keeps the connection open, without reading.
    pub(super) fn hold(self) {
        thread::sleep(Duration::from_secs(60));
    }
}
