//! What the server does wrong, and what becomes of the measurements: [`FakeInflux`], over real
//! sockets, each fault as a script.

mod support;

use std::{
    io::{Read as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_influxdb::{
    Config, Database, Influx, Measurement,
    testing::{Answer, FakeInflux, record_line},
};
use support::{
    measurement::{measurement, record},
    pipeline::{LONG, impatient, quiet, settled},
    raw::RawServer,
    wait::wait_until,
};

fn start(fake: &FakeInflux) -> Influx {
    Influx::start(impatient(fake.url())).unwrap()
}

#[actix::test]
async fn a_connection_that_was_kept_alive_and_closed_by_the_server_is_no_failure() {
    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().close_unannounced());
    // A failure would mean a pause that is longer than the flush may take.
    let config = quiet(fake.url()).max_retry_delay(Duration::from_secs(60));
    let influx = Influx::start(config).unwrap();
    for _ in 0..20 {
        record(&influx, "db", 1);
        let report = influx.flush(LONG).await;
        assert_eq!(report.written, 1, "{report:?}");
    }
    assert_eq!(settled(&influx).await.written, 20);
}

#[actix::test]
async fn connections_are_kept_alive() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    for _ in 0..5 {
        record(&influx, "db", 1);
        influx.flush(LONG).await;
    }
    assert_eq!(fake.connection_count(), 1);
    settled(&influx).await;
}

#[actix::test]
async fn no_redirect_is_followed_so_credentials_go_nowhere_else() {
    let (fake, elsewhere) = (FakeInflux::start(), FakeInflux::start());
    let location = format!("{}/write?db=db", elsewhere.url());
    fake.answer_next(Answer::status(307).header("Location", &location));
    let influx = Influx::start(impatient(fake.url()).user("ada").password("secret")).unwrap();
    record(&influx, "db", 3);
    assert_eq!(settled(&influx).await.written, 3);
    assert_eq!(elsewhere.request_count(), 0);
    assert_eq!(fake.write_count(), 2);
}

#[actix::test]
async fn wrong_credentials_drop_nothing_and_the_right_ones_are_tried_at_once() {
    let fake = FakeInflux::start();
    fake.require_auth("ada", "right");
    let config = quiet(fake.url()).user("ada").password("wrong");
    let influx = Influx::start(config.max_retry_delay(Duration::from_secs(3_600))).unwrap();
    record(&influx, "db", 5);
    let report = influx.flush(Duration::from_millis(200)).await;
    assert_eq!(report.undelivered, 5);
    influx.update(|config| config.password("right")).unwrap();
    // It may be written before the flush begins.
    assert!(influx.flush(LONG).await.is_complete());
    assert_eq!(settled(&influx).await.written, 5);
}

#[actix::test]
async fn a_missing_database_is_created_if_that_is_wished_for() {
    let fake = FakeInflux::start();
    fake.without_database("new");
    let influx = Influx::start(impatient(fake.url()).create_database(true)).unwrap();
    record(&influx, "new", 5);
    record(&influx, "there", 5);
    assert_eq!(settled(&influx).await.written, 10);
    assert_eq!(fake.count("new"), 5);
}

