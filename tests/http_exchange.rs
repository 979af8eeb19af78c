//! What a server does on the wire, and what becomes of the measurements: servers whose every byte is
//! said.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, PingError};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, quiet, settled},
    raw::{Peer, RawServer},
};

const WRITTEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// No retry comes in time: what has to be written has to be written at once.
fn strict(url: String) -> Config {
    quiet(url).max_retry_delay(Duration::from_secs(60))
}

#[actix::test]
async fn a_server_that_sends_interim_responses_works_and_no_answer_counts_for_another_request() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    for pause in [None, Some(Duration::from_millis(20))] {
        let server = RawServer::start(move |mut peer: Peer| {
            while let Some((head, body)) = peer.request() {
                peer.send(interim);
                if let Some(pause) = pause {
                    std::thread::sleep(pause);
                }
                // One database is refused: its answer must not be taken for one of the other.
                match &*head.database {
                    "good" => {
                        peer.store(&head, &body);
                        peer.send(WRITTEN);
                    }
                    _ => peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
                }
            }
        });
        let config = strict(server.url()).max_batch_size(10);
        let influx = Influx::start(config.max_clients(1)).unwrap();
        record(&influx, "good", 100);
        record(&influx, "bad", 100);
        record(&influx, "good", 100);
        let report = influx.flush(Duration::from_millis(1_500)).await;
        assert_eq!(report.written, server.stored("good") as u64, "{report:?}");
        assert_eq!((report.written, report.undelivered), (200, 100));
        assert_eq!(server.stored("bad"), 0);
        influx.shutdown(Duration::ZERO).await;
    }
}

#[actix::test]
async fn a_204_that_announces_a_body_is_written_once_and_at_once() {
    for answer in [
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let server = RawServer::start(move |mut peer: Peer| {
            while let Some((head, body)) = peer.request() {
                peer.store(&head, &body);
                peer.send(answer);
            }
        });
        let influx = Influx::start(strict(server.url())).unwrap();
        for _ in 0..3 {
            record(&influx, "db", 10);
            let began = Instant::now();
            assert_eq!(influx.flush(LONG).await.written, 10);
            assert!(began.elapsed() < Duration::from_secs(2), "{answer:?}");
        }
        assert_eq!(settled(&influx).await.written, 30);
        assert_eq!(server.stored("db"), 30);
        assert_eq!(server.requests(), 3);
    }
}

#[actix::test]
async fn a_413_before_the_body_is_read_splits_the_batch() {
    let server = RawServer::start(|mut peer: Peer| {
        while let Some(head) = peer.head() {
            if head.length > 100_000 {
                peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
                // Neither reads nor closes.
                return peer.hold();
            }
            let Some(body) = peer.body(&head) else {
                return;
            };
            peer.store(&head, &body);
            peer.send(WRITTEN);
        }
    });
    let influx = Influx::start(strict(server.url())).unwrap();
    let long = "x".repeat(1_000);
    for _ in 0..4_000 {
        let measurement = support::measurement::measurement("db").field("long", long.clone());
        influx.record(measurement).unwrap();
    }
    let began = Instant::now();
    assert_eq!(settled(&influx).await.written, 4_000);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(server.stored("db"), 4_000);
}

#[actix::test]
async fn an_early_204_is_not_taken_for_written() {
    let server = RawServer::start(|mut peer: Peer| {
        peer.head();
        peer.send(WRITTEN);
        peer.hold();
    });
    let influx = Influx::start(strict(server.url())).unwrap();
    let long = "x".repeat(1 << 20);
    for _ in 0..10 {
        let measurement = support::measurement::measurement("db").field("long", long.clone());
        influx.record(measurement).unwrap();
    }
    let report = influx.flush(Duration::from_millis(500)).await;
    assert_eq!(
        (report.written, report.rejected, report.undelivered),
        (0, 0, 10)
    );
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn a_status_whose_body_never_ends_is_an_answer_long_before_the_timeout() {
    let server = RawServer::start(|mut peer: Peer| {
        peer.request();
        peer.send(
            "HTTP/1.1 400 Bad\r\nContent-Length: 9999\r\n\r\n\
             {\"error\":\"unable to parse 'm f=1i 1': invalid",
        );
        peer.hold();
    });
    let influx = Influx::start(impatient(server.url()).request_timeout(LONG)).unwrap();
    record_an_integer(&influx);
    let began = Instant::now();
    let report = influx.flush(Duration::from_secs(5)).await;
    assert_eq!(report.rejected, 1, "{report:?}");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    influx.shutdown(Duration::ZERO).await;
}

fn record_an_integer(influx: &Influx) {
    actix_influxdb::testing::record_line(influx, "db", "m f=1i 1").unwrap();
}

#[actix::test]
async fn writers_whose_connections_have_died_cost_one_timeout_together() {
    // From the switch on, connections that are there hear nothing more and say nothing.
    let (is_dead, timeout) = (
        Arc::new(AtomicBool::new(false)),
        Duration::from_millis(1_000),
    );
    let switch = Arc::clone(&is_dead);
    let server = RawServer::start(move |mut peer: Peer| {
        let is_new = switch.load(Ordering::SeqCst);
        while let Some((head, body)) = peer.request() {
            if switch.load(Ordering::SeqCst) && !is_new {
                return peer.hold();
            }
            if !is_new {
                // So that each of the first batches has a connection of its own.
                std::thread::sleep(Duration::from_millis(100));
            }
            peer.store(&head, &body);
            peer.send(WRITTEN);
        }
    });
    let config = impatient(server.url())
        .max_clients(10)
        .request_timeout(timeout);
    let influx = Influx::start(config.max_batch_size(10)).unwrap();
    record(&influx, "db", 100);
    assert_eq!(influx.flush(LONG).await.written, 100);
    let connections = server.connections();
    assert!(connections >= 5, "{connections} connections");
    is_dead.store(true, Ordering::SeqCst);
    record(&influx, "db", 100);
    let began = Instant::now();
    assert_eq!(influx.flush(LONG).await.written, 100);
    let elapsed = began.elapsed();
    assert!(elapsed >= timeout, "{elapsed:?}: they were dead");
    assert!(elapsed < timeout * 2, "{elapsed:?}");
    assert_eq!(settled(&influx).await.written, 200);
}

#[actix::test]
async fn a_ping_says_what_is_there_instead() {
    for (answer, wanted) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "as an SSH server does"),
        ("\u{15}\u{3}\u{1}\0\u{2}\u{2}F", "use https"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n<html><title>Hello</title>",
            "a web page, \"Hello\"",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "redirects to \"http://127.0.0.1:1/\"",
        ),
    ] {
        let server = RawServer::start(move |mut peer: Peer| {
            peer.request();
            peer.send(answer);
            peer.drain();
        });
        let influx = Influx::start(strict(server.url())).unwrap();
        let error = influx.ping().await.unwrap_err();
        assert!(!matches!(error, PingError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains(wanted), "{error}");
        influx.shutdown(Duration::ZERO).await;
    }
}
