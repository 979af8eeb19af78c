//! A server whose every byte is said, and that keeps the lines it was sent, per database.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Its threads end with the process.
pub struct RawServer {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    lines: Mutex<BTreeMap<String, usize>>,
}

/// One connection of a client.
pub struct Peer {
    pub socket: TcpStream,
    /// From 1 on.
    pub number: usize,
    seen: Arc<Seen>,
}

/// The head of a request.
pub struct Head {
    /// Path and query.
    pub target: String,
    pub database: String,
    pub length: u64,
}

impl RawServer {
    /// `serve` gets each connection.
    pub fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, serve) = (Arc::<Seen>::default(), Arc::new(serve));
        let accepted = Arc::clone(&seen);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (serve, seen) = (Arc::clone(&serve), Arc::clone(&accepted));
                let number = seen.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let socket = socket.unwrap();
                let peer = Peer {
                    socket,
                    number,
                    seen,
                };
                thread::spawn(move || serve(peer));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// How many lines were [stored](Peer::store) of a database.
    pub fn stored(&self, database: &str) -> usize {
        let lines = self.seen.lines.lock().unwrap();
        lines.get(database).copied().unwrap_or_default()
    }
}

impl Peer {
    /// The head of the next request; nothing of its body is read.
    pub fn head(&mut self) -> Option<Head> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if self.socket.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        self.seen.requests.fetch_add(1, Ordering::SeqCst);
        let head = String::from_utf8(head).unwrap();
        let after = |mark: &str, ends: [char; 3]| {
            let value = head.split_once(mark)?.1;
            Some(value.split(ends).next()?.to_owned())
        };
        let target = head.split(' ').nth(1).unwrap_or_default();
        Some(Head {
            target: target.to_owned(),
            database: after("db=", ['&', ' ', '\r']).unwrap_or_default(),
            length: after("content-length: ", ['\r', '\n', ' '])
                .map_or(0, |length| length.parse().unwrap()),
        })
    }

    pub fn body(&mut self, head: &Head) -> Option<Vec<u8>> {
        let mut body = vec![0; head.length as usize];
        self.socket.read_exact(&mut body).ok()?;
        Some(body)
    }

    /// The next request, read whole.
    pub fn request(&mut self) -> Option<(Head, Vec<u8>)> {
        let head = self.head()?;
        let body = self.body(&head)?;
        Some((head, body))
    }

    /// Keeps the lines of a request. Each counts.
    pub fn store(&self, head: &Head, body: &[u8]) {
        let lines = body.iter().filter(|byte| **byte == b'\n').count();
        let mut stored = self.seen.lines.lock().unwrap();
        *stored.entry(head.database.clone()).or_default() += lines;
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may be gone.
        _ = self.socket.write_all(bytes.as_ref());
    }

    /// Holds the connection open, and reads nothing.
    pub fn hold(self) {
        thread::sleep(Duration::from_secs(60));
    }

    /// Reads until the client is gone.
    pub fn drain(&mut self) {
        _ = io::copy(&mut self.socket, &mut io::sink());
    }
}