#[actix::test]
async fn databases_that_are_created_slowly_take_few_connections_and_hold_up_no_other() {
    let (creating, are_created) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let server = RawServer::start({
        let (creating, are_created) = (creating.clone(), are_created.clone());
        move |mut peer| {
            while let Some((head, body)) = peer.request() {
                let is_missing = head.database.starts_with("missing");
                if head.target.starts_with("/query") {
                    creating.fetch_add(1, Ordering::SeqCst);
                    assert!(wait_until(LONG, || are_created.load(Ordering::SeqCst)));
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"results\":[{}]}\n");
                } else if is_missing && !are_created.load(Ordering::SeqCst) {
                    let error = "{\"error\":\"database not found: \\\"x\\\"\"}";
                    let length = error.len();
                    peer.send(format!(
                        "HTTP/1.1 404 Not Found\r\nX-Influxdb-Version: 1.8.10\r\n\
                         Content-Length: {length}\r\n\r\n{error}"
                    ));
                } else {
                    peer.store(&head, &body);
                    peer.send("HTTP/1.1 204 No Content\r\n\r\n");
                }
            }
        }
    });
    let config = impatient(server.url()).create_database(true).max_clients(4);
    let influx = Influx::start(config).unwrap();
    for number in 0..40 {
        record(&influx, format!("missing{number}"), 1);
    }
    influx.flush(Duration::from_millis(300)).await;
    let creating = || creating.load(Ordering::SeqCst);
    let stats = influx.stats();
    assert_eq!((stats.written, stats.pending, creating()), (0, 40, 2));
    record(&influx, "there", 5);
    assert!(influx.flush(Duration::from_millis(300)).await.written == 5);
    assert_eq!((server.stored("there"), creating()), (5, 2));
    are_created.store(true, Ordering::SeqCst);
    assert_eq!(settled(&influx).await.written, 45);
}

#[actix::test]
async fn a_batch_that_is_too_large_is_split_until_it_fits() {
    let fake = FakeInflux::start();
    fake.set_max_body_size(2_000);
    let influx = start(&fake);
    record(&influx, "db", 500);
    let long = "x".repeat(3_000);
    record_line(&influx, "db", &format!("m long=\"{long}\" 1")).unwrap();
    record(&influx, "db", 500);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (1_000, 1));
    assert_eq!(fake.count("db"), 1_000);
}

#[actix::test]
async fn a_large_batch_whose_connection_is_reset_twice_running_is_split() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| {
        let length = request.header("content-length").unwrap();
        match length.parse::<usize>().unwrap() > 1 << 20 {
            true => Answer::cut_request(10_000).reset(),
            false => Answer::accept(),
        }
    });
    let influx = start(&fake);
    let long = "x".repeat(1_000);
    for _ in 0..2_000 {
        let measurement = Measurement::new("db", "m").field("f", long.clone());
        influx.record(measurement).unwrap();
    }
    assert_eq!(settled(&influx).await.written, 2_000);
    assert_eq!(fake.count("db"), 2_000);
}

#[actix::test]
async fn a_line_that_a_rejection_repeats_raw_in_a_header_is_found() {
    let fake = FakeInflux::start();
    // As 1.6.7 does it: the bad line stands in a header, raw.
    fake.answer_with(|request| match request.text().contains("bad") {
        true => Answer::status(400).header("X-Influxdb-Error", "unable to parse 'bad \u{1}'"),
        false => Answer::accept(),
    });
    let influx = start(&fake);
    record(&influx, "db", 9);
    record_line(&influx, "db", "bad \u{1}").unwrap();
    record(&influx, "db", 6);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (15, 1));
}

#[actix::test]
async fn lines_that_the_server_quotes_cost_a_single_post_more() {
    let fake = FakeInflux::start();
    let influx = start(&fake);
    for _ in 0..20 {
        record(&influx, "db", 100);
        record_line(&influx, "db", "no line at all").unwrap();
    }
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (2_000, 20));
    assert_eq!(fake.write_count(), 2);
}

#[actix::test]
async fn a_database_that_cannot_be_served_does_not_delay_another() {
    for fault in [Answer::status(500), Answer::status(503), Answer::hang_up()] {
        let fake = FakeInflux::start();
        fake.answer_with(move |request| match request.param("db") {
            Some("bad") => fault.clone(),
            _ => Answer::accept(),
        });
        let config = quiet(fake.url()).max_retry_delay(Duration::from_secs(60));
        let influx = Influx::start(config).unwrap();
        record(&influx, "bad", 1);
        influx.flush(Duration::from_millis(50)).await;
        for _ in 0..10 {
            record(&influx, "good", 1);
            let report = influx.flush(Duration::from_millis(300)).await;
            assert_eq!(report.written, 1, "{report:?}");
        }
        influx.shutdown(Duration::ZERO).await;
        assert!(influx.stats().balanced());
    }
}

