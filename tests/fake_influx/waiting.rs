//! Waiting for what arrives, and failing when the server does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actix_influxdb::testing::{Answer, FakeInflux};

use crate::client::{Client, Cut, PATIENCE, write};

fn panic_text(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn waiting_ends_when_the_points_are_there() {
    let influx = FakeInflux::start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..10 {
                write(&influx, "d", &format!("m v=1 {n}"));
            }
        });
        influx.wait_for_points("d", 10, PATIENCE);
        influx.wait_for_requests(10, PATIENCE);
    });
    assert!(influx.wait_until(Duration::ZERO, |view| {
        view.points("d").all(|point| point.measurement == "m")
            && view.received("d").count() == 10
            && view.databases().eq(["d"])
            && view.write_count() == 10
    }));
}

#[test]
fn waiting_in_vain_says_so_or_panics_with_what_is_there() {
    let influx = FakeInflux::start();
    write(&influx, "d", "m v=1 1\nm v=1 1");
    assert!(!influx.wait_until(Duration::from_millis(5), |view| view.count("d") == 2));
    let text = panic_text(|| influx.wait_for_points("d", 2, Duration::ZERO));
    let none = format!(
        "no 2 points in \"d\" within 0ns:\n- no pipeline of this process sends to {}: ",
        influx.url()
    );
    assert!(text.starts_with(&none), "{text}");
    let there = "What has arrived: 1 connections, 1 requests:\n  \
         POST /write [(\"db\", \"d\")], 15 bytes, answered Some(204)\n\
         database \"d\": 1 points of 2 good lines\n";
    assert!(text.ends_with(there), "{text}");
    let text = panic_text(|| influx.wait_for_requests(2, Duration::ZERO));
    assert!(text.starts_with("no 2 requests within 0ns:\n"), "{text}");
}

#[test]
fn a_panic_of_the_server_fails_the_test_that_drops_it() {
    let influx = FakeInflux::start();
    influx.answer_with(|_| -> Answer { panic!("unexpected write") });
    assert_eq!(
        Client::new(&influx).post("d", "m v=1 1").end(),
        Cut::End(Vec::new())
    );
    assert_eq!(Client::new(&influx).get("/ping").response().status, 204);
    let text = panic_text(|| drop(influx));
    assert_eq!(text, "FakeInflux panicked: unexpected write");
}

#[test]
fn a_server_that_is_dropped_by_a_panic_does_not_add_its_own() {
    let text = panic_text(|| {
        let influx = FakeInflux::start();
        influx.answer_with(|_| -> Answer { panic!("first") });
        Client::new(&influx).post("d", "m v=1 1").end();
        panic!("{}", "the test's own");
    });
    assert_eq!(text, "the test's own");
}
