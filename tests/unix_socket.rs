//! Unix sockets.

#![cfg(unix)]

mod support;

use std::{os::unix::net::UnixListener, time::Duration};

use actix_influxdb::{BreakerState, Influx};
use support::{
    influxd::Influxd,
    measurement::record,
    pipeline::{LONG, impatient, settled},
    require_influxd,
};
use tempfile::TempDir;

#[actix::test]
async fn a_real_influxd_takes_measurements_through_its_socket_and_after_a_restart() {
    let influxd = require_influxd!(Influxd::builder().unix_socket());
    influxd.create_database("db");
    let url = format!("unix://{}", influxd.socket().display());
    let influx = Influx::start(impatient(url.clone())).unwrap();
    let info = influx.ping().await.unwrap();
    assert_eq!(info.url, url);
    record(&influx, "db", 2_000);
    assert!(influx.flush(LONG).await.is_complete());
    influxd.kill();
    record(&influx, "db", 2_000);
    let report = influx.flush(Duration::from_millis(300)).await;
    assert_eq!((report.undelivered, report.rejected), (2_000, 0));
    assert_eq!(influx.stats().endpoints[0].state, BreakerState::Open);
    influxd.restart();
    assert_eq!(settled(&influx).await.written, 4_000);
    assert_eq!(influxd.count("db", "m", "f"), 4_000);
}

#[actix::test]
async fn a_socket_that_is_not_there_or_that_nobody_listens_on_is_a_server_that_is_not_running() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("influx db.sock");
    let url = format!("unix://{}", path.display().to_string().replace(' ', "%20"));
    for is_there in [false, true] {
        if is_there {
            drop(UnixListener::bind(&path).unwrap());
        }
        let influx = Influx::start(impatient(url.clone())).unwrap();
        record(&influx, "db", 1);
        // No server was ever there: the end does not wait.
        let report = influx.shutdown(LONG).await;
        assert_eq!(report.undelivered, 1);
        let stats = influx.stats();
        let failure = &stats.endpoints[0].last_failure.as_ref().unwrap().reason;
        let file = path.display().to_string();
        assert!(failure.message.contains(&file), "{failure:?}");
        assert_eq!(stats.endpoints[0].url, url);
    }
}
