use std::time::Duration;

use actix_influxdb::{Config, Influx, InfluxMetrics, RequestMeasurement, testing::FakeInflux};
use actix_web::{App, test, web};

use crate::logger;

const LONG: Duration = Duration::from_secs(30);

/// Two requests of a service that is wrapped with `influx`, and their answers.
async fn serve(influx: &Influx) {
    let app = App::new()
        .route("/", web::get().to(async || "ok"))
        .wrap(InfluxMetrics::new(influx, "db"));
    let app = test::init_service(app).await;
    for _ in 0..2 {
        let request = test::TestRequest::get().uri("/").to_request();
        assert_eq!(test::call_and_read_body(&app, request).await, "ok");
    }
}

#[actix_web::test]
async fn a_full_buffer_leaves_the_response_alone_and_is_counted() {
    let fake = FakeInflux::start();
    fake.refuse();
    let config = Config::v1(fake.url())
        .max_buffer_size(1)
        .trigger_size(1)
        .max_batch_size(1);
    let influx = Influx::start(config.interval(LONG)).unwrap();
    serve(&influx).await;
    let stats = influx.stats();
    assert!(stats.balanced(), "{stats}");
    assert_eq!(
        (stats.recorded, stats.dropped.buffer_full),
        (2, 1),
        "{stats:?}"
    );
    fake.accept_again();
    assert!(influx.shutdown(LONG).await.is_complete());
    assert_eq!(fake.received_count("db"), 1);
}

#[actix_web::test]
async fn delivery_that_has_ended_leaves_the_response_alone_and_is_counted() {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url())).unwrap();
    influx.shutdown(LONG).await;
    serve(&influx).await;
    let stats = influx.stats();
    assert!(stats.balanced(), "{stats}");
    assert_eq!(
        (stats.recorded, stats.dropped.stopping),
        (2, 2),
        "{stats:?}"
    );
}

#[actix_web::test]
async fn a_field_that_influxdb_does_not_take_loses_the_measurement_and_not_the_response() {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url())).unwrap();
    logger::install();
    let handler = async |m: RequestMeasurement| {
        m.set_field("time", 1);
        "ok"
    };
    let long = format!("lost{}", "m".repeat(5_000));
    let app = App::new()
        .route("/", web::get().to(handler))
        .wrap(InfluxMetrics::new(&influx, "db").measurement(long));
    let app = test::init_service(app).await;
    let request = || test::TestRequest::get().uri("/").to_request();
    for _ in 0..3 {
        assert_eq!(test::call_and_read_body(&app, request()).await, "ok");
    }
    // It is told once, and not at any length.
    let [logged] = logger::logged_with("lostmmm").try_into().unwrap();
    assert!(logged.starts_with("ERROR requests are not recorded because of"));
    assert!(logged.len() < 700, "{logged}");
    let stats = influx.stats();
    assert!(stats.balanced(), "{stats}");
    assert_eq!((stats.recorded, stats.dropped.invalid), (3, 3), "{stats:?}");
}
