//! Reads requests from a socket (RFC 9112), as far as clients of InfluxDB use HTTP.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Instant,
};

use bytes::Bytes;

use super::{request::Request, service::split_target};

const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;

/// Why no request was read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection ended, between requests or within one.
    Closed,
    /// The bytes are not HTTP.
    Malformed,
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl From<httparse::InvalidChunkSize> for Fault {
    fn from(_: httparse::InvalidChunkSize) -> Self {
        Self::Malformed
    }
}

/// Head of a request, and how to read its body.
#[derive(Debug)]
pub(super) struct Head {
    /// The request, with an empty body.
    pub(super) request: Request,
    pub(super) keep_alive: bool,
    expects_continue: bool,
    length: Length,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Known(usize),
    Chunked,
}

/// Reads requests in sequence; surplus bytes belong to the next one.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    /// Start of the unread part of `buffer`.
    start: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            start: 0,
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Takes the next `count` bytes, which must have been read.
    fn take(&mut self, count: usize) -> &[u8] {
        self.start += count;
        &self.buffer[self.start - count..self.start]
    }

    fn fill(&mut self) -> Result<(), Fault> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let mut more = [0; 16 * 1024];
        match self.stream.read(&mut more)? {
            0 => Err(Fault::Closed),
            count => {
                self.buffer.extend_from_slice(&more[..count]);
                Ok(())
            }
        }
    }

    pub(super) fn head(&mut self, connection: u64) -> Result<Head, Fault> {
        let peer = self.stream.peer_addr();
        let peer_port = peer.map_or(0, |address| address.port());
        loop {
            if let Some((mut head, length)) = parse_head(self.unread(), connection)? {
                head.request.peer_port = peer_port;
                self.take(length);
                return Ok(head);
            }
            if self.unread().len() > MAX_HEAD {
                return Err(Fault::Malformed);
            }
            self.fill()?;
        }
    }

    /// The request's body, or its first `limit` bytes.
    pub(super) fn body(&mut self, head: &Head, limit: usize) -> Result<Bytes, Fault> {
        if head.expects_continue {
            (&mut &*self.stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Vec::new();
        match head.length {
            Length::Known(length) => self.copy(length.min(limit), &mut body)?,
            Length::Chunked => self.chunks(limit, &mut body)?,
        }
        Ok(body.into())
    }

    fn copy(&mut self, mut count: usize, body: &mut Vec<u8>) -> Result<(), Fault> {
        while count > 0 {
            if self.unread().is_empty() {
                self.fill()?;
            }
            let now = count.min(self.unread().len());
            body.extend_from_slice(self.take(now));
            count -= now;
        }
        Ok(())
    }

    fn chunks(&mut self, limit: usize, body: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            if body.len() == limit {
                return Ok(());
            }
            let (line, size) = match httparse::parse_chunk_size(self.unread())? {
                httparse::Status::Complete(found) => found,
                httparse::Status::Partial if self.unread().len() > MAX_HEAD => {
                    return Err(Fault::Malformed);
                }
                httparse::Status::Partial => {
                    self.fill()?;
                    continue;
                }
            };
            self.take(line);
            if size == 0 {
                return self.trailers();
            }
            let size = usize::try_from(size).map_err(|_| Fault::Malformed)?;
            let wanted = size.min(limit - body.len());
            self.copy(wanted, body)?;
            if wanted == size && self.line()? != b"\r\n" {
                return Err(Fault::Malformed);
            }
        }
    }

    fn trailers(&mut self) -> Result<(), Fault> {
        while !matches!(self.line()?, b"\r\n" | b"\n") {}
        Ok(())
    }

    /// The next line, with its line end.
    fn line(&mut self) -> Result<&[u8], Fault> {
        loop {
            if let Some(end) = self.unread().iter().position(|byte| *byte == b'\n') {
                return Ok(self.take(end + 1));
            }
            if self.unread().len() > MAX_HEAD {
                return Err(Fault::Malformed);
            }
            self.fill()?;
        }
    }
}

/// The head and its length in bytes, if complete.
fn parse_head(bytes: &[u8], connection: u64) -> Result<Option<(Head, usize)>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::Malformed),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(Fault::Malformed);
    };
    let (path, query) = split_target(target);
    let lower = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    let request = Request {
        method: method.to_owned(),
        path,
        query,
        target: target.to_owned(),
        headers: parsed.headers.iter().map(lower).collect(),
        body: Bytes::new(),
        status: None,
        received_at: Instant::now(),
        connection,
        peer_port: 0,
    };
    let is_1_0 = parsed.version == Some(0);
    let names = |header: &str, token: &str| {
        let mut tokens = request.header(header).unwrap_or_default().split(',');
        tokens.any(|found| found.trim().eq_ignore_ascii_case(token))
    };
    let keep_alive = if is_1_0 {
        names("connection", "keep-alive")
    } else {
        !names("connection", "close")
    };
    let expects_continue = names("expect", "100-continue");
    let length_of_body = body_length(&request)?;
    let head = Head {
        request,
        keep_alive,
        expects_continue,
        length: length_of_body,
    };
    Ok(Some((head, length)))
}

/// RFC 9112 §6.3: chunked takes precedence over a length, and several lengths must be equal.
fn body_length(request: &Request) -> Result<Length, Fault> {
    if let Some(coding) = request.header("transfer-encoding") {
        let is_chunked = coding.eq_ignore_ascii_case("chunked");
        return if is_chunked {
            Ok(Length::Chunked)
        } else {
            Err(Fault::Malformed)
        };
    }
    let mut lengths = request
        .headers
        .iter()
        .filter(|(name, _)| name == "content-length");
    let Some((_, first)) = lengths.next() else {
        return Ok(Length::Known(0));
    };
    let all_digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits || lengths.any(|(_, other)| other != first) {
        return Err(Fault::Malformed);
    }
    first
        .parse()
        .map(Length::Known)
        .map_err(|_| Fault::Malformed)
}
