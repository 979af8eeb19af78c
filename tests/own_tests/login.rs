use std::time::Duration;

use actix_influxdb::{Config, Influx, InfluxMetrics, Measurement, testing::FakeInflux};
use actix_web::{App, Responder, test, web};

// The handler to be tested. It records with the installed pipeline.
async fn login() -> impl Responder {
    let login = Measurement::new("example", "login")
        .tag("method", "oauth")
        .field("ok", true);
    actix_influxdb::record(login).ok();
    "welcome"
}

#[actix_web::test]
async fn a_login_is_measured() {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url()).tag_hostname(false)).unwrap();
    let _here = influx.install_here(); // on this thread, so that tests can run at the same time
    let metrics = InfluxMetrics::new(&influx, "example");
    let app = App::new()
        .route("/login", web::get().to(login))
        .wrap(metrics);
    let app = test::init_service(app).await;

    let request = test::TestRequest::get().uri("/login").to_request();
    let body = test::call_and_read_body(&app, request).await; // a request ends with its body
    assert_eq!(body, "welcome");
    influx.flush(Duration::from_secs(5)).await; // at once, and not after the interval
    fake.wait_for_points("example", 2, Duration::from_secs(5));

    let points = fake.points("example");
    assert!(points[0].line.starts_with("login,method=oauth ok=t"));
    let request = &points[1];
    assert_eq!(request.measurement, "http_request");
    assert_eq!(request.tag("endpoint"), Some("/login"));
    assert_eq!(request.tag("status_code"), Some("200"));
}
