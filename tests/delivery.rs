//! The way from `record` to a server, by what the server sees: [`FakeInflux`], over real sockets.

mod support;

use std::{thread, time::Duration};

use actix_influxdb::{
    Config, Database, Delivery, Influx, Measurement, RecordError, StartError, Timestamp,
    testing::{Answer, FakeInflux, Value, record_line},
};
use support::{
    measurement::{measurement, record},
    pipeline::{LONG, quiet, settled},
};

fn config(fake: &FakeInflux) -> Config {
    quiet(fake.url()).tag_hostname(false)
}

fn start(fake: &FakeInflux) -> Influx {
    Influx::start(config(fake)).unwrap()
}

#[actix::test]
async fn a_measurement_arrives_with_everything_it_has() {
    let fake = FakeInflux::start();
    let config = config(&fake).environment("test").base_tag("zone", "base");
    let influx = Influx::start(config).unwrap();
    let login = Measurement::new(Database::new("example").retention_policy("week"), "login")
        .tag("method", "o auth")
        .tag("zone", "mine")
        .field("ms", 12.5)
        .field("note", "a \"quoted\"\nnote")
        .timestamp(Timestamp::from_nanos(1_700_000_000_000_000_001));
    influx.record(login).unwrap();
    assert_eq!(settled(&influx).await.written, 1);
    let point = &fake.points("example")[0];
    assert_eq!(point.measurement, "login");
    assert_eq!(point.tag("method"), Some("o auth"));
    assert_eq!(point.tag("zone"), Some("mine"));
    assert_eq!(point.tag("environment"), Some("test"));
    assert_eq!(point.tags.len(), 3);
    assert_eq!(point.field("ms"), Some(&Value::Float(12.5)));
    assert_eq!(
        point.field("note"),
        Some(&Value::from("a \"quoted\"\\nnote"))
    );
    assert_eq!(point.timestamp, Some(1_700_000_000_000_000_001));
    assert_eq!(point.retention_policy.as_deref(), Some("week"));
}

#[actix::test]
async fn a_write_names_its_client_its_type_and_its_credentials() {
    let fake = FakeInflux::start();
    fake.require_auth("ada", "secret");
    let config = config(&fake).user("ada").password("secret");
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 1);
    let request = &fake.requests()[0];
    let agent = format!("actix-influxdb/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent.as_str()));
    assert_eq!(
        request.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        request.header("content-length").map(str::to_owned),
        Some(request.body.len().to_string())
    );
}

#[actix::test]
async fn the_apis_of_v2_and_v3_are_spoken_too() {
    for (config, path) in [
        (Config::v2("", "acme", "t0ken"), "/api/v2/write"),
        (Config::v3("", "t0ken"), "/api/v3/write_lp"),
    ] {
        let fake = FakeInflux::start();
        fake.require_token("t0ken");
        let influx = Influx::start(config.url(fake.url())).unwrap();
        record(&influx, "db", 1);
        assert_eq!(settled(&influx).await.written, 1);
        assert_eq!(fake.requests()[0].path, path);
        assert_eq!(fake.count("db"), 1);
    }
}

#[actix::test]
async fn a_server_that_fails_gets_the_batch_again_and_nothing_is_lost() {
    let fake = FakeInflux::start();
    let config = config(&fake).max_retry_delay(Duration::from_millis(100));
    let influx = Influx::start(config).unwrap();
    for answer in [
        Answer::status(503),
        Answer::status(500).store(),
        Answer::status(429).retry_after(0),
        Answer::cut_request(5),
        Answer::status(204).cut_response(5),
    ] {
        fake.answer_next(answer);
    }
    record(&influx, "db", 10);
    assert_eq!(settled(&influx).await.written, 10);
    assert_eq!(fake.write_count(), 6);
    assert_eq!(fake.count("db"), 10);
}

#[actix::test]
async fn a_server_that_is_not_there_yet_gets_everything_when_it_comes() {
    let fake = FakeInflux::start();
    fake.refuse();
    let influx = start(&fake);
    record(&influx, "db", 10);
    let report = influx.flush(Duration::from_millis(100)).await;
    assert_eq!(report.undelivered, 10);
    assert_eq!(influx.stats().pending, 10);
    fake.accept_again();
    assert_eq!(settled(&influx).await.written, 10);
    assert_eq!(fake.count("db"), 10);
}

