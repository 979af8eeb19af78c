//! What the spool costs: a day's outage in small, what recording costs meanwhile, and what writing ahead
//! costs with many databases. `SPOOL_LINES` says how long the outage is (default: 500,000 lines).
//!
//! `cargo bench --bench spool --features gzip`

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Database, Influx, Measurement, Overflow, SpoolFile, Stats};
use tempfile::TempDir;

/// Answers every write with 204, and refuses connections while it is down.
struct Sink {
    url: String,
    is_down: Arc<AtomicBool>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_down = Arc::new(AtomicBool::new(false));
        let down = Arc::clone(&is_down);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let down = Arc::clone(&down);
                thread::spawn(move || serve(stream, &down));
            }
        });
        Self { url, is_down }
    }
}

fn serve(mut stream: TcpStream, is_down: &AtomicBool) {
    let mut buffer = vec![0; 256 << 10];
    let (mut head, mut left) = (Vec::new(), 0_usize);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if is_down.load(Relaxed) {
            return;
        }
        let mut bytes = &buffer[..read];
        while !bytes.is_empty() {
            if left > 0 {
                let part = left.min(bytes.len());
                (left, bytes) = (left - part, &bytes[part..]);
            } else {
                head.push(bytes[0]);
                bytes = &bytes[1..];
                if !head.ends_with(b"\r\n\r\n") {
                    continue;
                }
                let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let length = text.split("content-length: ").nth(1).unwrap();
                left = length.split('\r').next().unwrap().parse().unwrap();
                head.clear();
            }
            if left == 0
                && stream
                    .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .is_err()
            {
                return;
            }
        }
    }
}

fn measurement(database: impl Into<Database>, number: u64) -> Measurement {
    Measurement::new(database, "request")
        .tag("method", "GET")
        .tag("endpoint", "/users/{id}")
        .tag(
            "status",
            if number.is_multiple_of(7) {
                "404"
            } else {
                "200"
            },
        )
        .field("duration", (number % 1_000) as f64 / 1_024.0)
        .field("bytes", number * 37)
}

/// Resident memory, in MiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    words.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}

fn size_of(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

fn in_memory(stats: &Stats) -> u64 {
    stats.pending - stats.places.spooled
}

fn mb_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// The disk by itself: one file of that size in pieces, each with an fsync, as `dd oflag=dsync`.
fn disk_alone(folder: &Path, piece: usize, count: usize) {
    let bytes: Vec<u8> = (0..piece).map(|_| fastrand::u8(..)).collect();
    let began = Instant::now();
    for number in 0..count {
        let path = folder.join(format!("piece-{number}"));
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        fs::File::open(folder).unwrap().sync_all().unwrap();
    }
    let took = began.elapsed();
    println!(
        "the disk alone: {count} files of {} KiB, each with two fsyncs: {:.0} MB/s, {:.2?} each",
        piece >> 10,
        mb_per_second((piece * count) as u64, took),
        took / count as u32
    );
    for number in 0..count {
        fs::remove_file(folder.join(format!("piece-{number}"))).unwrap();
    }
}

fn percentiles(mut times: Vec<u32>) -> String {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    format!(
        "p50 {} ns, p99 {} ns, p99.9 {} ns, most {} µs",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0) / 1_000
    )
}

