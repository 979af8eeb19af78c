//! Requests in all their forms.

use std::time::Instant;

use actix_influxdb::testing::FakeInflux;

use crate::client::{Client, Cut, MOMENT};

#[test]
fn a_ping_is_answered_with_the_version() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    let pong = client.get("/ping").response();
    assert_eq!(
        (pong.status, pong.header("x-influxdb-version")),
        (204, Some("1.6.7"))
    );
    client.send("HEAD /ping HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().status, 204);
    assert_eq!(client.get("/health").response().status, 200);
    assert_eq!((influx.request_count(), influx.write_count()), (3, 0));
}

#[test]
fn other_paths_methods_and_queries_are_refused_as_1_6_7_does() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    let mut answer = |target: &str| {
        let response = client.get(target).response();
        (response.status, response.text().to_owned())
    };
    assert_eq!(answer("/nope"), (404, "404 page not found\n".to_owned()));
    assert_eq!(
        answer("/write/?db=d"),
        (404, "404 page not found\n".to_owned())
    );
    assert_eq!(
        answer("/write?db=d"),
        (405, "Method Not Allowed\n".to_owned())
    );
    let missing = "{\"error\":\"missing required parameter \\\"q\\\"\"}\n";
    assert_eq!(answer("/query"), (400, missing.to_owned()));
    assert_eq!(answer("/query?q=FOO").0, 400);
    let none = "{\"results\":[{\"series\":[{\"columns\":[\"name\"],\"name\":\"databases\",\
                \"values\":[]}],\"statement_id\":0}]}\n";
    assert_eq!(answer("/query?q=SHOW+DATABASES"), (200, none.to_owned()));
}

#[test]
fn a_request_is_recorded_as_it_was_sent() {
    let influx = FakeInflux::start();
    let before = Instant::now();
    let mut client = Client::new(&influx);
    client.post_to(
        "/write?db=a%26b&precision=s&db=c",
        "X-Id: One\r\nx-id: Two\r\n",
        b"m v=1 1",
    );
    client.response();
    client.get("/ping").response();
    Client::new(&influx).get("/ping").response();

    let requests = influx.requests();
    let first = &requests[0];
    assert_eq!(
        (first.method.as_str(), first.path.as_str()),
        ("POST", "/write")
    );
    assert_eq!(
        (first.param("db"), first.param("precision")),
        (Some("a&b"), Some("s"))
    );
    assert_eq!((first.param("rp"), first.query.len()), (None, 3));
    assert_eq!(
        (first.header("x-id"), first.header("content-length")),
        (Some("One"), Some("7"))
    );
    assert_eq!(
        (&first.body[..], first.text().as_str()),
        (&b"m v=1 1"[..], "m v=1 1")
    );
    assert_eq!((first.status, first.is_write()), (Some(204), true));
    assert!(first.received_at >= before && first.received_at <= Instant::now());
    assert_eq!(
        requests.iter().map(|it| it.connection).collect::<Vec<_>>(),
        [1, 1, 2]
    );
    assert_eq!(influx.connection_count(), 2);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    let one = "POST /write?db=d HTTP/1.1\r\nContent-Length: 7\r\n\r\nm v=1 1";
    let two = "GET /nope HTTP/1.1\r\n\r\n";
    let three = "POST /write?db=d HTTP/1.1\r\nContent-Length: 3\r\n\r\nbad";
    client.send([one, two, three].concat());
    let statuses = [(); 3].map(|()| client.response().status);
    assert_eq!(statuses, [204, 404, 400]);
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    for byte in b"POST /write?db=d HTTP/1.1\r\nContent-Length: 7\r\n\r\nm v=1 1" {
        client.send([*byte]);
    }
    assert_eq!(client.response().status, 204);
    assert_eq!(influx.count("d"), 1);
}

#[test]
fn chunked_bodies_are_put_together() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    client.send("POST /write?db=d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    client
        .send("2;x=y\r\nm \r\n")
        .send("5\r\nv=1 1\r\n")
        .send("0\r\nTrailer: x\r\n\r\n");
    assert_eq!(client.response().status, 204);
    assert_eq!(influx.requests()[0].text(), "m v=1 1");
    assert_eq!(client.post("d", "m v=1 2").response().status, 204);
}

#[test]
fn a_client_that_expects_to_be_told_to_continue_is_told() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    client.send("POST /write?db=d HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n");
    assert_eq!(client.response().status, 100);
    assert_eq!(client.send("m v=1 1").response().status, 204);
}

#[test]
fn a_connection_is_closed_when_the_client_wants_it() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    client.post_to("/write?db=d", "Connection: close\r\n", b"m v=1 1");
    assert_eq!(client.response().status, 204);
    assert_eq!(client.end(), Cut::End(Vec::new()));

    let mut old = Client::new(&influx);
    old.send("GET /ping HTTP/1.0\r\n\r\n");
    assert_eq!(old.response().status, 204);
    assert_eq!(old.end(), Cut::End(Vec::new()));
}

#[test]
fn what_is_not_http_is_answered_400_and_the_connection_closed() {
    let head = "POST /write?db=d HTTP/1.1\r\n";
    let malformed: [Vec<u8>; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(),
        b"PO ST /wr ite HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/9\r\n\r\n".to_vec(),
        format!("{head}Content-Length: x\r\n\r\n").into(),
        format!("{head}Content-Length: -1\r\n\r\n").into(),
        format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n").into(),
        format!("{head}Transfer-Encoding: gzip\r\n\r\n").into(),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n").into(),
        format!("{head}X: {}\r\n\r\n", "y".repeat(100_000)).into(),
    ];
    let influx = FakeInflux::start();
    for bytes in malformed {
        let mut client = Client::new(&influx);
        client.send(&bytes);
        let response = client.response();
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!(
            (response.status, response.text()),
            (400, "400 Bad Request"),
            "{text}"
        );
        assert_eq!(client.end(), Cut::End(Vec::new()), "{text}");
    }
    assert_eq!(influx.write_count(), 0);
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_request_leaves_no_trace() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx).patience(MOMENT);
    client.send("POST /write?db=d HTTP/1.1\r\nContent-Length: 700\r\n\r\nm v=1 1\n");
    assert_eq!(client.end(), Cut::Silence(Vec::new()));
    drop(client);
    Client::new(&influx).get("/ping").response();
    assert_eq!((influx.request_count(), influx.count("d")), (1, 0));
}
