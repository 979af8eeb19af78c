use actix_web::web;

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn any_word_as_a_method_is_other() {
    let service = Service::start(|app| {
        app.route("/hello", web::to(async || "hello"));
    });
    let mut client = service.connect();
    for method in ["BREW", "get"] {
        assert_eq!(client.request(method, "/hello").response(true).status, 200);
    }
    let points = service.finish();
    let expected = answered("OTHER", "/hello", 200, "ok", 5);
    check(&points, &[expected.clone(), expected]);
}

#[test]
fn no_bytes_of_a_request_make_a_second_line_or_a_new_tag_value() {
    let service = Service::start(|app| {
        app.route("/users/{id}", web::get().to(async || "user"));
    });
    let targets: [&[u8]; 8] = [
        b"/users/a%0Ab%20c=1,d=2",
        b"/users/a,b=c",
        b"/users/%22%5C%00%FF",
        b"/users/1?a=b,c=d%0Aline%20f=1%201",
        b"/users/\xFF\xFE",
        b"/no/such,tag=1%0Aevil%20f=1",
        b"/users/1%",
        b"/users/'\"\\",
    ];
    for target in targets {
        let mut request = b"GET ".to_vec();
        request.extend_from_slice(target);
        request.extend_from_slice(b" HTTP/1.1\r\nHost: a,b=c \"\\\r\nX-Evil: \xFF,a=b\r\n\r\n");
        let mut client = service.connect();
        client.send(&request).read_until(b"\r\n\r\n");
    }
    let long = format!("/users/{}", "x".repeat(8_192));
    service.connect().get(&long);
    let points = service.finish();
    for point in &points {
        let endpoint = point.tag("endpoint").unwrap();
        let (status, bytes) = match endpoint {
            "/users/{id}" => (200, 4),
            _ => (404, 0),
        };
        answered("GET", endpoint, status, "ok", bytes).check(point);
        assert!(["/users/{id}", "unmatched"].contains(&endpoint));
    }
    // Those that actix-web refuses to parse never become requests.
    assert!(points.len() >= 6, "{points:#?}");
}