/// Records at a steady pace, and times each call.
fn steady(influx: &Influx, seconds: u64, per_second: u64) -> (Vec<u32>, u64) {
    let (mut times, mut refused) = (Vec::new(), 0);
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..per_second / 1_000 {
            let measurement = measurement("live", number);
            let at = Instant::now();
            let result = influx.record(measurement);
            times.push(at.elapsed().as_nanos() as u32);
            refused += u64::from(result.is_err());
            number += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
    (times, refused)
}

fn config(url: &str, folder: &Path) -> Config {
    Config::v1(url)
        .tag_hostname(false)
        .interval(Duration::from_millis(1_000))
        .max_retry_delay(Duration::from_millis(500))
        .spool_dir(folder)
        .spool_max_bytes(16 << 30)
}

async fn outage(lines: u64) {
    let folder = TempDir::new_in(env::var_os("SPOOL_FOLDER").unwrap_or("target".into())).unwrap();
    let spool = folder.path().join("spool");
    let sink = Sink::start();
    let influx = Influx::start(config(&sink.url, &spool).overflow(Overflow::Spool)).unwrap();
    let (times, _) = steady(&influx, 3, 50_000);
    println!("record, all well, 50,000/s: {}", percentiles(times));
    assert!(influx.flush(Duration::from_secs(10)).await.is_complete());

    sink.is_down.store(true, Relaxed);
    let (began, mut waited) = (Instant::now(), Duration::ZERO);
    let mut times = Vec::new();
    for number in 0..lines {
        let measurement = measurement("outage", number);
        let at = Instant::now();
        influx.record(measurement).unwrap();
        times.push(at.elapsed().as_nanos() as u32);
        if number % 1_000 == 0 {
            let at = Instant::now();
            while in_memory(&influx.stats()) > 520_000 {
                thread::sleep(Duration::from_millis(1));
            }
            waited += at.elapsed();
        }
    }
    let took = began.elapsed();
    println!(
        "record, as fast as it goes, server down: {}",
        percentiles(times)
    );
    // What stays in memory goes to disk at the end.
    let report = influx.shutdown(Duration::from_secs(40)).await;
    assert_eq!(report.undelivered, 0, "{report}");
    let took_all = began.elapsed();
    let batches = SpoolFile::list(&spool).unwrap().into_iter();
    let batches = batches.flat_map(|file| file.read().unwrap());
    let raw: u64 = batches
        .map(|batch| batch.lines().map(|line| line.len() as u64).sum::<u64>())
        .sum();
    println!(
        "{lines} lines to disk in {took_all:.1?} ({took:.1?} of it recording, {waited:.1?} waiting for \
         room): {:.0} MB/s of lines, {:.0} MB/s of files ({} MiB), memory {} MiB",
        mb_per_second(raw, took_all),
        mb_per_second(size_of(&spool), took_all),
        size_of(&spool) >> 20,
        memory()
    );

    sink.is_down.store(false, Relaxed);
    let began = Instant::now();
    let influx = Influx::start(config(&sink.url, &spool).overflow(Overflow::Spool)).unwrap();
    let load = thread::spawn({
        let influx = influx.clone();
        move || steady(&influx, 3, 50_000)
    });
    while influx.stats().written < lines {
        thread::sleep(Duration::from_millis(2));
    }
    let took = began.elapsed();
    let most = memory();
    let (times, refused) = load.join().unwrap();
    println!(
        "record, 50,000/s, while files are sent: {}, {refused} refused",
        percentiles(times)
    );
    assert!(influx.flush(Duration::from_secs(30)).await.is_complete());
    let stats = influx.shutdown(Duration::from_secs(10)).await.stats;
    println!(
        "{lines} lines back in {took:.1?} beside live load: {:.0} MB/s of lines, memory {most} MiB; {stats}",
        mb_per_second(raw, took)
    );
}

async fn write_ahead(databases: usize) {
    let folder = TempDir::new_in(env::var_os("SPOOL_FOLDER").unwrap_or("target".into())).unwrap();
    let sink = Sink::start();
    let config =
        config(&sink.url, &folder.path().join("spool")).interval(Duration::from_secs(3_600));
    let names: Vec<&'static str> = (0..databases)
        .map(|number| &*format!("database-{number}").leak())
        .collect();
    for ahead in [false, true] {
        let config = config
            .clone()
            .write_ahead(ahead)
            .seal_interval(Duration::from_millis(100));
        let influx = Influx::start(config).unwrap();
        let began = Instant::now();
        let mut times = Vec::new();
        let mut number = 0;
        while began.elapsed() < Duration::from_secs(3) {
            for _ in 0..50 {
                let measurement = measurement(names[number as usize % databases], number);
                let at = Instant::now();
                influx.record(measurement).unwrap();
                times.push(at.elapsed().as_nanos() as u32);
                number += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let stats = influx.stats();
        let files = stats.spool.map_or(0, |spool| spool.files);
        println!(
            "record, {databases} databases, write_ahead {ahead}: {}; {number} lines in {files} files",
            percentiles(times)
        );
        influx.shutdown(Duration::from_secs(20)).await;
    }
    // What one file for each database would cost.
    let bytes = vec![b'x'; 4_300];
    let began = Instant::now();
    for name in &names {
        let mut file = fs::File::create(folder.path().join(name)).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
    }
    fs::File::open(folder.path()).unwrap().sync_all().unwrap();
    let each = began.elapsed();
    let began = Instant::now();
    let mut file = fs::File::create(folder.path().join("together")).unwrap();
    file.write_all(&bytes.repeat(databases)).unwrap();
    file.sync_all().unwrap();
    fs::File::open(folder.path()).unwrap().sync_all().unwrap();
    println!(
        "the disk alone: 4 KiB for each of {databases} databases in a file of its own {each:.1?}, in one \
         file {:.1?}",
        began.elapsed()
    );
}

#[actix::main]
async fn main() {
    let lines = env::var("SPOOL_LINES")
        .ok()
        .and_then(|text| text.parse().ok());
    let folder = TempDir::new_in(env::var_os("SPOOL_FOLDER").unwrap_or("target".into())).unwrap();
    disk_alone(folder.path(), 850 << 10, 100);
    disk_alone(folder.path(), 100 << 10, 100);
    outage(lines.unwrap_or(500_000)).await;
    write_ahead(1_000).await;
}
