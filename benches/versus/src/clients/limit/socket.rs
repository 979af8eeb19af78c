//! One blocking socket, and the least HTTP that a server takes.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result, bail};

use crate::data::DATABASE;

pub struct Socket {
    stream: TcpStream,
    head: Vec<u8>,
}

impl Socket {
    pub fn connect(server: &str) -> Result<Self> {
        let address = server.trim_start_matches("http://");
        let stream = TcpStream::connect(address).context("the limit can't connect")?;
        stream.set_nodelay(true)?;
        let head = Vec::new();
        Ok(Self { stream, head })
    }

    /// Sends a batch, and waits for the answer.
    pub fn post(&mut self, body: &[u8]) -> Result<()> {
        let Self { stream, head } = self;
        head.clear();
        write!(
            head,
            "POST /write?db={DATABASE}&precision=ns HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(head)?;
        stream.write_all(body)?;
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
