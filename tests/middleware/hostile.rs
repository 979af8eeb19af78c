use std::collections::BTreeSet;

use actix_influxdb::{
    Placement,
    testing::{Point, Value},
};
use actix_web::{
    rt,
    web::{self, ServiceConfig},
};

use crate::{
    expect::{answered, check},
    http2,
    service::Service,
};

/// What has a meaning in the line protocol or in HTTP, or none anywhere.
const HOSTILE: [&[u8]; 16] = [
    b"\n",
    b"a\nevil,tag=1 f=1 1",
    b"a\r\nevil: f=1",
    b"%0Aevil%20f=1%201%0A",
    b",",
    b"a,b=c",
    b"=",
    b" ",
    b"a b=1 2",
    b"\"",
    b"'\"\\",
    b"\\",
    b"\xff\xfe",
    b"%00%FF",
    b"\0",
    b"\t",
];
const LARGE: [u8; 8_192] = [b'x'; 8_192];

/// A request with `evil` in one place, then the one in which it is.
type Place = fn(&[u8]) -> Vec<u8>;

const PLACES: [(&str, Place); 9] = [
    ("a path", |evil| request(b"GET", &[b"/users/", evil], b"")),
    ("another path", |evil| request(b"GET", &[b"/", evil], b"")),
    ("a query", |evil| {
        request(b"GET", &[b"/users/1?", evil], b"")
    }),
    ("a method", |evil| request(evil, &[b"/users/1"], b"")),
    ("part of a method", |evil| {
        request(&[b"GET", evil].concat(), &[b"/users/1"], b"")
    }),
    ("a header", |evil| with_header(b"X-Any", evil)),
    ("the host", |evil| with_header(b"Host", evil)),
    ("an id", |evil| with_header(b"X-Request-ID", evil)),
    ("an address", |evil| with_header(b"X-Forwarded-For", evil)),
];

fn request(method: &[u8], target: &[&[u8]], header: &[u8]) -> Vec<u8> {
    let target = target.concat();
    let host: &[u8] = match header.starts_with(b"Host") {
        true => b"",
        false => b"\r\nHost: x",
    };
    let parts: [&[u8]; 7] = [method, b" ", &target, b" HTTP/1.1", host, b"\r\n", header];
    [&parts.concat()[..], b"\r\n\r\n"].concat()
}

fn with_header(name: &[u8], value: &[u8]) -> Vec<u8> {
    request(b"GET", &[b"/users/1"], &[name, b": ", value].concat())
}

fn routes(app: &mut ServiceConfig) {
    app.route("/users/{id}", web::to(async || "user"));
}

/// Sends all that is hostile in each place, to a service with clients' text in `placement`. The
/// measurements, of which there is one for each request that was served.
fn attack(placement: Placement) -> Vec<Point> {
    let build = |metrics: actix_influxdb::InfluxMetrics| {
        metrics
            .trust_forwarded(true)
            .remote_ip(placement)
            .correlation_id("x-request-id", placement)
    };
    let service = Service::start_with(build, routes);
    let mut served = 0;
    for (place, build) in PLACES {
        let mut served_here = 0;
        for evil in HOSTILE.into_iter().chain([&LARGE[..]]) {
            let mut client = service.connect();
            client.send(build(evil)).close_sending();
            let answer = client.read_to_end();
            // What is no HTTP is answered by the connection, and never becomes a request.
            served_here += count(&answer, b"HTTP/1.1 200 ") + count(&answer, b"HTTP/1.1 404 ");
        }
        assert!(served_here > 0, "nothing hostile gets through in {place}");
        served += served_here;
    }
    let points = service.finish();
    assert_eq!(points.len(), served, "one line per request");
    points
}

fn count(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|it| *it == part).count()
}

fn values<'a>(points: &'a [Point], key: &str) -> BTreeSet<&'a str> {
    points.iter().filter_map(|point| point.tag(key)).collect()
}

/// Is it what is left of a client's text: visible, and not much?
fn is_tame(text: &str) -> bool {
    text.len() <= 128 && !text.chars().any(char::is_control)
}

#[test]
fn no_bytes_of_a_request_make_a_second_line_or_a_new_tag_value() {
    let points = attack(Placement::Field);
    assert_eq!(values(&points, "method"), ["GET", "OTHER"].into());
    assert_eq!(
        values(&points, "endpoint"),
        ["/users/{id}", "unmatched"].into()
    );
    assert_eq!(values(&points, "status_code"), ["200", "404"].into());
    for point in &points {
        let tag = |key| point.tag(key).unwrap();
        let (status, bytes) = match tag("endpoint") {
            "unmatched" => (404, 0),
            _ => (200, 4),
        };
        let expected = answered(tag("method"), tag("endpoint"), status, "ok", bytes);
        let mut expected = expected.without("remote_ip");
        for key in ["remote_ip", "correlation_id"] {
            if let Some(text) = point.field(key).and_then(Value::as_str) {
                assert!(is_tame(text), "{text:?}");
                expected = expected.field(key, text);
            }
        }
        expected.check(point);
    }
}

#[test]
fn text_of_clients_that_is_wanted_in_tags_stays_in_its_tag() {
    let points = attack(Placement::Tag);
    for point in &points {
        let tag = |key| point.tag(key).unwrap();
        let bytes = match tag("endpoint") {
            "unmatched" => 0,
            _ => 4,
        };
        let status = tag("status_code").parse().unwrap();
        let expected = answered(tag("method"), tag("endpoint"), status, "ok", bytes);
        let mut expected = expected.without("remote_ip");
        for key in ["remote_ip", "correlation_id"] {
            if let Some(text) = point.tag(key) {
                assert!(is_tame(text), "{text:?}");
                expected = expected.tag(key, text);
            }
        }
        expected.check(point);
    }
    let ids = values(&points, "correlation_id");
    assert!(ids.contains("a,b=c") && ids.contains("a b=1 2"), "{ids:?}");
}

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
fn a_hostile_request_of_http2_is_one_line_too() {
    let service = Service::start(routes);
    rt::System::new().block_on(async {
        let mut client = http2::connect(&service).await;
        let mut request = http2::request("BREW-it", "/users/a,b=%0Ac?d='e',f=g");
        for name in ["x-any", "x-request-id"] {
            let value = http::HeaderValue::from_bytes(b"a,b=c \"\\\t\xff").unwrap();
            request.headers_mut().insert(name, value);
        }
        let sent = client.send_request(request, true);
        let (response, _) = sent.unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
    let expected = answered("OTHER", "/users/{id}", 200, "ok", 4);
    let id = "a,b=c \"\\\u{fffd}\u{fffd}";
    check(&service.finish(), &[expected.field("correlation_id", id)]);
}
