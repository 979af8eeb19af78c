//! A process that forks after delivery was started: in the fork there is no thread that delivers,
//! and nothing may wait for it. One test only, as `fork` takes the whole process.

#![cfg(unix)]
#![allow(unsafe_code)] // `fork` itself

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    time::{Duration, Instant},
};

use actix_influxdb::{Delivery, DropReason, HealthStatus, Influx, PingError, testing::FakeInflux};
use futures_util::FutureExt as _;
use log::{Level, LevelFilter};
use support::{
    logger,
    measurement::{measurement, record},
    pipeline::{LONG, quiet, settled},
};

/// Longer than anything in the fork takes, in seconds.
const LIMIT: u32 = 20;

/// Runs it in a fork of this process. Says how that ended.
fn in_a_fork(task: impl FnOnce()) -> i32 {
    // SAFETY: the child runs on with this thread only. It takes no lock that another thread could
    // have had (this test has no other at work, and the library is what is tested), and leaves by
    // `_exit`, without the destructors and the test harness of its parent.
    unsafe {
        match libc::fork() {
            -1 => panic!("no fork"),
            0 => {
                // A deadlock ends by a signal.
                libc::alarm(LIMIT);
                let result = catch_unwind(AssertUnwindSafe(task));
                libc::_exit(i32::from(result.is_err()))
            }
            child => {
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                status
            }
        }
    }
}

#[actix::test]
async fn in_a_fork_nothing_waits_for_a_delivery_that_cannot_be_and_one_error_says_so() {
    logger::install(LevelFilter::Info);
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url()).max_buffer_size(100)).unwrap();
    record(&influx, "db", 3);
    assert!(influx.flush(LONG).await.is_complete());
    record(&influx, "db", 2);
    logger::take();
    let home = process::id();

    let ended = in_a_fork(|| {
        let began = Instant::now();
        let hour = Duration::from_secs(3_600);

        // Harmless, and bounded.
        let taken = (0..1_000).filter(|_| influx.record(measurement("db")).is_ok());
        assert_eq!(taken.count(), 98);
        assert!(logger::take().is_empty(), "recording looks at no process");

        let flushed = influx.flush(hour).now_or_never().expect("at once");
        assert_eq!(flushed.undelivered, 100);
        let lines = logger::take();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0].level, Level::Error);
        let here = process::id();
        assert_eq!(
            lines[0].text,
            format!(
                "nothing is delivered from this process ({here}): it was forked from the process that \
                 started delivery ({home}), and lacks its threads. Call Influx::start after the \
                 fork"
            )
        );

        let delivered = influx.deliver(measurement("db")).now_or_never();
        let reason = DropReason::Forked;
        assert_eq!(delivered, Some(Delivery::Dropped { reason }));
        assert_eq!(influx.ping().now_or_never(), Some(Err(PingError::Stopped)));
        assert_eq!(
            influx.update(|config| config).unwrap_err().to_string(),
            "update is called in a fork of the process that has started delivery: \
             nothing was changed, start delivery after the fork"
        );
        let health = influx.health();
        assert_eq!(health.status, HealthStatus::Forked);
        assert_eq!((health.recording, health.pending), (false, 100));
        let ended = influx.shutdown(hour).now_or_never().expect("at once");
        assert_eq!((ended.undelivered, ended.stats.pending), (100, 0));
        assert!(ended.stats.balanced());
        drop(influx.guard(hour));
        drop(influx.clone());
        assert_eq!(logger::take(), [], "it is said once");

        // What is started here delivers.
        let own = Influx::start(quiet(fake.url())).unwrap();
        record(&own, "fork", 5);
        drop(own.guard(LONG));
        assert_eq!(own.stats().written, 5);
        assert!(began.elapsed() < Duration::from_secs(10));
    });
    assert_eq!(ended, 0, "exit code or signal of the fork");

    // The parent goes on as if nothing had been.
    assert_eq!(settled(&influx).await.written, 5);
    assert_eq!((fake.count("db"), fake.count("fork")), (5, 5));
}
