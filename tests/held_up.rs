//! One bad measurement, database or server never holds up the good ones: how long the good ones take
//! is measured.

mod support;

use std::time::{Duration, Instant};

use actix_influxdb::{
    Event, Influx, Measurement,
    testing::{Answer, FakeInflux, record_line},
};
use futures_util::future::join;
use support::{
    influxd::Influxd,
    measurement::{measurement, record},
    pipeline::{self, LONG, impatient, quiet, settled},
    require_influxd,
};

/// What a point may take that nothing holds up, on a busy machine. The pauses that held it up were
/// seconds long.
const AT_ONCE: Duration = Duration::from_millis(400);

/// How long a good point took, `times` times.
async fn delays(influx: &Influx, times: usize) -> Vec<Duration> {
    let mut delays = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        let point = influx.deliver(measurement("good"));
        let (delivery, _) = join(point, influx.flush(Duration::ZERO)).await;
        assert_eq!(delivery, actix_influxdb::Delivery::Written);
        delays.push(began.elapsed());
    }
    delays
}

async fn end(influx: Influx) {
    influx.shutdown(Duration::ZERO).await;
    assert!(influx.stats().balanced());
}

#[actix::test]
async fn a_database_that_somebody_has_to_mend_holds_up_no_other() {
    for fault in [
        Answer::error(
            403,
            "\"bob\" user is not authorized to write to database \"bad\"",
        ),
        Answer::status(403)
            .body(r#"{"code":"forbidden","message":"insufficient permissions for write"}"#),
        Answer::status(404).body(r#"{"code":"not found","message":"no dbrp mapping found"}"#),
        Answer::status(404).body(r#"{"code":"not found","message":"bucket \"bad\" not found"}"#),
        Answer::status(414),
        Answer::status(404),
        Answer::status(431),
        Answer::status(200).body("<html></html>"),
        Answer::status(503).retry_after(600),
        Answer::status(429).retry_after(600),
    ] {
        let fake = FakeInflux::start();
        let answer = fault.clone();
        fake.answer_with(move |request| match request.param("db") {
            Some("good") => Answer::accept(),
            _ => answer.clone(),
        });
        let influx = Influx::start(quiet(fake.url())).unwrap();
        for bad in [
            "bad0", "bad1", "bad2", "bad3", "bad4", "bad5", "bad6", "bad7",
        ] {
            record(&influx, bad, 2);
        }
        let delays = delays(&influx, 10).await;
        assert!(
            delays.iter().all(|delay| *delay < AT_ONCE),
            "{fault:?}: {delays:?}"
        );
        assert_eq!(influx.stats().pending, 16);
        end(influx).await;
    }
}

#[actix::test]
async fn a_thousand_databases_that_fail_delay_a_good_one_by_an_answer_at_most() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.param("db") {
        Some("good") => Answer::accept(),
        _ => Answer::status(500),
    });
    let influx = Influx::start(quiet(fake.url())).unwrap();
    // From a cold start: nothing is known of any.
    for number in 0..1_000 {
        record(&influx, format!("bad{number}"), 1);
    }
    let began = Instant::now();
    let cold = delays(&influx, 1).await;
    assert!(
        cold[0] < Duration::from_secs(3),
        "one POST of each at most comes first: {cold:?}"
    );
    // And for as long as backoff doubles a few times.
    while began.elapsed() < Duration::from_secs(5) {
        let delays = delays(&influx, 5).await;
        assert!(delays.iter().all(|delay| *delay < AT_ONCE), "{delays:?}");
    }
    end(influx).await;
}

#[actix::test]
async fn databases_whose_answers_never_come_leave_half_of_the_writers_to_those_that_work() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.param("db") {
        Some("good") => Answer::accept(),
        _ => Answer::accept().stall_before_response(),
    });
    let config = quiet(fake.url()).request_timeout(Duration::from_millis(300));
    let influx = Influx::start(config).unwrap();
    delays(&influx, 1).await;
    for number in 0..200 {
        record(&influx, format!("bad{number}"), 1);
    }
    // The first ones take all writers, until they are seen to fail.
    delays(&influx, 1).await;
    let delays = delays(&influx, 20).await;
    assert!(delays.iter().all(|delay| *delay < AT_ONCE), "{delays:?}");
    fake.release();
    end(influx).await;
}

/// A server that takes batches up to a size in time, and answers larger ones with `too_much`.
async fn takes_only(bytes: usize, too_much: Answer) {
    let fake = FakeInflux::start();
    fake.answer_with(move |request| {
        let length = request.header("content-length").unwrap();
        match length.parse::<usize>().unwrap() > bytes {
            true => too_much.clone(),
            false => Answer::accept(),
        }
    });
    let config = impatient(fake.url()).request_timeout(Duration::from_millis(200));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 5_000);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (5_000, 0));
    assert_eq!(fake.count("db"), 5_000);
    fake.release();
}

#[actix::test]
async fn a_batch_that_takes_too_long_is_sent_in_smaller_ones() {
    takes_only(10_000, Answer::accept().stall_before_response()).await;
}

#[actix::test]
async fn a_server_whose_cache_is_small_gets_smaller_batches() {
    takes_only(
        10_000,
        Answer::error(500, "engine: cache-max-memory-size exceeded: (9/8)"),
    )
    .await;
}

#[actix::test]
async fn what_waits_is_cut_to_new_limits() {
    let fake = FakeInflux::start();
    fake.refuse();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 1_000);
    influx.flush(Duration::from_millis(50)).await;
    influx
        .update(|config| config.max_batch_bytes(1_024))
        .unwrap();
    fake.accept_again();
    assert_eq!(settled(&influx).await.written, 1_000);
    let largest = fake
        .requests()
        .iter()
        .map(|request| request.text().len())
        .max();
    assert!(largest.unwrap() <= 1_024, "{largest:?}");
}

