use actix_influxdb::Placement;
use actix_web::{HttpResponse, web, web::ServiceConfig};

use crate::{
    expect::{Expected, answered, check},
    service::Service,
};

fn routes(app: &mut ServiceConfig) {
    app.route("/", web::get().to(async || "ok"));
    app.route(
        "/given",
        web::get().to(async || {
            HttpResponse::Ok()
                .insert_header(("x-request-id", "made"))
                .body("ok")
        }),
    );
}

fn request(target: &str, header: &str, value: &[u8]) -> Vec<u8> {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{header}: ").into_bytes();
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n\r\n");
    request
}

fn expected(endpoint: &str) -> Expected {
    answered("GET", endpoint, 200, "ok", 2)
}

#[test]
fn it_is_a_field_from_the_request_or_else_from_the_response() {
    let service = Service::start(routes);
    let mut client = service.connect();
    client
        .send(request("/", "X-Request-ID", b"7f-1"))
        .response(true);
    client
        .send(request("/given", "X-Request-ID", b"7f-2"))
        .response(true);
    client
        .send(request("/given", "X-Other", b"7f-3"))
        .response(true);
    client
        .send(request("/", "X-Correlation-ID", b"7f-4"))
        .response(true);
    check(
        &service.finish(),
        &[
            expected("/").field("correlation_id", "7f-1"),
            expected("/given").field("correlation_id", "7f-2"),
            expected("/given").field("correlation_id", "made"),
            expected("/"),
        ],
    );
}

#[test]
fn its_header_and_place_can_be_chosen() {
    let service = Service::start_with(
        |metrics| metrics.correlation_id("X-Correlation-ID", Placement::Tag),
        routes,
    );
    let mut client = service.connect();
    client
        .send(request("/", "X-Correlation-ID", b"a b,c=d"))
        .response(true);
    client
        .send(request("/", "X-Request-ID", b"7f-1"))
        .response(true);
    check(
        &service.finish(),
        &[
            expected("/").tag("correlation_id", "a b,c=d"),
            expected("/"),
        ],
    );
    let service = Service::start_with(
        |metrics| metrics.correlation_id("X-Request-ID", Placement::Omit),
        routes,
    );
    service
        .connect()
        .send(request("/", "X-Request-ID", b"7f-1"))
        .response(true);
    check(&service.finish(), &[expected("/")]);
}

#[test]
fn it_is_bounded_and_what_is_not_text_is_replaced() {
    let service = Service::start(routes);
    let mut client = service.connect();
    client
        .send(request("/", "X-Request-ID", &[b'x'; 4_096]))
        .response(true);
    client
        .send(request("/", "X-Request-ID", b"a\xff\tb\"\\"))
        .response(true);
    check(
        &service.finish(),
        &[
            expected("/").field("correlation_id", "x".repeat(128).as_str()),
            expected("/").field("correlation_id", "a\u{fffd}\u{fffd}b\"\\"),
        ],
    );
}

#[test]
fn headers_of_64_kib_leave_128_bytes_each_in_a_field_or_in_a_tag() {
    for placement in [Placement::Field, Placement::Tag] {
        let service = Service::start_with(
            |metrics| {
                let metrics = metrics.correlation_id("X-Request-ID", placement);
                metrics.remote_ip(placement).trust_forwarded(true)
            },
            routes,
        );
        let [id, address] = ["i", "a"].map(|letter| letter.repeat(65_536 - 32));
        let mut client = service.connect();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: {id}\r\nForwarded: for={address}\r\n\r\n"
        );
        assert_eq!(client.send(request).response(true).status, 200);
        let [id, address] = [&id[..128], &address[..128]];
        let expected = expected("/").without("remote_ip");
        let expected = match placement {
            Placement::Tag => expected.tag("correlation_id", id).tag("remote_ip", address),
            _ => expected
                .field("correlation_id", id)
                .field("remote_ip", address),
        };
        check(&service.finish(), &[expected]);
    }
}
