//! A server that is down for the whole test, and a program that records as fast as it can: what
//! memory that takes, how long a call takes, and what the ledger says.
//!
//! Each test measures the memory of its process, so it has that to itself: the second runs itself
//! in another one. `MEMORY_RECORDS` says how many measurements (default: 1,000,000 and 400,000).

mod support;

use std::{
    env,
    io::{self, Write as _},
    net::TcpListener,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, Measurement, RecordError, testing};

/// So long that the bytes reach their limit first.
const AGENT: &str = match str::from_utf8(&[b'x'; 600]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

const THREADS: u64 = 2;

/// What all else may take: threads, code, the client, what the allocator keeps.
const OVERHEAD: u64 = 64 << 20;

/// No call may take as long as the server, or a batch, would. A scheduler may do this to anybody.
const BOUND: Duration = Duration::from_secs(1);

/// A value of `/proc/self/status`, in bytes.
fn of_this_process(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes = line.trim_start_matches(':').trim().strip_suffix(" kB")?;
    Some(kilobytes.parse::<u64>().ok()? << 10)
}

fn leave_out() {
    support::leave_out(
        "memory",
        "there is no /proc/self/status here (run it on Linux)",
    );
}

/// libtest captures what the print macros write, not this.
fn say(text: &str) {
    _ = writeln!(io::stderr(), "{text}");
}

fn records(default: u64) -> u64 {
    match env::var("MEMORY_RECORDS") {
        Ok(text) => text.parse().expect("MEMORY_RECORDS is a whole number"),
        Err(_) => default,
    }
}

/// The URL of a server that is not there.
fn nobody() -> String {
    // Nobody listens there once this is dropped.
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", port.local_addr().unwrap())
}

/// How many calls took how long: eight steps to each doubling, so 12 % apart.
struct Histogram {
    counts: [u64; 64 * 8],
    max: Duration,
}

impl Histogram {
    const fn new() -> Self {
        Self {
            counts: [0; 64 * 8],
            max: Duration::ZERO,
        }
    }

    fn add(&mut self, time: Duration) {
        let nanos = time.as_nanos() as u64 | 8;
        let doubling = nanos.ilog2();
        let step = (nanos >> (doubling - 3)) & 7;
        self.counts[(doubling * 8) as usize + step as usize] += 1;
        self.max = self.max.max(time);
    }

    fn merge(&mut self, other: &Self) {
        let counts = self.counts.iter_mut().zip(other.counts);
        counts.for_each(|(count, more)| *count += more);
        self.max = self.max.max(other.max);
    }

    /// The upper end of the step that holds this share of the calls.
    fn quantile(&self, share: f64) -> Duration {
        let all: u64 = self.counts.iter().sum();
        let mut left = (all as f64 * share).ceil() as u64;
        let at = self.counts.iter().position(|count| {
            left = left.saturating_sub(*count);
            left == 0
        });
        let at = at.expect("at least one call") as u64;
        Duration::from_nanos((9 + at % 8) << (at / 8 - 3))
    }
}

/// Records measurements of many lengths; how long it took, and how many were refused.
fn record(influx: &Influx, numbers: impl Iterator<Item = u64>) -> (Histogram, u64) {
    let (mut calls, mut full) = (Histogram::new(), 0);
    for number in numbers {
        let measurement = Measurement::new("db", "requests")
            .tag("endpoint", "/users/{id}")
            .tag("method", "GET")
            .field("count", number)
            .field("duration", number as f64 / 7.0)
            .field("agent", &AGENT[..number as usize % AGENT.len()]);
        let began = Instant::now();
        let result = influx.record(measurement);
        calls.add(began.elapsed());
        match result {
            Ok(()) => {}
            Err(RecordError::BufferFull { .. }) => full += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (calls, full)
}

#[actix::test]
async fn a_server_that_is_down_costs_no_more_memory_than_the_limits_and_no_call_waits() {
    let Some(baseline) = of_this_process("VmRSS") else {
        return leave_out();
    };
    let records = records(1_000_000);
    let delay = Duration::from_millis(100);
    let influx = Influx::start(Config::v1(nobody()).max_retry_delay(delay)).unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let influx = influx.clone();
            thread::spawn(move || record(&influx, (thread..records).step_by(THREADS as usize)))
        })
        .collect();
    let (mut calls, mut full) = (Histogram::new(), 0);
    for thread in threads {
        let (theirs, refused) = thread.join().unwrap();
        calls.merge(&theirs);
        full += refused;
    }
    let peak = of_this_process("VmHWM").expect("it was there before");

    let stats = influx.stats();
    assert!(stats.balanced(), "{stats:?}");
    assert_eq!(stats.recorded, records);
    assert!(
        stats.pending <= Config::DEFAULT_MAX_BUFFER_SIZE as u64,
        "{stats:?}"
    );
    assert_eq!(stats.dropped.buffer_full, full);
    assert_eq!(stats.dropped.buffer_full, records - stats.pending);
    assert_eq!(stats.dropped.total(), full, "{stats:?}");
    assert_eq!(stats.written + stats.rejected, 0);
    let report = influx.shutdown(Duration::ZERO).await;
    assert_eq!(report.undelivered, stats.pending);
    let end = influx.stats();
    assert!(end.balanced() && end.pending == 0, "{end:?}");
    assert_eq!(end.dropped.undelivered, stats.pending);
    assert_eq!(end.dropped.total(), records);

    let above = peak.saturating_sub(baseline);
    say(&format!(
        "memory: {records} records, {full} dropped; at most {} MiB above the baseline, limits {} MiB; \
         a call took {:?} (p50), {:?} (p99), {:?} (p99.99), {:?} (max)",
        above >> 20,
        Config::DEFAULT_MAX_BUFFER_BYTES >> 20,
        calls.quantile(0.5),
        calls.quantile(0.99),
        calls.quantile(0.9999),
        calls.max,
    ));
    assert!(
        above <= Config::DEFAULT_MAX_BUFFER_BYTES as u64 + OVERHEAD,
        "{above} bytes"
    );
    assert!(calls.max < BOUND, "a call took {:?}", calls.max);
}

/// How many bytes a byte of pending lines may take.
const MOST_PER_BYTE: f64 = 1.25;

/// So many lines make a batch of a little more than 2 MiB: the worst case for memory that doubles.
const LINES: u64 = 12_000;

/// Says that this process is the second test's own.
const ALONE: &str = "MEMORY_ALONE";

/// 6 tags and 2 fields, a line of about 190 bytes.
fn request(number: u64) -> Measurement {
    const ENDPOINTS: [&str; 4] = ["/", "/users/{id}", "/users/{id}/orders", "/products"];
    const STATUS: [&str; 3] = ["200", "404", "503"];
    Measurement::new("db", "http_request")
        .tag("method", "GET")
        .tag("endpoint", ENDPOINTS[number as usize % 4])
        .tag("handler", "a_handler_of_them")
        .tag("status_code", STATUS[number as usize % 3])
        .tag("outcome", "ok")
        .tag("availability_zone", "eu-central-1a")
        .field("duration", number as f64 / 1e6)
        .field("time_to_first_byte", number as f64 / 2e6)
}

fn bytes_of_lines(numbers: impl Iterator<Item = u64>) -> usize {
    let mut line = Vec::new();
    let bytes_of_line = |number| {
        line.clear();
        testing::encode(request(number), &mut line).unwrap();
        line.len()
    };
    numbers.map(bytes_of_line).sum()
}

/// Records measurements, and hands them to the buffer actor. The server takes none.
async fn leave_pending(influx: &Influx, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        influx.record(request(number)).unwrap();
    }
    let report = influx.flush(Duration::from_millis(500)).await;
    assert_eq!(report.undelivered, influx.stats().recorded, "{report:?}");
}

