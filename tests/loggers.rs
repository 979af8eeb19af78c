//! Loggers that misbehave: no panic and no call back into the library takes delivery with it. The
//! logger is the process's, so all of it is one test after the other.

// Each test has a runtime and a thread of its own, and is to keep the others waiting.
#![allow(clippy::await_holding_lock)]

mod support;

use std::{
    panic,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Context, Handler};
use actix_influxdb::{
    Config, Event, Influx, Measurement, Update,
    testing::{Answer, FakeInflux, record_line},
};
use log::{Log, Metadata, Record};
use support::{
    measurement::{measurement, record},
    pipeline::{LONG, impatient, settled},
};
use tokio::{sync::mpsc::unbounded_channel, time::timeout};

/// What the logger does with a record of the library.
type Misdeed = fn(&Record<'_>);

static MISDEED: Mutex<Misdeed> = Mutex::new(|_| {});
static CALLS: AtomicUsize = AtomicUsize::new(0);
static INFLUX: Mutex<Option<Influx>> = Mutex::new(None);

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        panic!("a logger's own, in `enabled`")
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == "actix_influxdb" {
            CALLS.fetch_add(1, Ordering::Relaxed);
            let misdeed = *MISDEED.lock().unwrap_or_else(PoisonError::into_inner);
            misdeed(record);
        }
    }

    fn flush(&self) {
        panic!("a logger's own, in `flush`")
    }
}

/// One test at a time, with that logger, and a hook that prints no panic.
fn log_with(misdeed: Misdeed) -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    INSTALLED.get_or_init(|| {
        log::set_logger(&Logger).expect("no other logger");
        log::set_max_level(log::LevelFilter::Debug);
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let payload = panic.payload();
            let text = payload.downcast_ref::<&str>().copied().unwrap_or_default();
            if !text.contains("a logger's own") && !payload.is::<Payload>() {
                hook(panic);
            }
        }));
    });
    CALLS.store(0, Ordering::Relaxed);
    *MISDEED.lock().unwrap_or_else(PoisonError::into_inner) = misdeed;
    one
}

fn calls() -> usize {
    CALLS.load(Ordering::Relaxed)
}

/// Panics once more when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("a logger's own, in the drop of a payload");
    }
}

/// As `println!` does when stdout is closed, or worse.
fn panics(_: &Record<'_>) {
    if calls().is_multiple_of(2) {
        panic::panic_any(Payload);
    }
    panic!("a logger's own, in `log`");
}

/// Whatever is worth a line in the log: an outage and its end, a rejected line, a full buffer.
async fn eventful(influx: &Influx, fake: &FakeInflux) {
    for answer in [503, 401, 500, 404] {
        fake.answer_next(Answer::status(answer));
    }
    for _ in 0..10 {
        record(influx, "db", 5);
        let flushed = timeout(LONG, influx.flush(LONG)).await.expect("in time");
        assert!(flushed.is_complete(), "{flushed}");
    }
    record_line(influx, "db", "bad line").unwrap();
    assert_eq!(influx.flush(LONG).await.rejected, 1);
    let invalid = Measurement::new("db", "no fields");
    influx.addr().send(invalid).await.unwrap();
}

#[actix::test]
async fn a_logger_that_panics_takes_nothing_with_it() {
    let _one = log_with(panics);
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    eventful(&influx, &fake).await;
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (50, 1));
    assert_eq!(fake.count("db"), 50);
    assert!(influx.record(measurement("db")).is_err(), "logged as late");
    assert!(calls() > 20, "{} calls", calls());
}

