//! A real nginx: before a real influxd, and alone, where it is no server for measurements.

mod support;

use std::time::{Duration, Instant};

use actix_influxdb::{Config, Influx, Measurement, PingError};
use support::{
    pipeline::{LONG, quiet, settled},
    require_influxd, require_nginx,
};

/// No retry comes in time.
fn strict(url: &str) -> Config {
    quiet(url).max_retry_delay(Duration::from_secs(60))
}

#[actix::test]
async fn a_batch_larger_than_a_proxy_takes_is_split_without_a_wait() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    let nginx = require_nginx!(&format!(
        "client_max_body_size 100k; location / {{ proxy_pass {}; }}",
        influxd.url()
    ));
    let influx = Influx::start(strict(nginx.url())).unwrap();
    assert!(influx.ping().await.is_ok());
    let long = "x".repeat(2_000);
    for number in 0..2_000 {
        let measurement = Measurement::new("db", "m").field("count", number);
        influx
            .record(measurement.field("long", long.clone()))
            .unwrap();
    }
    let began = Instant::now();
    assert_eq!(settled(&influx).await.written, 2_000);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    assert_eq!(influxd.count("db", "m", "count"), 2_000);
}

#[actix::test]
async fn a_web_server_is_told_from_a_server_for_measurements() {
    let nginx = require_nginx!(
        "error_page 404 405 =200 /page;
         location = /page { default_type text/html; return 200 '<html><title>Welcome</title>'; }"
    );
    let influx = Influx::start(strict(nginx.url())).unwrap();
    let error = influx.ping().await.unwrap_err();
    assert!(matches!(error, PingError::Foreign { .. }), "{error:?}");
    assert!(
        error.to_string().contains("a web page, \"Welcome\""),
        "{error}"
    );
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn a_proxy_before_a_server_that_is_gone_says_so() {
    let nginx = require_nginx!("location / { proxy_pass http://127.0.0.1:1; }");
    let influx = Influx::start(strict(nginx.url())).unwrap();
    let error = influx.ping().await.unwrap_err();
    assert!(
        matches!(error, PingError::Status { status: 502, .. }),
        "{error:?}"
    );
    influx
        .record(Measurement::new("db", "m").field("f", 1))
        .unwrap();
    let report = influx.flush(Duration::from_millis(500)).await;
    assert_eq!((report.undelivered, report.rejected), (1, 0));
    influx.shutdown(Duration::ZERO).await;
}
