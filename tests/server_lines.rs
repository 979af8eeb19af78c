//! One sentence of the log says which server it is, where it is not the one that is configured, and which setting to
//! change; and finding that out holds up nothing.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::{Duration, Instant},
};

use actix_influxdb::{
    Config, Influx,
    testing::{FakeInflux, Server},
};
use log::{Level, LevelFilter};
use support::{
    logger,
    measurement::record,
    pipeline::{LONG, settled},
    wait_for,
};

fn slow(config: Config) -> Config {
    config
        .interval(Duration::from_secs(3_600))
        .trigger_size(1_000_000)
}

/// Lines that say more than DEBUG, in a pipeline that records once.
async fn lines_of(config: Config, wanted: &str) -> Vec<logger::Line> {
    logger::take();
    let influx = Influx::start(slow(config)).unwrap();
    record(&influx, "db", 10);
    influx.flush(Duration::from_millis(200)).await;
    assert_eq!(influx.stats().rejected, 0, "{wanted}");
    let mut lines = Vec::new();
    let came = wait_for(LONG, || {
        lines.extend(logger::take());
        lines
            .iter()
            .any(|line: &logger::Line| line.text.contains(wanted))
    });
    let came = came.await;
    influx.shutdown(Duration::ZERO).await;
    lines.retain(|line| line.level <= Level::Warn);
    assert!(came, "{wanted:?} is not in {lines:#?}");
    lines
}

/// A server that stores nothing, answers writes as a real one does and never answers anything else; the
/// number of connections and requests is what it takes.
fn without_ping() -> String {
    answering("")
}

/// The same, but a ping is answered with these bytes.
fn answering(ping: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the process.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || {
                let mut received = Vec::new();
                let mut bytes = [0; 65_536];
                while let Ok(count @ 1..) = connection.read(&mut bytes) {
                    received.extend_from_slice(&bytes[..count]);
                    let text = String::from_utf8_lossy(&received);
                    let is_write = text.starts_with("POST");
                    if text.starts_with("GET") && text.ends_with("\r\n\r\n") && !ping.is_empty() {
                        _ = connection.write_all(ping.as_bytes());
                    }
                    if is_write && text.ends_with('\n') && !text.ends_with("\r\n\r\n") {
                        let answer = "HTTP/1.1 204 No Content\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\n\r\n";
                        _ = connection.write_all(answer.as_bytes());
                        received.clear();
                    }
                }
            });
        }
    });
    url
}

