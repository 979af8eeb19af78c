//! A client of one connection that sends bytes as they are and reads responses as they come.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use socket2::SockRef;

use crate::service::LONG;

pub struct Client {
    socket: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let read = Vec::new();
        Self { socket, read }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.socket.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// A request without a body.
    pub fn request(&mut self, method: &str, target: &str) -> &mut Self {
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ))
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.request("GET", target).response(true)
    }

    /// Reads one response: with its content, if it has a length and `has_content` says so.
    pub fn response(&mut self, has_content: bool) -> Response {
        let end = self.read_until(b"\r\n\r\n");
        let head = self.read.drain(..end).collect::<Vec<_>>();
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head[9..12].parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = Vec::new();
        if has_content {
            while self.read.len() < length {
                assert!(self.read_some() > 0, "the body is cut");
            }
            body.extend(self.read.drain(..length));
        }
        Response { status, body }
    }

    /// Has a response begun to come?
    pub fn has_response(&mut self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let peeked = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false).unwrap();
        peeked.is_ok()
    }

    /// Reads until `end` has come. Returns how many bytes that are with it.
    pub fn read_until(&mut self, end: &[u8]) -> usize {
        if end.is_empty() {
            return 0;
        }
        loop {
            let found = self.read.windows(end.len()).position(|part| part == end);
            if let Some(at) = found {
                return at + end.len();
            }
            let all = String::from_utf8_lossy(&self.read).into_owned();
            assert!(self.read_some() > 0, "the connection ended after {all:?}");
        }
    }

    /// The same, and forgets it.
    pub fn take_until(&mut self, end: &[u8]) -> &mut Self {
        let count = self.read_until(end);
        self.read.drain(..count);
        self
    }

    /// Reads until the server closes the connection, or resets it.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_some() > 0 {}
        std::mem::take(&mut self.read)
    }

    fn read_some(&mut self) -> usize {
        let mut buffer = [0; 65_536];
        let count = match self.socket.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        };
        self.read.extend_from_slice(&buffer[..count]);
        count
    }

    /// Sends no more, and still reads. (A connection that is dropped says the same to the server.)
    pub fn close_sending(&mut self) -> &mut Self {
        self.socket.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Goes away in a way that the server sees at once: with a reset.
    pub fn vanish(self) {
        SockRef::from(&self.socket)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    }
}