#[actix::test]
async fn exactly_the_bad_lines_are_rejected() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    record(&influx, "db", 700);
    record_line(&influx, "db", "no line at all").unwrap();
    record(&influx, "db", 200);
    influx
        .record(measurement("db").field("f", "another type"))
        .unwrap();
    record(&influx, "db", 98);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (998, 2));
    assert_eq!(fake.count("db"), 998);
}

#[actix::test]
async fn a_database_that_rejects_everything_does_not_hold_up_another() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.param("db") {
        Some("bad") => Answer::error(400, "partial write: field type conflict"),
        _ => Answer::accept(),
    });
    let influx = start(&fake);
    for _ in 0..50 {
        record(&influx, "bad", 1);
        record(&influx, "good", 1);
    }
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (50, 50));
}

#[actix::test]
async fn a_database_that_is_missing_is_waited_for_and_holds_up_no_other() {
    let fake = FakeInflux::start();
    fake.without_database("late");
    let influx = start(&fake);
    record(&influx, "late", 1);
    record(&influx, "db", 1);
    let report = influx.flush(Duration::from_millis(300)).await;
    assert_eq!((report.written, report.undelivered), (1, 1));
    fake.create_database("late");
    assert_eq!(settled(&influx).await.written, 2);
}

#[actix::test]
async fn what_becomes_of_one_measurement_can_be_waited_for() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).trigger_size(1)).unwrap();
    assert_eq!(influx.deliver(measurement("db")).await, Delivery::Written);
    let bad = influx
        .deliver(measurement("db").field("f", "another type"))
        .await;
    assert!(
        matches!(&bad, Delivery::Rejected { reason } if reason.message.contains("field type conflict")),
        "{bad:?}"
    );
    let invalid = influx.deliver(Measurement::new("db", "m")).await;
    assert!(
        matches!(&invalid, Delivery::Dropped { reason } if reason.to_string().contains("no field"))
    );
    let stats = settled(&influx).await;
    assert_eq!(
        (stats.written, stats.rejected, stats.dropped.invalid),
        (1, 1, 1)
    );
    let late = influx.deliver(measurement("db")).await;
    assert!(
        matches!(&late, Delivery::Dropped { reason } if reason.to_string().contains("stopping"))
    );
}

#[actix::test]
async fn pending_measurements_are_bounded_in_number_and_in_bytes() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).max_buffer_size(100)).unwrap();
    // A full buffer is sent.
    fake.answer_next(Answer::accept().stall_before_response());
    record(&influx, "db", 100);
    let error = influx.record(measurement("db")).unwrap_err();
    assert!(matches!(
        error,
        RecordError::BufferFull {
            pending: 100,
            limit: 100,
            ..
        }
    ));
    influx.addr().send(measurement("db")).await.unwrap();
    fake.wait_for_requests(1, LONG);
    fake.release();
    // Flushed: there is room again.
    influx.flush(LONG).await;
    record(&influx, "db", 1);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.dropped.buffer_full), (101, 2));

    let influx = Influx::start(config(&fake).max_buffer_bytes(1_024)).unwrap();
    let mut recorded = 0;
    let error = loop {
        match influx.record(measurement("db")) {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("max_buffer_bytes"), "{error}");
    let bytes = "m f=1i 1700000000000000000\n".len();
    assert_eq!(recorded, 1_024 / bytes as u64);
    assert_eq!(settled(&influx).await.written, recorded);
}

#[actix::test]
async fn what_is_being_sent_counts_against_the_limit_too() {
    let fake = FakeInflux::start();
    fake.answer_next(Answer::accept().stall_before_response());
    let influx = Influx::start(config(&fake).max_buffer_size(10).trigger_size(10)).unwrap();
    record(&influx, "db", 10);
    fake.wait_for_requests(1, LONG);
    assert!(matches!(
        influx.record(measurement("db")),
        Err(RecordError::BufferFull { .. })
    ));
    fake.release();
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.dropped.buffer_full), (10, 1));
}

