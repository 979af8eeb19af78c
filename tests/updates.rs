//! Updates that meet: inside of each other, at the same time, and with a panic.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use actix::System;
use actix_influxdb::{Config, ConfigError, Influx, Update, testing::FakeInflux};
use support::{
    measurement::record,
    pipeline::{LONG, quiet, settled},
};

fn start(fake: &FakeInflux) -> Influx {
    Influx::start(quiet(fake.url())).unwrap()
}

/// In a thread of its own, so that a deadlock is a failure.
fn in_time<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(task()));
    receiver
        .recv_timeout(LONG)
        .expect("no deadlock, and no panic")
}

/// Sends it from another thread, and waits there for the answer.
fn send(influx: &Influx, update: Update) -> Result<(), ConfigError> {
    let answer = influx.addr().send(update);
    let answer = thread::spawn(|| System::new().block_on(answer));
    answer.join().unwrap().expect("an answer")
}

const INSIDE: &str = "update is called inside an update: \
                      nothing was changed, make all changes in one closure";

/// Which settings are in force is seen by which are refused.
fn max_buffer_size(influx: &Influx) -> String {
    let refused = influx.update(|config| config.warn_threshold(usize::MAX));
    refused.unwrap_err().allowed.into_owned()
}

#[actix::test]
async fn an_update_inside_of_an_update_is_an_error_and_the_outer_one_holds() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    let handle = influx.clone();
    let (by_handle, by_message) = in_time(move || {
        let mut inner = None;
        let outer = handle.update(|config| {
            let change = |config: Config| config.max_buffer_size(7);
            let message = send(&handle, Update::new(change));
            inner = Some((handle.update(change), message));
            config.max_buffer_size(1_000)
        });
        assert_eq!(outer, Ok(()));
        inner.unwrap()
    });
    assert_eq!(by_handle.unwrap_err().to_string(), INSIDE);
    assert_eq!(by_message.unwrap_err().to_string(), INSIDE);
    assert_eq!(max_buffer_size(&influx), "at most max_buffer_size, 1000");
    // It leaves nothing behind.
    assert_eq!(influx.update(|config| config.max_buffer_size(8)), Ok(()));
}

#[actix::test]
async fn an_update_inside_of_an_update_that_came_as_a_message_is_an_error_too() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    let handle = influx.clone();
    let (inner, inner_came) = channel();
    let update = Update::new(move |config| {
        let changed = handle.update(|config| config.max_buffer_size(7));
        inner.send(changed).unwrap();
        config.max_buffer_size(1_000)
    });
    influx.addr().send(update).await.unwrap().unwrap();
    let error = inner_came.recv_timeout(LONG).unwrap().unwrap_err();
    assert_eq!(error.to_string(), INSIDE);
    assert_eq!(max_buffer_size(&influx), "at most max_buffer_size, 1000");
}

#[actix::test]
async fn another_pipeline_can_be_updated_inside_of_an_update() {
    let fake = FakeInflux::start();
    let (influx, other) = (start(&fake), start(&fake));
    let updated = influx.update(|config| {
        assert_eq!(other.update(|config| config.max_buffer_size(5)), Ok(()));
        config
    });
    assert_eq!(updated, Ok(()));
    assert_eq!(max_buffer_size(&other), "at most max_buffer_size, 5");
}

#[actix::test]
async fn updates_of_other_threads_wait_their_turn_and_none_is_lost() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    // Each changes the setting that it finds; by the handle and by messages.
    let grow = |config: Config| {
        let now = config.clone().warn_threshold(usize::MAX).validate();
        let now = now.unwrap_err().allowed;
        let now = now.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        thread::yield_now();
        config.max_buffer_size(now + 1)
    };
    influx
        .update(|config| config.max_buffer_size(1_000))
        .unwrap();
    let threads = [0, 1, 2, 3].map(|thread| {
        let influx = influx.clone();
        thread::spawn(move || {
            for _ in 0..100 {
                match thread % 2 {
                    0 => influx.update(grow),
                    _ => send(&influx, Update::new(grow)),
                }
                .unwrap();
            }
        })
    });
    in_time(|| threads.map(|thread| thread.join().unwrap()));
    assert_eq!(max_buffer_size(&influx), "at most max_buffer_size, 1400");
}

#[actix::test]
async fn delivery_goes_on_while_the_closure_of_an_update_takes_its_time() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    let (done, wait) = channel::<()>();
    let (begun, has_begun) = channel();
    let handle = influx.clone();
    let slow = thread::spawn(move || {
        handle.update(|config| {
            begun.send(()).unwrap();
            wait.recv_timeout(LONG).expect("the others are not held up");
            config.max_buffer_size(1_000)
        })
    });
    has_begun.recv_timeout(LONG).unwrap();
    let waiting = influx
        .addr()
        .send(Update::new(|config| config.max_clients(3)));
    let waiting = actix::spawn(waiting);
    record(&influx, "db", 3);
    assert!(influx.flush(LONG).await.is_complete());
    assert!(influx.stats().balanced());
    assert!(!waiting.is_finished(), "it waits its turn");
    done.send(()).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Ok(()));
    assert_eq!(slow.join().unwrap(), Ok(()));
    assert_eq!(max_buffer_size(&influx), "at most max_buffer_size, 1000");
}

#[actix::test]
async fn a_closure_that_panics_changes_nothing_and_poisons_nothing() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    influx
        .update(|config| config.max_buffer_size(1_000))
        .unwrap();
    let panics = AssertUnwindSafe(|| influx.update(|_| panic!("on purpose")));
    assert!(catch_unwind(panics).is_err());
    let error = send(&influx, Update::new(|_| panic!("on purpose"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "update is a closure that panicked: nothing was changed"
    );
    assert_eq!(max_buffer_size(&influx), "at most max_buffer_size, 1000");
    assert_eq!(influx.update(|config| config.max_clients(2)), Ok(()));
    record(&influx, "db", 3);
    assert_eq!(settled(&influx).await.written, 3);
}

#[actix::test]
async fn the_closure_of_an_update_may_do_what_does_not_update() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    let handle = influx.clone();
    in_time(move || {
        let updated = handle.update(|config| {
            record(&handle, "db", 3);
            assert_eq!(handle.stats().pending, 3);
            let flushed = handle.clone();
            let flush = async move { flushed.flush(Duration::from_secs(10)).await };
            let flushed = thread::spawn(|| System::new().block_on(flush)).join();
            assert!(flushed.unwrap().is_complete());
            config
        });
        assert_eq!(updated, Ok(()));
    });
    assert_eq!(settled(&influx).await.written, 3);
}
