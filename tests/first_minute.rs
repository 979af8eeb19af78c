//! What a newcomer reads in the first minute, with settings from the environment: the line of the start, and one
//! line that says what is wrong and what to do. Against real servers. The logger is the process's, so all of it is
//! one test. (What a wrong certificate is told with is in the tests of TLS.)

mod support;

use std::{net::TcpListener, time::Duration};

use actix_influxdb::{Config, Influx};
use log::{Level, LevelFilter};
use support::{
    influxd::{Influxd, PASSWORD, USER},
    logger,
    measurement::record,
    pipeline::LONG,
    require_influxd, require_nginx, wait,
};

/// Starts with these variables, records, and takes what is logged at INFO and above until something is wrong
/// or written, and during some more attempts. A minute passes in a second: intervals and pauses are short.
async fn first_minute(variables: &[(&str, &str)]) -> Vec<logger::Line> {
    let read = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    logger::take();
    let config = Config::from_lookup(read)
        .unwrap()
        .interval(Duration::from_millis(20))
        .max_retry_delay(Duration::from_millis(50));
    let influx = Influx::start(config).unwrap();
    record(&influx, "example", 3);
    let mut lines = Vec::new();
    let is_bad = |line: &logger::Line| line.level <= Level::Warn;
    let is_told = wait::wait_until(LONG, || {
        lines.extend(logger::take());
        lines.iter().any(is_bad) || influx.stats().written > 0
    });
    assert!(is_told, "nothing was said");
    for _ in 0..3 {
        record(&influx, "example", 3);
        influx.flush(Duration::from_millis(100)).await;
    }
    lines.extend(logger::take());
    influx.shutdown(Duration::ZERO).await;
    logger::take();
    lines.retain(|line| line.level <= Level::Info);
    lines
}

fn assert_says(lines: &[logger::Line], words: &[&str]) {
    assert!(lines[0].text.starts_with("measurements go to http://"));
    let bad: Vec<_> = lines.iter().filter(|it| it.level <= Level::Warn).collect();
    assert_eq!(bad.len(), 1, "{words:?}: {lines:#?}");
    for word in words {
        let text = &bad[0].text;
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[actix::test]
async fn one_line_says_what_is_wrong_and_what_to_do() {
    logger::install(LevelFilter::Info);
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    // Not running.
    let lines = first_minute(&[("INFLUXDB_URL", &nobody)]).await;
    let refused = [
        &*nobody,
        "does not accept measurements, they are kept",
        "Connection refused",
        "(is the server running, and is INFLUXDB_URL right?)",
    ];
    assert_says(&lines, &refused);
    let port = nobody.rsplit(':').next().unwrap();
    let parts = [("INFLUXDB_HOST", "127.0.0.1"), ("INFLUXDB_PORT", port)];
    let lines = first_minute(&parts).await;
    assert_says(
        &lines,
        &["is the URL from INFLUXDB_SCHEME, INFLUXDB_HOST and INFLUXDB_PORT right?"],
    );

    // No such database.
    let influxd = require_influxd!();
    let url = influxd.url();
    let lines = first_minute(&[("INFLUXDB_URL", url)]).await;
    let missing = [
        "does not accept measurements of database example, they are kept",
        "database not found: \"example\"",
        "(create it, or set INFLUXDB_CREATE_DATABASE)",
    ];
    assert_says(&lines, &missing);
    let create = [("INFLUXDB_URL", url), ("INFLUXDB_CREATE_DATABASE", "true")];
    let lines = first_minute(&create).await;
    assert!(
        lines.iter().any(|it| it.text.contains("example")),
        "{lines:#?}"
    );
    assert!(influxd.databases().contains(&"example".to_owned()));

    // Another version.
    let v2 = [
        ("INFLUXDB_URL", url),
        ("INFLUXDB_ORG", "acme"),
        ("INFLUXDB_TOKEN", "secret"),
    ];
    let lines = first_minute(&v2).await;
    assert_says(
        &lines,
        &["/api/v2/write: it is InfluxDB 1.", "set INFLUXDB_API to v1"],
    );

    // A password.
    let influxd = require_influxd!(Influxd::builder().auth(true));
    influxd.create_database("example");
    let url = influxd.url();
    let lines = first_minute(&[("INFLUXDB_URL", url)]).await;
    let wanted = [
        "unable to parse authentication credentials",
        "requires credentials: set INFLUXDB_USER and INFLUXDB_PASSWORD",
    ];
    assert_says(&lines, &wanted);
    let wrong = [
        ("INFLUXDB_URL", url),
        ("INFLUXDB_USER", USER),
        ("INFLUXDB_PASSWORD", "wrong"),
    ];
    let lines = first_minute(&wrong).await;
    let refused = [
        "authorization failed",
        "(check INFLUXDB_USER and INFLUXDB_PASSWORD)",
    ];
    assert_says(&lines, &refused);
    let right = [wrong[0], wrong[1], ("INFLUXDB_PASSWORD", PASSWORD)];
    let lines = first_minute(&right).await;
    assert!(lines.iter().all(|it| it.level > Level::Warn), "{lines:#?}");
    let arrival = format!("measurements arrive: {url} has stored the first 3, of database example");
    let told = lines.iter().filter(|it| it.text == arrival);
    assert_eq!(told.count(), 1, "{lines:#?}");

    // A web server.
    let nginx = require_nginx!("location / { }");
    let lines = first_minute(&[("INFLUXDB_URL", nginx.url())]).await;
    let page = [
        "a web page, \"40",
        "is INFLUXDB_URL right?",
        "the request was POST",
    ];
    assert_says(&lines, &page);
}
