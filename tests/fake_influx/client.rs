//! An HTTP client that is as plain as can be: it shows what is on the wire.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use actix_influxdb::testing::FakeInflux;

/// Longer than anything takes here: only a failing test waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// For what isn't to happen: how long to look whether it does.
pub const MOMENT: Duration = Duration::from_millis(50);

pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// How a response ended that isn't one.
#[derive(Debug, PartialEq)]
pub enum Cut {
    /// An orderly end, after these bytes.
    End(Vec<u8>),
    Reset,
    /// Nothing more for as long as the client cared to wait, after these bytes.
    Silence(Vec<u8>),
}

impl Client {
    pub fn new(influx: &FakeInflux) -> Self {
        let stream = TcpStream::connect(influx.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Head and body are sent one after the other: neither is to wait for the other's receipt.
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub fn patience(self, time: Duration) -> Self {
        self.stream.set_read_timeout(Some(time)).unwrap();
        self
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Posts a body of line protocol to a database.
    pub fn post(&mut self, database: &str, body: &str) -> &mut Self {
        self.post_to(&format!("/write?db={database}"), "", body.as_bytes())
    }

    pub fn post_to(&mut self, target: &str, headers: &str, body: &[u8]) -> &mut Self {
        let length = body.len();
        self.send(format!(
            "POST {target} HTTP/1.1\r\nContent-Length: {length}\r\n{headers}\r\n"
        ));
        self.send(body)
    }

    pub fn get(&mut self, target: &str) -> &mut Self {
        self.send(format!("GET {target} HTTP/1.1\r\n\r\n"))
    }

    fn fill(&mut self) -> Result<(), Cut> {
        let mut more = [0; 4_096];
        match self.stream.read(&mut more) {
            Ok(0) => Err(Cut::End(std::mem::take(&mut self.unread))),
            Ok(count) => {
                self.unread.extend_from_slice(&more[..count]);
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset => Err(Cut::Reset),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    Err(Cut::Silence(self.unread.clone()))
                }
                _ => panic!("{error}"),
            },
        }
    }

    fn take_until(&mut self, end: &[u8]) -> Result<Vec<u8>, Cut> {
        loop {
            if let Some(at) = self
                .unread
                .windows(end.len())
                .position(|window| window == end)
            {
                return Ok(self.unread.drain(..at + end.len()).collect());
            }
            self.fill()?;
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, Cut> {
        while self.unread.len() < count {
            self.fill()?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    pub fn try_response(&mut self) -> Result<Response, Cut> {
        let head = String::from_utf8(self.take_until(b"\r\n\r\n")?).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut response = Response {
            status,
            head,
            body: Vec::new(),
        };
        if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            response.body = self.take(length)?;
        } else if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let line = String::from_utf8(self.take_until(b"\r\n")?).unwrap();
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                response.body.extend(self.take(size)?);
                self.take_until(b"\r\n")?;
                if size == 0 {
                    break;
                }
            }
        } else if !matches!(status, 100 | 204) {
            response.body = match self.end() {
                Cut::End(body) => body,
                other => return Err(other),
            };
        }
        Ok(response)
    }

    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.try_response()
            .unwrap_or_else(|cut| panic!("no response, but {cut:?}"))
    }

    /// Everything until the connection ends, or falls silent.
    pub fn end(&mut self) -> Cut {
        loop {
            if let Err(cut) = self.fill() {
                return cut;
            }
        }
    }
}

/// Posts on a connection of its own.
pub fn write(influx: &FakeInflux, database: &str, body: &str) -> Response {
    Client::new(influx).post(database, body).response()
}
