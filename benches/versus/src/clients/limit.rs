//! The limit: what the fastest straightforward loop does. One thread, one buffer that is reused,
//! a scan of every string for what has to be escaped, one blocking socket.

use std::{
    hint::black_box,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};

use super::Subject;
use crate::data::{DATABASE, NAME, Point, Points};

pub struct Limit {
    body: Vec<u8>,
    head: Vec<u8>,
    stream: Option<TcpStream>,
}

impl Subject for Limit {
    fn connected(url: &str) -> Result<Self> {
        let address = url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).context("the limit can't connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: Some(stream),
            ..Self::offline()?
        })
    }

    fn offline() -> Result<Self> {
        Ok(Self {
            body: Vec::with_capacity(2 << 20),
            head: Vec::new(),
            stream: None,
        })
    }

    fn encode(&mut self, points: &Arc<Points>) -> Result<()> {
        for batch in points.batches() {
            batch.for_each(|point| push_line(&mut self.body, &point));
            black_box(&self.body);
            self.body.clear();
        }
        Ok(())
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        for batch in points.batches() {
            batch.for_each(|point| push_line(&mut self.body, &point));
            self.post()?;
            self.body.clear();
        }
        Ok(())
    }
}

impl Limit {
    fn post(&mut self) -> Result<()> {
        let stream = self.stream.as_mut().context("no connection")?;
        self.head.clear();
        write!(
            self.head,
            "POST /write?db={DATABASE}&precision=ns HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: {}\r\n\r\n",
            self.body.len()
        )?;
        stream.write_all(&self.head)?;
        stream.write_all(&self.body)?;
        let mut answer = [0; 512];
        let mut read = 0;
        while !answer[..read].ends_with(b"\r\n\r\n") {
            match stream.read(&mut answer[read..])? {
                0 => bail!("the server closed the connection"),
                bytes => read += bytes,
            }
        }
        if !answer.starts_with(b"HTTP/1.1 204 ") {
            bail!("the server said no");
        }
        Ok(())
    }
}

fn push_line(out: &mut Vec<u8>, point: &Point) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let stamp = now.map_or(0, |since| since.as_nanos() as u64);
    // The keys are this program's own, and written as they are to be; the values may be anything.
    out.extend_from_slice(NAME.as_bytes());
    push_tag(out, b",endpoint=", point.endpoint);
    push_tag(out, b",host=", point.host);
    push_tag(out, b",method=", point.method);
    push_tag(out, b",region=", point.region);
    push_tag(out, b",service=", point.service);
    push_tag(out, b",status=", point.status);
    out.extend_from_slice(b" bytes=");
    out.extend_from_slice(itoa::Buffer::new().format(point.bytes).as_bytes());
    out.extend_from_slice(b"i,duration=");
    out.extend_from_slice(ryu::Buffer::new().format(point.duration).as_bytes());
    out.push(b' ');
    out.extend_from_slice(itoa::Buffer::new().format(stamp).as_bytes());
    out.push(b'\n');
}

fn push_tag(out: &mut Vec<u8>, key: &[u8], value: &str) {
    out.extend_from_slice(key);
    push_escaped(out, value);
}

/// Most strings hold nothing to escape, and are copied as they are.
fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let special = |byte: &u8| matches!(byte, b',' | b'=' | b' ' | b'\\' | b'\n' | b'\r' | b'\t');
    let bytes = text.as_bytes();
    if !bytes.iter().any(special) {
        return out.extend_from_slice(bytes);
    }
    for byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b',' | b'=' | b' ' => out.extend_from_slice(&[b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
}
