//! Development without a server: nobody listens, and nobody ever did.

mod support;

use std::time::{Duration, Instant};

use actix_influxdb::{Influx, testing::FakeInflux};
use log::{Level, LevelFilter};
use support::{
    logger,
    measurement::record,
    pipeline::{LONG, impatient, quiet},
};
use tokio::time::timeout;

/// Where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Far more than an end takes that waits for nobody, and far less than one that waits.
const SOON: Duration = Duration::from_secs(3);

#[actix::test]
async fn an_end_does_not_wait_for_a_server_that_was_never_there() {
    logger::install(LevelFilter::Info);
    for urls in [nobody(), format!("{},{}", nobody(), nobody())] {
        let influx = Influx::start(impatient(&urls)).unwrap();
        record(&influx, "db", 3);
        influx.flush(Duration::from_millis(300)).await;
        logger::take();
        let began = Instant::now();
        let report = influx.shutdown(LONG).await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert_eq!(report.undelivered, 3);
        assert_eq!(influx.stats().dropped.undelivered, 3);
        let mut lines = logger::take();
        lines.retain(|line| line.level == Level::Error);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        for words in [
            "delivery has ended with 3 measurements undelivered (3 of db): no server was ever reachable",
            &urls.replace(',', " or "),
            "is the server running, and is the URL right?",
        ] {
            assert!(lines[0].text.contains(words), "{lines:#?}");
        }
    }
}

#[actix::test]
async fn an_end_tries_once_more_before_it_waits_for_nobody() {
    let fake = FakeInflux::start();
    fake.refuse();
    // Long pauses: without the call nothing would be tried soon.
    let influx =
        Influx::start(quiet(fake.url()).max_retry_delay(Duration::from_secs(600))).unwrap();
    record(&influx, "db", 3);
    influx.flush(Duration::from_millis(300)).await;
    fake.accept_again();
    assert!(influx.shutdown(LONG).await.is_complete());
    assert_eq!(fake.count("db"), 3);
}

#[actix::test]
async fn an_end_waits_for_a_server_that_was_there_once() {
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 1);
    assert!(influx.flush(LONG).await.is_complete());
    fake.refuse();
    fake.close_idle();
    record(&influx, "db", 3);
    let mut ended = std::pin::pin!(influx.shutdown(LONG));
    // It is refused several times meanwhile.
    let early = timeout(Duration::from_millis(700), &mut ended).await;
    assert!(early.is_err(), "{early:?}");
    fake.accept_again();
    assert!(ended.await.is_complete());
    assert_eq!(fake.count("db"), 4);
}
