use actix_web::{HttpResponse, web};
use futures_util::stream;

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn a_request_is_one_measurement_with_all_its_tags_and_fields() {
    let service = Service::start(|app| {
        app.route("/hello", web::get().to(async || "hello"));
    });
    assert_eq!(service.connect().get("/hello").body, b"hello");
    check(
        &service.finish(),
        &[answered("GET", "/hello", 200, "ok", 5)],
    );
}

#[test]
fn the_measurement_has_the_name_and_the_database_that_it_is_given() {
    let service = Service::start_influx(|influx| {
        let metrics = actix_influxdb::InfluxMetrics::new(influx, "other".to_owned());
        let routes = |app: &mut web::ServiceConfig| {
            app.route("/hello", web::get().to(async || "hello"));
        };
        (metrics.measurement("my-service"), routes)
    });
    service.connect().get("/hello");
    let points = service.finish_in(["other"]).pop().unwrap();
    let mut expected = answered("GET", "/hello", 200, "ok", 5);
    expected.measurement = "my-service";
    check(&points, &[expected]);
}

#[test]
fn a_stream_is_recorded_when_it_has_ended_with_the_bytes_of_all_its_chunks() {
    let service = Service::start(|app| {
        app.route(
            "/stream",
            web::get().to(async || {
                let chunks =
                    ["one", "three", ""].map(|text| Ok::<_, actix_web::Error>(text.into()));
                HttpResponse::Ok().streaming(stream::iter(chunks))
            }),
        );
    });
    let mut client = service.connect();
    client
        .request("GET", "/stream")
        .read_until(b"\r\n0\r\n\r\n");
    check(
        &service.finish(),
        &[answered("GET", "/stream", 200, "ok", 8)],
    );
}

#[test]
fn a_redirect_and_a_client_error_are_ok_because_the_service_did_its_work() {
    let service = Service::start(|app| {
        app.route(
            "/old",
            web::get().to(async || HttpResponse::Found().finish()),
        );
        app.route(
            "/bad",
            web::get().to(async || HttpResponse::BadRequest().body("no")),
        );
    });
    let mut client = service.connect();
    assert_eq!(client.get("/old").status, 302);
    assert_eq!(client.get("/bad").status, 400);
    check(
        &service.finish(),
        &[
            answered("GET", "/old", 302, "ok", 0),
            answered("GET", "/bad", 400, "ok", 2),
        ],
    );
}