#[actix::test]
async fn a_logger_that_panics_does_not_turn_a_panic_into_an_abort() {
    let _one = log_with(panics);
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 3);
    let unwinds = panic::AssertUnwindSafe(|| {
        // Logs in its drop, of what is undelivered.
        let _guard = influx.guard(Duration::from_millis(50));
        panic!("a logger's own, in main");
    });
    assert!(panic::catch_unwind(unwinds).is_err());
    assert_eq!(influx.stats().dropped.undelivered, 3);

    // What is recorded too late is logged, here by a thread that unwinds.
    struct Records(Influx);
    impl Drop for Records {
        fn drop(&mut self) {
            _ = self.0.record(measurement("db"));
        }
    }
    let before = calls();
    let unwinds = panic::AssertUnwindSafe(|| {
        let _records = Records(influx.clone());
        panic!("a logger's own, in main");
    });
    assert!(panic::catch_unwind(unwinds).is_err());
    assert_eq!(calls(), before + 1);

    // A closure's panic on the library's own thread.
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 3);
    let dies = Update::new(|_| panic!("a logger's own, in a closure"));
    let error = influx.addr().send(dies).await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "update is a closure that panicked: nothing was changed"
    );
    let report = influx.shutdown(Duration::from_millis(50)).await;
    assert_eq!(report.undelivered, 3);
}

/// Calls everything that does not wait.
fn calls_back(_: &Record<'_>) {
    thread_local! {
        static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }
    if DEPTH.get() > 0 {
        return;
    }
    DEPTH.set(1);
    if let Some(influx) = INFLUX.lock().unwrap().clone() {
        _ = influx.record(Measurement::new("logs", "line").field("n", 1));
        _ = actix_influxdb::record(Measurement::new("logs", "line").field("n", 1));
        assert!(influx.stats().balanced());
        _ = influx.update(|config| config.max_clients(4));
        influx
            .addr()
            .do_send(Measurement::new("logs", "line").field("n", 1));
        drop(influx.flush(LONG));
    }
    DEPTH.set(0);
}

#[actix::test]
async fn a_logger_that_calls_the_library_back_neither_deadlocks_nor_ends_delivery() {
    let _one = log_with(calls_back);
    let fake = FakeInflux::start();
    let influx = Influx::install(impatient(fake.url())).unwrap();
    *INFLUX.lock().unwrap() = Some(influx.clone());
    eventful(&influx, &fake).await;
    let ended = timeout(LONG, influx.shutdown(LONG)).await.expect("in time");
    *INFLUX.lock().unwrap() = None;
    assert!(ended.is_complete(), "{ended}");
    assert_eq!(fake.count("db"), 50);
    assert!(fake.count("logs") > 50, "{ended}");
    assert_eq!(influx.stats().rejected, 1);
}

/// Its handler dies.
struct Dies;

impl Actor for Dies {
    type Context = Context<Self>;
}

impl Handler<Event> for Dies {
    type Result = ();

    fn handle(&mut self, _: Event, _: &mut Self::Context) {
        panic!("a logger's own, in a subscriber");
    }
}

#[actix::test]
async fn a_subscriber_that_panics_takes_only_itself() {
    let _one = log_with(panics);
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let arbiter = actix::Arbiter::new();
    let (sender, mut started) = unbounded_channel();
    arbiter.spawn_fn(move || {
        _ = sender.send(Dies.start().recipient());
    });
    let started = tokio::time::timeout(LONG, started.recv()).await;
    influx.subscribe(started.unwrap().unwrap());
    for _ in 0..3 {
        record(&influx, "db", 5);
        assert!(influx.flush(LONG).await.is_complete());
    }
    assert_eq!(settled(&influx).await.written, 15);
    arbiter.stop();
}

/// Drops a guard where it would wait for itself.
fn drops_a_guard(record: &Record<'_>) {
    let text = record.args().to_string();
    if text.contains("rejected a measurement")
        && let Some(influx) = INFLUX.lock().unwrap().take()
    {
        drop(influx.guard(Duration::from_secs(3_600)));
    }
}

#[actix::test]
async fn a_guard_that_is_dropped_on_the_librarys_own_thread_begins_the_end_and_does_not_wait() {
    let _one = log_with(drops_a_guard);
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url())).unwrap();
    *INFLUX.lock().unwrap() = Some(influx.clone());
    record_line(&influx, "db", "bad line").unwrap();
    let flushed = timeout(LONG, influx.flush(LONG)).await;
    assert_eq!(flushed.expect("it waits for itself").rejected, 1);
    let end = timeout(LONG, influx.shutdown(LONG)).await;
    assert!(end.expect("it waits for itself").is_complete());
    assert!(influx.record(measurement("db")).is_err());
}
