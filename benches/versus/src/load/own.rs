//! A generator of this program's: sends a fixed number of requests.

use std::{cell::Cell, io::Write as _, rc::Rc};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Builder,
    task::LocalSet,
};

use super::{HEADERS, Loaded};
use crate::{
    child::Child,
    cli::LoadArguments,
    machine::{self, Cores},
    reports::TIMEOUT,
};

/// The process that does it, as the driver sees it.
#[derive(Debug)]
pub struct Own(Child);

pub fn start(port: &str, requests: usize, connections: usize, cores: Cores) -> Result<Own> {
    let core = cores.others;
    let arguments = [
        "load".to_owned(),
        format!("--port={port}"),
        format!("--requests={requests}"),
        format!("--connections={connections}"),
        format!("--core={core}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Child::start(&arguments).map(Own)
}

impl Own {
    /// Waits until all requests are answered.
    pub fn loaded(self) -> Result<Loaded> {
        let Self(mut child) = self;
        let mut number = |key| child.number(key, TIMEOUT);
        let loaded = Loaded {
            rate: number("rate")?,
            requests: number("requests")?,
            p50: number("p50")?,
            p99: number("p99")?,
            elapsed: number("elapsed")?,
            cpu: number("cpu")?,
        };
        child.end(TIMEOUT)?;
        Ok(loaded)
    }
}

/// The process: says the requests a second (`rate`), the number of `requests`, the latencies `p50` and `p99` (nanoseconds),
/// its own CPU time (`cpu`) and the `elapsed` time (nanoseconds).
pub fn run(arguments: &LoadArguments) -> Result<()> {
    machine::pin(arguments.core)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let latencies = LocalSet::new().block_on(&runtime, send_all(arguments))?;
    let Latencies { mut all, elapsed } = latencies;
    all.sort_unstable();
    let quantile = |part: f64| {
        let place = (all.len() as f64 * part) as usize;
        all.get(place).or(all.last()).copied().unwrap_or(0)
    };
    println!("p50={}\np99={}", quantile(0.5), quantile(0.99));
    println!("cpu={}\nelapsed={elapsed}", machine::process_cpu());
    println!("requests={}", all.len());
    println!("rate={}", all.len() as f64 / elapsed as f64 * 1e9);
    Ok(())
}

struct Latencies {
    all: Vec<u64>,
    elapsed: u64,
}

async fn send_all(arguments: &LoadArguments) -> Result<Latencies> {
    let left = Rc::new(Cell::new(arguments.requests));
    let mut connections = Vec::new();
    for _ in 0..arguments.connections {
        let stream = TcpStream::connect(("127.0.0.1", arguments.port)).await;
        let stream = stream.context("can't connect to the app")?;
        stream.set_nodelay(true)?;
        connections.push(stream);
    }
    let start = machine::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|stream| tokio::task::spawn_local(send(stream, Rc::clone(&left))))
        .collect();
    let mut all = Vec::with_capacity(arguments.requests);
    for task in tasks {
        all.extend(task.await??);
    }
    let elapsed = machine::now() - start;
    Ok(Latencies { all, elapsed })
}

/// One connection's requests.
async fn send(mut stream: TcpStream, left: Rc<Cell<usize>>) -> Result<Vec<u64>> {
    let headers: String = HEADERS
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let (mut request, mut answer) = (Vec::new(), Answer::default());
    let mut latencies = Vec::new();
    while let Some(rest) = left.get().checked_sub(1) {
        left.set(rest);
        request.clear();
        write!(
            request,
            "GET /users/{} HTTP/1.1\r\nhost: localhost:8080\r\n{headers}\r\n",
            rest % 1_000
        )?;
        let start = machine::now();
        stream.write_all(&request).await?;
        answer.read(&mut stream).await?;
        latencies.push(machine::now() - start);
    }
    Ok(latencies)
}

/// Knows where an answer ends.
#[derive(Default)]
struct Answer(Vec<u8>);

impl Answer {
    async fn read(&mut self, stream: &mut TcpStream) -> Result<()> {
        self.0.clear();
        while !self.is_whole()? {
            if stream.read_buf(&mut self.0).await? == 0 {
                bail!("the app closed a connection");
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> Result<bool> {
        let Some(end) = memchr::memmem::find(&self.0, b"\r\n\r\n") else {
            return Ok(false);
        };
        let head = &self.0[..end];
        if !head.starts_with(b"HTTP/1.1 200 ") {
            bail!("the app said {:?}", String::from_utf8_lossy(head));
        }
        const LENGTH: &[u8] = b"content-length: ";
        let after = memchr::memmem::find(head, LENGTH).context("an answer without a length")?;
        let digits = head[after + LENGTH.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        Ok(self.0.len() >= end + 4 + length)
    }
}