#[actix::test]
async fn what_is_pending_takes_little_more_memory_than_its_lines() {
    const NAME: &str = "what_is_pending_takes_little_more_memory_than_its_lines";
    if env::var_os(ALONE).is_none() {
        let mut alone = Command::new(env::current_exe().unwrap());
        let alone = alone.args([NAME, "--exact", "--nocapture"]).env(ALONE, "1");
        let output = alone.output().unwrap();
        let [told, errors] =
            [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        say(errors.trim_end());
        let passes = output.status.success() && told.contains("1 passed");
        return assert!(passes, "{told}");
    }
    let records = records(400_000);
    let config = Config::v1(nobody())
        .tag_hostname(false)
        .trigger_size(LINES as usize / 2)
        .max_batch_size(LINES as usize)
        .max_buffer_size(usize::MAX)
        .max_buffer_bytes(usize::MAX);
    let influx = Influx::start(config).unwrap();
    // From then on there are the threads, the client and the tables, and the breaker is open.
    let warm_up = 4 * LINES;
    leave_pending(&influx, 0..warm_up).await;
    let bytes = bytes_of_lines(warm_up..warm_up + records);
    let Some(before) = of_this_process("VmRSS") else {
        return leave_out();
    };
    leave_pending(&influx, warm_up..warm_up + records).await;
    let after = of_this_process("VmRSS").expect("it was there before");

    let more = after.saturating_sub(before);
    let per_byte = more as f64 / bytes as f64;
    say(&format!(
        "memory: {records} pending lines of {} bytes on average take {} MiB: {per_byte:.3} times their bytes",
        bytes as u64 / records,
        more >> 20,
    ));
    assert!(per_byte <= MOST_PER_BYTE, "{per_byte:.3} times their bytes");
    // A little of what the warm-up has freed is used again. More would hide what they take.
    assert!(per_byte >= 0.9, "{per_byte:.3} times their bytes");
    influx.shutdown(Duration::ZERO).await;
}