#[actix::test]
async fn the_log_says_which_server_it_is_and_which_setting_to_change() {
    logger::install(LevelFilter::Debug);
    let v1 = |fake: &FakeInflux| Config::v1(fake.url());
    let v2 = |fake: &FakeInflux| Config::v2(fake.url(), "acme", "t");
    let v3 = |fake: &FakeInflux| Config::v3(fake.url(), "t");
    type Of = fn(&FakeInflux) -> Config;
    let (v1, v2, v3): (Of, Of, Of) = (v1, v2, v3);
    for (server, config, wanted) in [
        (
            Server::InfluxDb1_6,
            v2,
            "it is InfluxDB 1.6.7 (OSS), which has no API v2: set api to v1",
        ),
        (
            Server::InfluxDb1_6,
            v3,
            "it is InfluxDB 1.6.7 (OSS), which has no API v3: set api to v1",
        ),
        (
            Server::InfluxDb1_8,
            v3,
            "it is InfluxDB 1.8.10 (OSS), which has no API v3: set api to v1",
        ),
        (
            Server::InfluxDb2_7,
            v1,
            "it is InfluxDB 2.7.12 (OSS): set api to v2, with org and token;",
        ),
        (
            Server::InfluxDb2_7,
            v3,
            "it is InfluxDB 2.7.12 (OSS), which has no API v3: set api to v2, with org and token",
        ),
        (
            Server::Cloud,
            v3,
            "it is InfluxDB Cloud, which has no API v3: set api to v2, with org and token",
        ),
        (
            Server::VictoriaMetrics1_79,
            v3,
            "it is VictoriaMetrics, which has no API v3: set api to v1",
        ),
        (
            Server::QuestDb,
            v3,
            "it is QuestDB, which has no API v3: set api to v1",
        ),
        (
            Server::Telegraf,
            v2,
            "it is Telegraf (influxdb_listener), which has no API v2: set api to v1",
        ),
        (
            Server::TelegrafV2,
            v1,
            "it is Telegraf (influxdb_v2_listener), which has no API v1: set api to v2, with org and token",
        ),
    ] {
        let fake = FakeInflux::imitating(server);
        if server == Server::InfluxDb2_7 {
            fake.require_token("t");
        }
        let lines = lines_of(config(&fake), wanted).await;
        let said = lines.iter().filter(|line| line.text.contains("it is "));
        assert_eq!(said.count(), 1, "{lines:#?}");
        let errors = lines.iter().filter(|line| line.level == Level::Error);
        assert!(errors.count() <= 2, "{lines:#?}");
    }

    // From the environment, the variables are named.
    let fake = FakeInflux::imitating(Server::InfluxDb1_6);
    let url = fake.url();
    let read = |name: &str| match name {
        "INFLUXDB_URL" => Some(url.clone()),
        "INFLUXDB_TOKEN" | "INFLUXDB_ORG" => Some("x".to_owned()),
        _ => None,
    };
    let config = Config::from_lookup(read).unwrap();
    lines_of(config, "which has no API v2: set INFLUXDB_API to v1").await;

    // What QuestDB does with what is sent again is said once, and at once.
    let fake = FakeInflux::imitating(Server::QuestDb);
    logger::take();
    let influx = Influx::start(slow(Config::v1(fake.url()))).unwrap();
    for _ in 0..3 {
        record(&influx, "db", 1);
        influx.flush(LONG).await;
    }
    settled(&influx).await;
    let lines = logger::take();
    let said = lines
        .iter()
        .filter(|line| line.level == Level::Warn && line.text.contains("DEDUP UPSERT KEYS"));
    assert_eq!(said.count(), 1, "{lines:#?}");

    // The right server says nothing.
    let fake = FakeInflux::imitating(Server::InfluxDb1_6);
    let influx = Influx::start(slow(Config::v1(fake.url()))).unwrap();
    record(&influx, "db", 1);
    settled(&influx).await;
    let lines = logger::take();
    assert!(
        lines.iter().all(|line| line.level > Level::Warn),
        "{lines:#?}"
    );
    let url = fake.url();
    let is_told = |line: &logger::Line| line.text == format!("{url} is InfluxDB 1.6.7 (OSS)");
    assert!(lines.iter().any(is_told), "{lines:#?}");

    // A web server that answers every POST with 204 is found out.
    let page = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 28\r\n\r\n<html><title>Hello</title>\r\n";
    let influx = Influx::start(slow(Config::v1(answering(page)))).unwrap();
    logger::take();
    record(&influx, "db", 10);
    assert_eq!(influx.flush(LONG).await.written, 10);
    let mut lines = Vec::new();
    let is_said = wait_for(LONG, || {
        lines.extend(logger::take());
        let wanted = "a web page, \"Hello\"";
        let is_it = |line: &logger::Line| line.level == Level::Warn && line.text.contains(wanted);
        lines.iter().any(is_it)
    });
    assert!(is_said.await, "{lines:#?}");
    settled(&influx).await;

    // A ping that is never answered holds up no write, and no end.
    let influx = Influx::start(slow(Config::v1(without_ping()))).unwrap();
    let began = Instant::now();
    for _ in 0..20 {
        record(&influx, "db", 10);
        assert_eq!(influx.flush(LONG).await.written, 10);
    }
    assert_eq!(settled(&influx).await.written, 200);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}