#[actix::test]
async fn a_disabled_pipeline_counts_and_does_nothing_else() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).enabled(false)).unwrap();
    record(&influx, "db", 3);
    influx.addr().do_send(measurement("db"));
    assert_eq!(influx.flush(LONG).await.undelivered, 0);
    assert!(influx.ping().await.is_err());
    let error = influx.update(|config| config.enabled(true)).unwrap_err();
    assert_eq!(error.setting, "enabled");
    let report = influx.shutdown(LONG).await;
    assert!(report.is_complete());
    let stats = influx.stats();
    assert!(stats.balanced());
    assert_eq!((stats.recorded, stats.dropped.disabled), (3, 3));
    assert_eq!(influx.record(measurement("db")), Err(RecordError::Stopping));
    drop(influx.guard(LONG));
    assert_eq!(fake.request_count(), 0);
}

#[actix::test]
async fn delivery_can_be_switched_off_and_on_again() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    record(&influx, "db", 1);
    influx.update(|config| config.enabled(false)).unwrap();
    record(&influx, "db", 1);
    influx.update(|config| config.enabled(true)).unwrap();
    record(&influx, "db", 1);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.dropped.disabled), (2, 1));
}

#[actix::test]
async fn an_update_reaches_callers_at_once_and_the_server_with_the_next_batch() {
    let fake = FakeInflux::start();
    let other = FakeInflux::start();
    let influx = start(&fake);
    influx
        .update(|config| config.base_tag("zone", "new").url(other.url()))
        .unwrap();
    record(&influx, "db", 1);
    let error = influx.update(|config| config.max_clients(0)).unwrap_err();
    assert_eq!(error.setting, "max_clients");
    settled(&influx).await;
    assert_eq!(fake.request_count(), 0);
    assert_eq!(other.points("db")[0].tag("zone"), Some("new"));
}

#[test]
fn it_works_without_a_system_and_the_last_handle_ends_it() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let influx = influx.clone();
            thread::spawn(move || record(&influx, "db", 25))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(
        influx.stats().pending,
        100,
        "also of threads that have ended"
    );
    drop(influx);
    fake.wait_for_points("db", 100, LONG);
}

#[test]
fn a_guard_returns_in_time_also_when_the_server_says_nothing() {
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let influx = start(&fake);
    record(&influx, "db", 5);
    let began = std::time::Instant::now();
    drop(influx.guard(Duration::from_millis(300)));
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
    assert!(elapsed < LONG, "{elapsed:?}");
    let stats = influx.stats();
    assert!(stats.balanced());
    assert_eq!((stats.dropped.undelivered, stats.pending), (5, 0));
}

#[actix::test]
async fn one_pipeline_can_be_installed_and_a_second_one_is_told_so() {
    let fake = FakeInflux::start();
    assert_eq!(
        actix_influxdb::record(measurement("db")),
        Err(RecordError::NotInstalled)
    );
    let influx = Influx::install(config(&fake)).unwrap();
    assert!(matches!(
        Influx::install(config(&fake)),
        Err(StartError::AlreadyInstalled)
    ));
    actix_influxdb::record(measurement("db")).unwrap();
    assert_eq!(Influx::installed().unwrap().stats().recorded, 1);
    assert_eq!(settled(&influx).await.written, 1);
}

#[test]
fn what_cannot_be_used_is_told_at_the_start() {
    let error = Influx::start(Config::default().max_clients(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a setting can't be used: max_clients is 0: from 1 to 1000 requests"
    );
}

#[test]
fn settings_without_a_limit_and_timeouts_without_an_end_are_fine() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).max_buffer_size(usize::MAX)).unwrap();
    record(&influx, "db", 3);
    drop(influx.guard(Duration::MAX));
    assert_eq!(fake.count("db"), 3);
}

#[test]
fn the_trigger_size_is_not_missed_while_thread_buffers_are_filled_and_emptied_at_once() {
    let fake = FakeInflux::start();
    fake.answer_always(Answer::status(204));
    let influx = Influx::start(config(&fake).trigger_size(500)).unwrap();
    for round in 1..=10 {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| record(&influx, "db", 2_000));
            }
        });
        let deadline = std::time::Instant::now() + LONG;
        while influx.stats().pending >= 500 {
            let stats = influx.stats();
            assert!(
                std::time::Instant::now() < deadline,
                "round {round}: {stats}"
            );
            thread::yield_now();
        }
    }
}
