//! How the example for containers ends: in time, with everything delivered, and at once when it is
//! told so twice.

#![cfg(unix)]
#![allow(unsafe_code)] // `kill`

mod support;

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::testing::{Answer, FakeInflux};
use support::pipeline::LONG;

/// What `docker stop` leaves a container before it kills it.
const DOCKER: Duration = Duration::from_secs(10);

fn example() -> Option<PathBuf> {
    support::example::program("signals", "containers")
}

struct Service {
    child: Child,
    address: String,
    log: Receiver<String>,
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            _ = sender.send(line);
        }
    });
    receiver
}

impl Service {
    fn start(example: PathBuf, fake: &FakeInflux) -> Self {
        let mut child = Command::new(example)
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("INFLUXDB_URL", fake.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let address = out.recv_timeout(LONG).expect("it says where it listens");
        let address = address.trim_start_matches("listening on ").to_owned();
        Self {
            child,
            address,
            log,
        }
    }

    fn get(&self) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.ends_with("hello\n"), "{response}");
    }

    fn terminate(&self) {
        let id = self.child.id().cast_signed();
        // SAFETY: a call without memory; the process is this one's child, and not waited for yet.
        assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
    }

    fn wait_for(&self, words: &str) {
        while !self.log.recv_timeout(LONG).expect(words).contains(words) {}
    }

    /// Waits for its end; its log is closed by then.
    fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let began = Instant::now();
        let mut log = Vec::new();
        while let Ok(line) = self.log.recv_timeout(LONG.saturating_sub(began.elapsed())) {
            log.push(line);
        }
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn sigterm_ends_the_service_with_everything_delivered() {
    let Some(example) = example() else { return };
    let fake = FakeInflux::start();
    let service = Service::start(example, &fake);
    for _ in 0..10 {
        service.get();
    }
    service.terminate();
    let began = Instant::now();
    service.wait_for("delivery has ended");
    assert!(began.elapsed() < DOCKER);
    assert_eq!(fake.count("example"), 10);
    assert_eq!(service.ended().0.code(), Some(0));
}

#[test]
fn sigterm_ends_the_service_before_docker_kills_it_whoever_hangs() {
    let Some(example) = example() else { return };
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let service = Service::start(example, &fake);
    service.get();
    // A client that never ends its request.
    let mut client = TcpStream::connect(&service.address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    service.terminate();
    let began = Instant::now();
    let (status, log) = service.ended();
    assert!(began.elapsed() < DOCKER, "{:?}", began.elapsed());
    assert_eq!(status.code(), Some(0));
    let last = log.last().expect("a last line");
    assert!(last.contains("1 measurements undelivered"), "{log:#?}");
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    let Some(example) = example() else { return };
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let service = Service::start(example, &fake);
    service.get();
    service.terminate();
    service.wait_for("shutting down: delivering");
    service.terminate();
    let began = Instant::now();
    assert_eq!(service.ended().0.code(), Some(130));
    // The guard alone would wait for four seconds.
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}
