use actix_web::web;

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn each_request_of_a_connection_is_one_measurement() {
    let service = Service::start(|app| {
        app.route(
            "/{number}",
            web::get().to(async |path: web::Path<String>| path.into_inner()),
        );
    });
    let mut client = service.connect();
    for number in ["/1", "/22", "/333"] {
        assert_eq!(client.get(number).body, number.as_bytes()[1..]);
    }
    check(
        &service.finish(),
        &[1, 2, 3].map(|bytes| answered("GET", "/{number}", 200, "ok", bytes)),
    );
}

#[test]
fn each_request_of_a_pipeline_is_one_measurement() {
    let service = Service::start(|app| {
        app.route("/a", web::get().to(async || "a"));
        app.route("/b", web::post().to(async |body: web::Bytes| body));
    });
    let mut client = service.connect();
    client.send(
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\n\
         POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nfoo\
         GET /c HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    let statuses = [(); 3].map(|()| client.response(true).status);
    assert_eq!(statuses, [200, 200, 404]);
    check(
        &service.finish(),
        &[
            answered("GET", "/a", 200, "ok", 1),
            answered("POST", "/b", 200, "ok", 3),
            answered("GET", "unmatched", 404, "ok", 0),
        ],
    );
}
