use std::future;

use actix_web::{HttpResponse, http::StatusCode, web};
use futures_util::stream;

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn a_head_request_is_ok_and_has_sent_no_content() {
    let service = Service::start(|app| {
        app.route("/hello", web::head().to(async || "hello"));
    });
    let mut client = service.connect();
    assert_eq!(client.request("HEAD", "/hello").response(false).status, 200);
    check(
        &service.finish(),
        &[answered("HEAD", "/hello", 200, "ok", 0)],
    );
}

#[test]
fn statuses_without_content_are_ok() {
    let service = Service::start(|app| {
        app.route("/204", web::get().to(async || HttpResponse::NoContent()));
        app.route("/304", web::get().to(async || HttpResponse::NotModified()));
        app.route("/empty", web::get().to(async || ""));
        app.route(
            "/finished",
            web::get().to(async || HttpResponse::Ok().finish()),
        );
    });
    let mut client = service.connect();
    for target in ["/204", "/304", "/empty", "/finished"] {
        client.get(target);
    }
    check(
        &service.finish(),
        &[
            answered("GET", "/204", 204, "ok", 0),
            answered("GET", "/304", 304, "ok", 0),
            answered("GET", "/empty", 200, "ok", 0),
            answered("GET", "/finished", 200, "ok", 0),
        ],
    );
}

#[test]
fn an_upgrade_is_recorded_with_its_handshake_not_when_the_connection_ends() {
    let service = Service::start(|app| {
        app.route(
            "/socket",
            web::get().to(async || {
                let frames = stream::once(future::pending::<actix_web::Result<web::Bytes>>());
                let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
                response.upgrade("websocket").streaming(frames)
            }),
        );
    });
    let mut client = service.connect();
    client.send(
        "GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         \r\n",
    );
    assert_eq!(client.response(false).status, 101);
    service.wait_for(1);
    client.vanish();
    check(
        &service.finish(),
        &[answered("GET", "/socket", 101, "ok", 0)],
    );
}