#[actix::test]
async fn a_line_that_fails_each_time_does_not_stop_its_database() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.text().contains("poison") {
        true => Answer::status(500),
        false => Answer::accept(),
    });
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "good", 500);
    record_line(&influx, "good", "poison f=1 1").unwrap();
    record(&influx, "good", 500);
    let report = influx.flush(LONG / 2).await;
    assert!(report.written >= 1_000, "{report:?}");
    let delays = delays(&influx, 20).await;
    assert!(delays.iter().all(|delay| *delay < AT_ONCE), "{delays:?}");
    end(influx).await;
}

#[actix::test]
async fn lines_beyond_any_limit_of_size_do_not_delay_good_ones() {
    let influxd = require_influxd!(Influxd::builder());
    influxd.create_database("good");
    let influx = Influx::start(pipeline::quiet(influxd.url()).max_buffer_bytes(1 << 30)).unwrap();
    delays(&influx, 3).await;
    for number in 0..3 {
        let giant = Measurement::new("good", "giant").field("text", "x".repeat(26_000_000));
        influx.record(giant.tag("n", number.to_string())).unwrap();
    }
    let delays = delays(&influx, 20).await;
    let late = delays
        .iter()
        .filter(|delay| **delay > Duration::from_secs(1))
        .count();
    assert!(late <= 1, "{delays:?}");
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (23, 3));
    assert_eq!(influxd.count("good", "m", "f"), 23);
}

#[actix::test]
async fn an_outage_that_ends_with_a_missing_database_ends_and_the_fault_is_told_until_it_is_mended()
{
    use tokio::sync::mpsc::unbounded_channel;
    struct Listener(tokio::sync::mpsc::UnboundedSender<Event>);
    impl actix::Actor for Listener {
        type Context = actix::Context<Self>;
    }
    impl actix::Handler<Event> for Listener {
        type Result = ();
        fn handle(&mut self, event: Event, _: &mut Self::Context) {
            _ = self.0.send(event);
        }
    }
    let fake = FakeInflux::start();
    fake.without_database("late");
    fake.refuse();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let (sender, mut events) = unbounded_channel();
    influx.subscribe(actix::Actor::start(Listener(sender)).recipient());
    record(&influx, "late", 1);
    influx.flush(Duration::from_millis(100)).await;
    fake.accept_again();
    influx.flush(Duration::from_millis(300)).await;
    fake.create_database("late");
    settled(&influx).await;
    let mut kinds = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(LONG, events.recv()).await {
        match event {
            Event::EndpointDown { .. } => kinds.push("down"),
            Event::EndpointUp { .. } => kinds.push("up"),
            Event::ConfigurationFault { database, .. } => {
                assert_eq!(database, Some("late".into()));
                kinds.push("fault");
            }
            Event::ConfigurationMended { database, .. } => {
                assert_eq!(database, Some("late".into()));
                kinds.push("mended");
            }
            Event::Written { .. } => kinds.push("written"),
            _ => {}
        }
    }
    assert_eq!(kinds, ["down", "up", "fault", "mended", "written"]);
}

#[actix::test]
async fn what_is_older_than_it_may_be_is_dropped_as_expired_and_newer_ones_are_kept() {
    let fake = FakeInflux::start();
    fake.refuse();
    let age = Duration::from_millis(400);
    let influx = Influx::start(impatient(fake.url()).max_age(age)).unwrap();
    record(&influx, "db", 10);
    influx.flush(Duration::from_millis(50)).await;
    let began = Instant::now();
    while influx.stats().dropped.expired < 10 {
        assert!(began.elapsed() < LONG, "{}", influx.stats());
        tokio::task::yield_now().await;
    }
    assert!(
        began.elapsed() > age - Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
    record(&influx, "db", 5);
    fake.accept_again();
    let stats = settled(&influx).await;
    assert_eq!(
        (stats.dropped.expired, stats.written),
        (10, 5),
        "{:?}",
        stats.dropped
    );
}

#[actix::test]
async fn a_flush_with_very_many_databases_answers_in_time() {
    let fake = FakeInflux::start();
    fake.refuse();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    for number in 0..50_000 {
        record(&influx, format!("db{number}"), 1);
    }
    influx.flush(Duration::from_millis(100)).await;
    let began = Instant::now();
    let report = influx.flush(Duration::from_millis(100)).await;
    let took = began.elapsed();
    assert_eq!(report.undelivered, 50_000);
    // Unoptimised, and beside other tests.
    assert!(took < Duration::from_millis(700), "{took:?}");
    end(influx).await;
}

#[actix::test]
async fn a_fault_that_ends_with_another_credential_is_told_to_be_mended() {
    let fake = FakeInflux::start();
    fake.require_auth("ada", "right");
    let influx = Influx::start(impatient(fake.url()).user("ada").password("wrong")).unwrap();
    record(&influx, "db", 1);
    influx.flush(Duration::from_millis(200)).await;
    let down = &influx.stats().endpoints[0];
    assert_eq!(down.state, actix_influxdb::BreakerState::Open);
    influx.update(|config| config.password("right")).unwrap();
    assert!(influx.flush(LONG).await.is_complete());
    record(&influx, "db", 1);
    assert!(influx.flush(LONG).await.is_complete());
    let stats = influx.stats();
    assert_eq!(
        stats.endpoints[0].state,
        actix_influxdb::BreakerState::Closed
    );
    assert_eq!(
        stats.databases[0].state,
        actix_influxdb::BreakerState::Closed
    );
    settled(&influx).await;
}