#[actix::test]
async fn a_server_that_rejects_everything_rejects_every_line_and_only_its_database_waits() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.param("db") {
        Some("bad") => Answer::error(400, "partial write: field type conflict"),
        _ => Answer::accept(),
    });
    let influx = Influx::start(impatient(fake.url()).max_batch_size(100)).unwrap();
    record(&influx, "bad", 300);
    record(&influx, "good", 300);
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (300, 300));
}

#[actix::test]
async fn an_unreadable_or_huge_body_of_an_error_changes_nothing() {
    let fake = FakeInflux::start();
    for answer in [
        Answer::status(500).body_of_size(1 << 20),
        Answer::status(500).body(vec![0, 159, 146, 150]),
        Answer::status(500).announce_length(10),
        Answer::status(500).without_length(),
        Answer::status(502).chunked().body("<html>".repeat(1_000)),
    ] {
        fake.answer_next(answer);
    }
    let config = impatient(fake.url()).request_timeout(Duration::from_millis(300));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 10);
    assert_eq!(settled(&influx).await.written, 10);
}

#[actix::test]
async fn a_server_that_says_nothing_is_given_up_after_the_request_timeout() {
    let fake = FakeInflux::start();
    for answer in [
        Answer::accept().stall_before_body(),
        Answer::accept().stall_before_response(),
        Answer::accept().stall_in_response(10),
    ] {
        fake.answer_next(answer);
    }
    let config = impatient(fake.url()).request_timeout(Duration::from_millis(50));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 10);
    assert_eq!(settled(&influx).await.written, 10);
    assert_eq!(fake.count("db"), 10);
}

#[actix::test]
async fn a_retention_policy_that_is_missing_is_waited_for_and_not_asked_for_again_and_again() {
    let fake = FakeInflux::start();
    fake.answer_always(Answer::error(500, "retention policy not found: week"));
    let config = quiet(fake.url()).create_database(true);
    let influx = Influx::start(config.max_retry_delay(Duration::from_secs(60))).unwrap();
    let database = Database::new("db").retention_policy("week");
    influx.record(measurement(database)).unwrap();
    let report = influx.flush(Duration::from_millis(600)).await;
    assert_eq!(report.undelivered, 1);
    assert!(
        fake.request_count() < 20,
        "{} requests",
        fake.request_count()
    );
    assert_eq!(
        fake.request_count(),
        fake.write_count(),
        "nothing is created"
    );
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn a_port_that_speaks_no_http_rejects_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // A TLS alert. Ends with the process.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            _ = connection.read(&mut [0; 4_096]);
            _ = connection.write_all(b"\x15\x03\x01\x00\x02\x02\x46");
        }
    });
    let config = Config::v1(url).max_retry_delay(Duration::from_millis(30));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 4);
    let report = influx.flush(Duration::from_millis(700)).await;
    assert_eq!((report.rejected, report.undelivered), (0, 4));
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn a_server_that_repeats_the_request_puts_no_token_into_what_is_told() {
    let fake = FakeInflux::start();
    let echo = "Accept: */*\nAuthorization: Token s3cr3t-of-ada\nX-Key: k3y-of-ada\n";
    fake.answer_always(Answer::status(200).body(echo));
    let config = Config::v2(fake.url(), "org", "s3cr3t-of-ada").header("X-Key", "k3y-of-ada");
    let influx = Influx::start(config).unwrap();
    influx
        .record(Measurement::new("db", "m").field("f", 1))
        .unwrap();
    influx.flush(Duration::from_secs(1)).await;
    let stats = influx.stats();
    let failure = stats.endpoints[0].last_failure.clone().unwrap();
    let told = format!("{failure:?} {stats:?} {:?}", influx.ping().await);
    assert!(told.contains("[redacted]"), "{told}");
    assert!(!told.contains("of-ada"), "{told}");
    influx.shutdown(Duration::ZERO).await;
}
