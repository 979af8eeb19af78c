use actix_influxdb::RequestMeasurement;
use actix_web::{http::StatusCode, web};

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn paths_patterns_and_statuses_are_left_out() {
    let service = Service::start_with(
        |metrics| {
            let metrics = metrics.exclude("/health").exclude("/ready");
            let metrics = metrics.exclude_regex(r"^/static/.*\.css$");
            metrics.exclude_status(StatusCode::NOT_FOUND)
        },
        |app| {
            app.route("/{path:.*}", web::get().to(async || "ok"));
        },
    );
    let mut client = service.connect();
    for target in [
        "/health",
        "/ready?deep=1",
        "/static/a.css",
        "/static/a.js",
        "/x",
    ] {
        assert_eq!(client.get(target).status, 200);
    }
    let post = client.request("POST", "/x").response(true);
    assert_eq!(post.status, 404);
    let expected = answered("GET", "/{path:.*}", 200, "ok", 2);
    check(&service.finish(), &[expected.clone(), expected]);
}

#[test]
fn handlers_of_excluded_requests_still_get_a_measurement_that_goes_nowhere() {
    let service = Service::start_with(
        |metrics| metrics.exclude("/health"),
        |app| {
            let handler = async |m: RequestMeasurement| {
                m.set_tag("tier", "gold");
                "ok"
            };
            app.route("/{path}", web::get().to(handler));
        },
    );
    let mut client = service.connect();
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(client.get("/other").status, 200);
    check(
        &service.finish(),
        &[answered("GET", "/{path}", 200, "ok", 2).tag("tier", "gold")],
    );
}
