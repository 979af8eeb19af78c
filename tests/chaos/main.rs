//! Faults at random at every request, under load: every good measurement is stored once, every bad
//! one is rejected, and the ledger's law holds at every instant.
//!
//! Some rounds have a spool, with a buffer that is soon full, or write ahead, and end in another
//! process's place: what is on disk at the end is delivered by a second pipeline.
//!
//! `CHAOS_SECONDS` says for how long (default: 5), `CHAOS_SEED` with which faults. The seed of a
//! run is always printed. The same seed gives the same faults; which request meets which one
//! depends on the threads too.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod measurements;
mod weather;

use std::{
    collections::BTreeSet,
    env,
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, Overflow, Stats, StringNewlines, testing::FakeInflux};
use fastrand::Rng;
use tempfile::TempDir;

use self::{
    measurements::{Recorded, record_some, stored},
    support::load::Watch,
    weather::{PASSWORD, USER, Weather},
};

const DATABASES: [&str; 4] = ["a", "b", "c", "d"];
const THREADS: u64 = 4;

/// Each round has a server and a pipeline of its own: so hours of it need no more memory.
const ROUND: Duration = Duration::from_secs(5);

/// What is pending is held below this, so that nothing is dropped.
const MAX_PENDING: u64 = 5_000;

/// With a spool, what is in memory is held below this.
const MAX_IN_MEMORY: u64 = 950;
const SMALL_BUFFER: usize = 1_000;

const PATIENCE: Duration = Duration::from_secs(60);

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {text:?}: a whole number is wanted")))
}

/// Says how a round went, whether or not it panicked.
struct Verdict {
    seed: u64,
    numbers: String,
}

impl Drop for Verdict {
    fn drop(&mut self) {
        let Self { seed, numbers } = self;
        let outcome = if thread::panicking() {
            "FAILED"
        } else {
            "passed"
        };
        // libtest captures what the print macros write, not this.
        _ = writeln!(io::stderr(), "chaos: CHAOS_SEED={seed} {outcome} {numbers}");
    }
}

#[actix::test]
async fn whatever_goes_wrong_every_good_measurement_is_stored_once_and_every_bad_one_rejected() {
    let seconds = variable("CHAOS_SECONDS").unwrap_or(5);
    let mut seed = variable("CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        round(seed, left.min(ROUND)).await;
        seed += 1;
    }
}

async fn round(seed: u64, time: Duration) {
    let mut verdict = Verdict {
        seed,
        numbers: String::new(),
    };
    let mut rng = Rng::with_seed(seed);
    let fake = Arc::new(FakeInflux::start());
    fake.require_auth(USER, PASSWORD);
    let folder = TempDir::new().unwrap();
    let spool = rng.u8(..3);
    let start = || {
        let config = Config::v1(fake.url())
            .user(USER)
            .password(PASSWORD)
            .tag_hostname(false)
            // So that lines have newlines within, which answers quote.
            .string_newlines(StringNewlines::Raw)
            .trigger_size(50)
            .max_batch_size(100)
            .interval(Duration::from_millis(10))
            .max_clients(4)
            .request_timeout(Duration::from_millis(200))
            .max_retry_delay(Duration::from_millis(40));
        let config = match spool {
            0 => config,
            kind => config
                .spool_dir(folder.path())
                .overflow(Overflow::Spool)
                .max_buffer_size(SMALL_BUFFER)
                .write_ahead(kind == 2)
                .seal_interval(Duration::from_millis(20)),
        };
        Influx::start(config).unwrap()
    };
    let influx = start();
    let watch = Watch::start(&influx);
    // The types of the fields are settled before anything can conflict with them.
    let mut recorded = Recorded::default();
    for (at, database) in DATABASES.into_iter().enumerate() {
        recorded.record_good(&influx, database, at as u64);
    }
    assert!(influx.flush(PATIENCE).await.is_complete());

    let weather = Weather::start(&fake, &influx, rng.fork());
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (1..=THREADS)
        .map(|thread| load(&influx, &stop, rng.fork(), thread))
        .collect();
    let end = Instant::now() + time;
    while Instant::now() < end {
        // Which may be complete or not; it only must not disturb anything.
        influx.flush(Duration::from_millis(rng.u64(..200))).await;
    }
    stop.store(true, Relaxed);
    for thread in threads {
        recorded.add(thread.join().expect("every measurement is taken"));
    }
    let answers = weather.clear();

    let spooled = influx.stats().places.spooled;
    let report = influx.shutdown(PATIENCE).await;
    let (mut stats, elapsed) = (report.stats, report.elapsed);
    let samples = watch.stop();
    let left = stats.places.spooled;
    if left > 0 {
        stats = with_the_next_start(&start(), stats).await;
    }
    verdict.numbers = format!(
        "{answers} POSTs, {} bad, {samples} samples, {spooled} on disk and {left} at the end, {stats}",
        recorded.bad
    );
    assert!(
        elapsed < PATIENCE,
        "seed {seed}: shutdown did not end: {stats}"
    );
    assert_eq!(stats.pending, 0, "seed {seed}");
    assert_eq!(stats.dropped.total(), 0, "seed {seed}: {stats:?}");
    for database in DATABASES {
        let stored = stored(&fake, database);
        let good = recorded.good.remove(database).unwrap_or_default();
        let missing: BTreeSet<_> = good.difference(&stored).take(20).collect();
        assert!(
            missing.is_empty(),
            "seed {seed}: {database} misses {missing:?}"
        );
        let invented: BTreeSet<_> = stored.difference(&good).take(20).collect();
        assert!(
            invented.is_empty(),
            "seed {seed}: {database} invents {invented:?}"
        );
        assert_eq!(
            fake.count(database),
            good.len(),
            "seed {seed}: {database} repeats"
        );
    }
    assert_eq!(stats.recorded, recorded.all, "seed {seed}: {stats}");
    // What was on disk with others that were settled is settled twice.
    let twice = stats.written + stats.rejected - recorded.all;
    assert!(twice == 0 || left > 0, "seed {seed}: {stats}");
    let rejected = recorded.bad..=recorded.bad + twice;
    assert!(rejected.contains(&stats.rejected), "seed {seed}: {stats}");
}

/// Both ledgers together, when all that was left on disk is delivered.
async fn with_the_next_start(influx: &Influx, before: Stats) -> Stats {
    let report = influx.flush(PATIENCE).await;
    assert!(report.is_complete(), "{report}");
    let mut stats = influx.shutdown(PATIENCE).await.stats;
    assert!(stats.recovered >= before.places.spooled, "{stats}");
    stats.recorded = before.recorded;
    stats.written += before.written;
    stats.rejected += before.rejected;
    stats
}

fn load(
    influx: &Influx,
    stop: &Arc<AtomicBool>,
    mut rng: Rng,
    thread: u64,
) -> JoinHandle<Recorded> {
    let (influx, stop) = (influx.clone(), Arc::clone(stop));
    thread::spawn(move || {
        let mut recorded = Recorded::default();
        // The thread's number keeps identities apart.
        let mut identity = thread << 40;
        while !stop.load(Relaxed) {
            let stats = influx.stats();
            let has_room = match stats.spool {
                None => stats.pending < MAX_PENDING,
                Some(_) => stats.pending - stats.places.spooled < MAX_IN_MEMORY,
            };
            if has_room && stats.pending < 4 * MAX_PENDING {
                identity = record_some(&influx, &mut rng, identity, &mut recorded);
            }
            thread::sleep(Duration::from_millis(2));
        }
        recorded
    })
}
