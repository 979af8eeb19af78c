//! A flood of messages to `addr()` holds up nothing, and what is sent there is covered by what comes
//! after it.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actix::System;
use actix_influxdb::{
    Config, Delivery, Flush, Influx, Measurement, Update,
    testing::{Answer, FakeInflux},
};
use support::{
    measurement::{measurement, record},
    pipeline::{LONG, assert_settled, quiet, settled},
    wait::wait_until,
};
use tokio::time::timeout;

/// Threads that send as fast as they can, while no more than this waits in the mailbox: it is never
/// empty, and the machine's memory lasts.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

const SECOND: Duration = Duration::from_secs(1);

const MOST_WAITING: u64 = 100_000;

impl Flood {
    fn start(influx: &Influx) -> Self {
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let run = |_| {
            let (influx, stop, sent) = (influx.clone(), Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || {
                let addr = influx.addr();
                while !stop.load(Relaxed) {
                    if sent.fetch_add(1_000, Relaxed) > influx.stats().recorded + MOST_WAITING {
                        sent.fetch_sub(1_000, Relaxed);
                        thread::yield_now();
                        continue;
                    }
                    for _ in 0..1_000 {
                        addr.do_send(measurement("flood"));
                    }
                }
            })
        };
        let threads = (0..2).map(run).collect();
        let flood = Self {
            stop,
            sent,
            threads,
        };
        let is_full = || flood.sent.load(Relaxed) > influx.stats().recorded + MOST_WAITING / 2;
        assert!(wait_until(LONG, is_full), "the mailbox is never full");
        flood
    }

    fn stop(self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

#[actix::test]
async fn a_flood_of_messages_holds_up_neither_delivery_nor_flush_nor_shutdown() {
    let fake = FakeInflux::start();
    let config = Config::v1(fake.url())
        .interval(Duration::from_millis(50))
        .trigger_size(100)
        .max_batch_size(100)
        .max_buffer_size(2_000);
    let influx = Influx::start(config).unwrap();
    let flood = Flood::start(&influx);
    let (began, before) = (Instant::now(), fake.write_count());
    let mut good = 0;
    while began.elapsed() < 2 * SECOND {
        let delivery = timeout(SECOND, influx.deliver(measurement("good"))).await;
        assert_eq!(delivery, Ok(Delivery::Written));
        good += 1;
    }
    let posts = fake.write_count() - before;
    assert!(posts > 20, "{posts} POSTs");

    for _ in 0..5 {
        let flush = influx.flush(SECOND / 5);
        timeout(2 * SECOND / 5, flush).await.expect("it is in time");
    }
    let ping = timeout(SECOND, influx.ping()).await.expect("it is in time");
    ping.unwrap();
    let shutdown = influx.shutdown(2 * SECOND);
    let report = timeout(3 * SECOND, shutdown).await.expect("it is in time");
    assert!(report.is_complete(), "{report}");
    flood.stop();
    assert_eq!(fake.count("good"), good);
    assert_settled(&influx.stats());
}

#[actix::test]
async fn a_flush_by_the_handle_covers_what_was_sent_to_the_address_before() {
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let addr = influx.addr();
    for count in 1..=3 {
        (0..20_000).for_each(|_| addr.do_send(measurement("db")));
        let report = influx.flush(LONG).await;
        assert_eq!((report.written, report.undelivered), (20_000, 0));
        assert_eq!(fake.count("db"), count * 20_000);
    }
    (0..20_000).for_each(|_| addr.do_send(measurement("db")));
    assert_eq!(settled(&influx).await.written, 80_000);
}

#[actix::test]
async fn messages_to_one_address_are_handled_in_order() {
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let addr = influx.addr();
    for number in ["1", "2", "3"] {
        let update = Update::new(move |config| config.base_tag("number", number));
        addr.do_send(update);
        addr.do_send(measurement("db").field("expected", number));
        let report = addr.send(Flush { timeout: LONG }).await.unwrap();
        assert_eq!((report.written, report.undelivered), (1, 0));
    }
    settled(&influx).await;
    let points = fake.points("db");
    assert_eq!(points.len(), 3);
    for point in points {
        let expected = point.field("expected").unwrap().to_string();
        assert_eq!(point.tag("number"), Some(expected.trim_matches('"')));
    }
}

#[test]
fn what_is_sent_while_the_pipeline_ends_is_counted_as_dropped() {
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let influx = Influx::start(quiet(fake.url())).unwrap();
    record(&influx, "db", 1);
    let addr = influx.addr();
    let ending = {
        let influx = influx.clone();
        thread::spawn(move || System::new().block_on(influx.shutdown(LONG)))
    };
    fake.wait_for_requests(1, LONG);
    (0..10_000).for_each(|_| addr.do_send(measurement("db")));
    fake.release();
    let report = ending.join().unwrap();
    assert_eq!(report.written, 1);
    // It ends when these are counted.
    assert!(wait_until(LONG, || !addr.connected()));
    let stats = influx.stats();
    assert_settled(&stats);
    assert_eq!(stats.dropped.stopping, 10_000);
    // Nobody keeps what comes now.
    addr.do_send(Measurement::new("db", "m"));
    assert_eq!(influx.stats(), stats);
}
