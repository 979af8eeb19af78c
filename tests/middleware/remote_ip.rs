use actix_influxdb::Placement;
use actix_web::web::{self, ServiceConfig};

use crate::{
    expect::{Expected, answered, check},
    service::Service,
};

fn routes(app: &mut ServiceConfig) {
    app.route("/", web::get().to(async || "ok"));
}

fn expected() -> Expected {
    answered("GET", "/", 200, "ok", 2)
}

const FORWARDED: &str =
    "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\n\r\n";

#[test]
fn it_is_a_tag_or_left_out_if_that_is_asked_for() {
    for placement in [Placement::Tag, Placement::Omit] {
        let service = Service::start_with(|metrics| metrics.remote_ip(placement), routes);
        service.connect().get("/");
        let expected = expected().without("remote_ip");
        let expected = match placement {
            Placement::Tag => expected.tag("remote_ip", "127.0.0.1"),
            _ => expected,
        };
        check(&service.finish(), &[expected]);
    }
}

#[test]
fn headers_about_it_are_not_trusted() {
    let service = Service::start(routes);
    service.connect().send(FORWARDED).response(true);
    check(&service.finish(), &[expected()]);
}

#[test]
fn headers_about_it_are_trusted_if_that_is_asked_for() {
    let service = Service::start_with(|metrics| metrics.trust_forwarded(true), routes);
    let mut client = service.connect();
    client.send(FORWARDED).response(true);
    client.get("/");
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nForwarded: for={}\r\n\r\n",
        "f".repeat(500)
    );
    client.send(long).response(true);
    check(
        &service.finish(),
        &[
            expected().field("remote_ip", "203.0.113.9"),
            expected(),
            expected().field("remote_ip", "f".repeat(128).as_str()),
        ],
    );
}
