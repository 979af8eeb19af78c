//! Threads that record without pause, and one that holds the ledger to its law meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use actix_influxdb::{Influx, Measurement, Stats};

use super::wait::wait_until;

/// Of one thread, in one go; then it yields to the server and the pipeline, which share its cores.
const BURST: u64 = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// How long a server may leave everything unanswered, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// By database, how many measurements were taken.
pub type Taken = BTreeMap<&'static str, u64>;

/// Records from several threads until it is stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Taken>>,
    watch: Watch,
}

impl Load {
    /// `make` is given the database, the thread's number and a number that counts up.
    pub fn start(
        influx: &Influx,
        threads: u64,
        databases: &'static [&'static str],
        make: impl Fn(&'static str, u64, u64) -> Measurement + Clone + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |thread| {
            let (influx, stop, make) = (influx.clone(), Arc::clone(&stop), make.clone());
            thread::spawn(move || {
                let mut taken = Taken::new();
                let mut number = 0;
                while !stop.load(Relaxed) {
                    for _ in 0..BURST {
                        let database = databases[number as usize % databases.len()];
                        influx.record(make(database, thread, number)).unwrap();
                        *taken.entry(database).or_default() += 1;
                        number += 1;
                    }
                    thread::sleep(PAUSE);
                }
                taken
            })
        };
        Self {
            threads: (0..threads).map(start).collect(),
            watch: Watch::start(influx),
            stop,
        }
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// If a measurement was not taken, or if the law did not hold at some instant.
    pub fn stop(self) -> Taken {
        self.stop.store(true, Relaxed);
        let mut taken = Taken::new();
        for thread in self.threads {
            for (database, count) in thread.join().expect("all measurements are taken") {
                *taken.entry(database).or_default() += count;
            }
        }
        self.watch.stop();
        taken
    }
}

/// Waits until the server has taken more than it has now.
///
/// # Panics
///
/// If it takes nothing any more.
pub fn wait_for_progress(influx: &Influx) {
    let before = influx.stats().written;
    let has_grown = wait_until(PATIENCE, || influx.stats().written > before);
    assert!(has_grown, "nothing is written any more: {}", influx.stats());
}

/// Waits until the server leaves something unanswered for `time`. One that is paused, or loses its
/// database, may still answer what it has begun.
///
/// # Panics
///
/// If it always answers.
pub async fn wait_until_stuck(influx: &Influx, time: Duration) {
    for _ in 0..1_000 {
        if !influx.flush(time).await.is_complete() {
            return;
        }
    }
    panic!("everything is answered: {}", influx.stats());
}

/// Samples the ledger, as often as it can, on a thread of its own.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    pub fn start(influx: &Influx) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (influx, ends) = (influx.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut before = influx.stats();
            let mut samples = 0;
            // Once more after the end was asked for: the last state counts too.
            loop {
                let is_last = ends.load(Relaxed);
                let now = influx.stats();
                assert!(now.balanced(), "the law is broken: {now:?}");
                assert!(is_after(&now, &before), "{now:?} after {before:?}");
                before = now;
                samples += 1;
                if is_last {
                    return samples;
                }
                thread::sleep(Duration::from_micros(200));
            }
        });
        Self { stop, thread }
    }

    /// Ends it; how many samples it took.
    ///
    /// # Panics
    ///
    /// If the law did not hold in one of them, or a count went backwards.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the law held all the time")
    }
}

/// What has ended has ended.
fn is_after(now: &Stats, before: &Stats) -> bool {
    now.recorded >= before.recorded
        && now.written >= before.written
        && now.rejected >= before.rejected
        && now.dropped.total() >= before.dropped.total()
}
