//! A process that writes ahead and is killed (SIGKILL) at random moments, with a real influxd that is down
//! half of the time: all that was on disk is stored, once.
//!
//! `KILL_ROUNDS` says how often (default: 8), `KILL_SEED` with which moments. The process that is killed is
//! this test program again.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, Measurement, SpoolFile};
use fastrand::Rng;
use support::{influxd::Influxd, require_influxd};
use tempfile::TempDir;

const DATABASES: [&str; 3] = ["a", "b", "c"];

/// What may be lost is what was recorded in this time, and while the disk was busy.
const SEAL_INTERVAL: Duration = Duration::from_millis(50);

/// Beyond the interval: for the disk of a busy machine.
const DISK: Duration = Duration::from_secs(5);

/// Numbers of one round begin at its number times this.
const ROUND: u64 = 1_000_000;

const PATIENCE: Duration = Duration::from_secs(120);

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("a whole number"))
}

fn config(url: &str, folder: &Path) -> Config {
    Config::v1(url)
        .tag_hostname(false)
        .spool_dir(folder)
        .write_ahead(true)
        .seal_interval(SEAL_INTERVAL)
        .interval(Duration::from_millis(120))
        .request_timeout(Duration::from_millis(500))
        .max_retry_delay(Duration::from_millis(200))
}

/// The process that is killed: not a test by itself.
#[test]
fn the_process_that_records_until_it_is_killed() {
    let Ok(url) = env::var("KILL_URL") else {
        return;
    };
    let folder = PathBuf::from(env::var_os("KILL_FOLDER").unwrap());
    let mut number = variable("KILL_FIRST").unwrap();
    let influx = Influx::start(config(&url, &folder)).unwrap();
    let began = Instant::now();
    // Whatever happens, it ends.
    while began.elapsed() < PATIENCE {
        for database in DATABASES {
            let measurement = Measurement::new(database, "m").field("number", number);
            influx.record(measurement).unwrap();
            let micros = began.elapsed().as_micros();
            // In one system call: what was written is in the pipe.
            let line = format!("\nrecorded {database} {number} {micros}\n");
            io::stdout().write_all(line.as_bytes()).unwrap();
            number += 1;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// By number, database and microseconds since the process began.
type Recorded = BTreeMap<u64, (String, u128)>;

/// Lets a process record for a while, and kills it.
fn round(url: &str, folder: &Path, first: u64, time: Duration) -> Recorded {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "the_process_that_records_until_it_is_killed",
            "--nocapture",
        ])
        .env("KILL_URL", url)
        .env("KILL_FOLDER", folder)
        .env("KILL_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        let mut recorded = Recorded::new();
        for line in output.lines().map_while(Result::ok) {
            let words: Vec<_> = line.split(' ').collect();
            if let ["recorded", database, number, micros] = words[..]
                && let (Ok(number), Ok(micros)) = (number.parse(), micros.parse())
            {
                recorded.insert(number, (database.to_owned(), micros));
            }
        }
        recorded
    });
    thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn number_of(line: &str) -> u64 {
    let (_, rest) = line.split_once("number=").expect("a number");
    let digits = rest.split('i').next().unwrap();
    digits.parse().unwrap()
}

/// The numbers that are on disk.
fn on_disk(folder: &Path) -> BTreeSet<u64> {
    let Ok(files) = SpoolFile::list(folder) else {
        return BTreeSet::new();
    };
    let batches = files
        .iter()
        .flat_map(|file| file.read().expect("a whole file"));
    let batches: Vec<_> = batches.collect();
    let lines = batches.iter().flat_map(|batch| batch.lines());
    lines.map(|line| number_of(&line)).collect()
}

fn stored(influxd: &Influxd, database: &str) -> Vec<u64> {
    let rows = influxd.query_all(database, "m");
    let number = |row: &support::influxd::Row| row.fields["number"].as_u64().unwrap();
    rows.iter().map(number).collect()
}

#[actix::test]
async fn what_was_on_disk_when_the_process_was_killed_is_stored_once() {
    let influxd = require_influxd!();
    let rounds = variable("KILL_ROUNDS").unwrap_or(8);
    let seed = variable("KILL_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut rng = Rng::with_seed(seed);
    for database in DATABASES {
        influxd.create_database(database);
    }
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("spool");
    let url = influxd.url().to_owned();

    let (mut recorded, mut sealed) = (Recorded::new(), BTreeSet::new());
    let mut ends = BTreeMap::new();
    let (mut is_up, mut rounds_down, mut most_on_disk) = (true, 0, 0);
    for round_number in 1..=rounds {
        // Changed every few rounds, as its start takes longer than they do.
        if rng.u8(..5) == 0 || round_number == 2 {
            match is_up {
                true => influxd.kill(),
                false => influxd.restart(),
            }
            is_up = !is_up;
        }
        rounds_down += u64::from(!is_up);
        let time = Duration::from_millis(rng.u64(10..350));
        let round = round(&url, &spool, round_number * ROUND, time);
        if let Some((_, micros)) = round.values().next_back() {
            ends.insert(round_number, *micros);
        }
        recorded.extend(round);
        let there = on_disk(&spool);
        most_on_disk = most_on_disk.max(there.len());
        sealed.extend(there);
    }
    if !is_up {
        influxd.restart();
    }
    let influx = Influx::start(config(&url, &spool)).unwrap();
    let report = influx.flush(PATIENCE).await;
    assert!(report.is_complete(), "seed {seed}: {report}");
    let stats = influx.shutdown(PATIENCE).await.stats;
    assert!(
        stats.balanced() && stats.pending == 0,
        "seed {seed}: {stats}"
    );
    assert_eq!(
        (stats.rejected, stats.dropped.total()),
        (0, 0),
        "seed {seed}: {stats:?}"
    );
    let left = fs::read_dir(&spool).unwrap().count();
    assert_eq!(left, 1, "only the lock is left");

    let mut all_stored = BTreeSet::new();
    for database in DATABASES {
        let numbers = stored(&influxd, database);
        let distinct: BTreeSet<_> = numbers.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            numbers.len(),
            "seed {seed}: {database} has some twice"
        );
        all_stored.extend(distinct);
    }
    let missing: Vec<_> = sealed.difference(&all_stored).take(20).collect();
    assert!(
        missing.is_empty(),
        "seed {seed}: on disk, and not stored: {missing:?}"
    );
    let lost = recorded
        .iter()
        .filter(|(number, _)| !all_stored.contains(number));
    let (mut count, mut oldest) = (0_u64, Duration::ZERO);
    for (number, (_, micros)) in lost {
        count += 1;
        let age = ends[&(number / ROUND)] - micros;
        oldest = oldest.max(Duration::from_micros(age as u64));
    }
    let summary = format!(
        "{rounds} kills (seed {seed}), influxd down in {rounds_down}: {} recorded, {} stored, \
         {} seen on disk (up to {most_on_disk} at a time), none of them lost; {count} were not yet on \
         disk when the process was killed, the oldest recorded {oldest:.1?} before (seal_interval \
         {SEAL_INTERVAL:?})",
        recorded.len(),
        all_stored.len(),
        sealed.len(),
    );
    // libtest captures what the print macros write, not this.
    _ = writeln!(io::stderr(), "{summary}");
    assert!(oldest <= SEAL_INTERVAL + DISK, "seed {seed}: {summary}");
    assert!(!all_stored.is_empty(), "{summary}");
}
