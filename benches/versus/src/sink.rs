//! The server of all clients: reads, counts, and answers at once. It has to be cheaper than any of
//! them.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    child::Child,
    cli::SinkArguments,
    machine::{self, Cores},
};

/// Large enough for few reads, small enough to stay in the core's own cache.
const BUFFER: usize = 256 * 1024;

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\n\r\n";

/// The process: says its `port`; when `points` have arrived, the moment (`end`) and the CPU time
/// that it took (`cpu`), both in nanoseconds.
pub fn run(arguments: &SinkArguments) -> Result<()> {
    machine::pin(arguments.core)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("the sink can't listen")?;
    println!("port={}", listener.local_addr()?.port());
    let counters = Arc::new(Counters {
        expected: arguments.points,
        ..Counters::default()
    });
    thread::spawn(|| {
        // Whoever has started it is no more: neither is it.
        _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept()?;
        let counters = Arc::clone(&counters);
        thread::spawn(move || {
            // A client that has gone is no fault: what counts is what arrived.
            if let Err(error) = serve(stream, &counters) {
                eprintln!("sink: {error:#}");
            }
        });
    }
}

#[derive(Debug, Default)]
struct Counters {
    expected: u64,
    points: AtomicU64,
}

impl Counters {
    fn add(&self, points: u64) {
        let before = self.points.fetch_add(points, Ordering::Relaxed);
        if before < self.expected && before + points >= self.expected {
            let end = machine::now();
            println!("cpu={}", machine::process_cpu());
            println!("end={end}");
        }
    }
}

/// Answers one connection's requests.
fn serve(stream: TcpStream, counters: &Counters) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(BUFFER, stream);
    let mut line = Vec::new();
    while let Some(head) = read_head(&mut reader, &mut line)? {
        if head.expects_continue {
            answers.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Body::default();
        match head.length {
            Length::Known(bytes) => body.read(&mut reader, bytes)?,
            Length::Chunked => loop {
                read_line(&mut reader, &mut line)?;
                let size = std::str::from_utf8(&line)?.split(';').next();
                let size = usize::from_str_radix(size.unwrap_or_default().trim(), 16)?;
                body.read(&mut reader, size)?;
                read_line(&mut reader, &mut line)?;
                if size == 0 {
                    break;
                }
            },
        }
        counters.add(body.points());
        answers.write_all(ANSWER)?;
    }
    Ok(())
}

#[derive(Debug)]
struct Head {
    length: Length,
    expects_continue: bool,
}

#[derive(Debug)]
enum Length {
    Known(usize),
    Chunked,
}

/// Reads a request's head, up to its body; none where the client has no more requests.
fn read_head(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Option<Head>> {
    let mut head = Head {
        length: Length::Known(0),
        expects_continue: false,
    };
    if !read_line(reader, line)? {
        return Ok(None);
    }
    loop {
        if !read_line(reader, line)? {
            bail!("the connection ended within a head");
        }
        if line.is_empty() {
            return Ok(Some(head));
        }
        let header = std::str::from_utf8(line)?;
        let Some((name, value)) = header.split_once(':') else {
            bail!("no header: {header:?}");
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = Length::Known(value.parse()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("expect") {
            head.expects_continue = true;
        } else if name.eq_ignore_ascii_case("content-encoding") && value != "identity" {
            bail!("a client compresses its bodies ({value}): points can't be counted");
        }
    }
}

/// A line without its end; false at the end of the connection.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool> {
    line.clear();
    let read = reader.read_until(b'\n', line)?;
    while let Some(b'\n' | b'\r') = line.last() {
        line.pop();
    }
    Ok(read > 0)
}

/// Counts a body's lines. None of the points holds a newline in a string.
#[derive(Debug, Default)]
struct Body {
    newlines: usize,
    /// Some clients end the last line with a newline, some don't.
    last: Option<u8>,
}

impl Body {
    fn read(&mut self, reader: &mut impl BufRead, mut bytes: usize) -> Result<()> {
        while bytes > 0 {
            let buffer = reader.fill_buf()?;
            let part = &buffer[..buffer.len().min(bytes)];
            let Some(last) = part.last() else {
                bail!("the connection ended within a body");
            };
            self.last = Some(*last);
            self.newlines += memchr::memchr_iter(b'\n', part).count();
            let read = part.len();
            reader.consume(read);
            bytes -= read;
        }
        Ok(())
    }

    fn points(&self) -> u64 {
        let unended = self.last.is_some_and(|last| last != b'\n');
        self.newlines as u64 + u64::from(unended)
    }
}

/// The sink, as the driver sees it.
#[derive(Debug)]
pub struct Sink(Child);

/// What the sink saw.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// When the last point was read, by [`machine::now`].
    pub end: f64,
    /// The sink's own CPU time in nanoseconds.
    pub cpu: f64,
}

impl Sink {
    /// Starts one that waits for `points`.
    pub fn start(cores: Cores, points: usize) -> Result<(Self, u16)> {
        let (core, points) = (cores.others.to_string(), points.to_string());
        let mut child = Child::start(&["sink", "--core", &core, "--points", &points])?;
        let port = child.wait_for("port", Duration::from_secs(10))?;
        Ok((Self(child), port.parse()?))
    }

    /// Waits until all points have arrived.
    pub fn wait(mut self, timeout: Duration) -> Result<Arrived> {
        let end = self.0.number("end", timeout)?;
        Ok(Arrived {
            end,
            cpu: self.0.number("cpu", timeout)?,
        })
    }
}
