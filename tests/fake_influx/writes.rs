//! What is stored, and what is said about what isn't.

use std::{collections::BTreeMap, io::Write as _};

use actix_influxdb::testing::{FakeInflux, Value};
use flate2::{Compression, write::GzEncoder};

use crate::client::{Client, write};

#[test]
fn a_good_line_is_stored_and_answered_204() {
    let influx = FakeInflux::start();
    let response = write(&influx, "d", "m,b=2,a=1 f=1.5,i=7i,t=true,s=\"a\nb\" 5\n");
    assert_eq!(response.status, 204);
    assert_eq!(response.header("x-influxdb-version"), Some("1.6.7"));
    assert_eq!(response.header("content-length"), None);

    let points = influx.points("d");
    assert_eq!(points.len(), 1);
    let point = &points[0];
    assert_eq!(point.measurement, "m");
    assert_eq!(
        (point.tag("a"), point.tag("b"), point.tag("c")),
        (Some("1"), Some("2"), None)
    );
    let fields: BTreeMap<_, Value> = BTreeMap::from([
        ("f".to_owned(), 1.5.into()),
        ("i".to_owned(), 7_i64.into()),
        ("s".to_owned(), "a\nb".into()),
        ("t".to_owned(), true.into()),
    ]);
    assert_eq!(point.fields, fields);
    assert_eq!(point.timestamp, Some(5));
    assert_eq!(point.retention_policy, None);
    assert_eq!(point.line, "m,b=2,a=1 f=1.5,i=7i,t=true,s=\"a\nb\" 5");
    assert_eq!(influx.databases(), ["d"]);
}

#[test]
fn the_bodies_of_errors_are_those_of_1_6_7() {
    let influx = FakeInflux::start();
    let answer = |target: &str, body: &[u8]| {
        let response = Client::new(&influx).post_to(target, "", body).response();
        let error = response.header("x-influxdb-error").map(str::to_owned);
        (
            response.status,
            response.text().to_owned(),
            error.unwrap_or_default(),
        )
    };
    let seen = |target, body, status, text: &str, header: &str| {
        let found = answer(target, body);
        assert_eq!(
            found,
            (status, text.to_owned(), header.to_owned()),
            "{body:?}"
        );
    };

    seen(
        "/write?db=d",
        b"bad line\ngood v=1 1\nbad2 x",
        400,
        "{\"error\":\"partial write: unable to parse 'bad line': invalid field format\\nunable to \
         parse 'bad2 x': invalid field format dropped=0\"}\n",
        "partial write: unable to parse 'bad line': invalid field format unable to parse 'bad2 x': \
         invalid field format dropped=0",
    );
    seen(
        "/write?db=d",
        b"bad",
        400,
        "{\"error\":\"unable to parse 'bad': missing fields\"}\n",
        "unable to parse 'bad': missing fields",
    );
    seen("/write?db=d", b"c f=1 1", 204, "", "");
    seen(
        "/write?db=d",
        b"c f=\"s\" 2\nbad\ngood v=2 2",
        400,
        "{\"error\":\"partial write: field type conflict: input field \\\"f\\\" on measurement \
         \\\"c\\\" is type string, already exists as type float dropped=1\"}\n",
        "partial write: field type conflict: input field \"f\" on measurement \"c\" is type string, \
         already exists as type float dropped=1",
    );
    let required = (
        "{\"error\":\"database is required\"}\n",
        "database is required",
    );
    seen("/write", b"m v=1", 400, required.0, required.1);
    seen("/write?db=", b"m v=1", 400, required.0, required.1);
    for nothing in ["", "# comment\n#\n", "\n\n  \n"] {
        seen("/write?db=d", nothing.as_bytes(), 204, "", "");
    }
    assert_eq!(influx.count("d"), 3);
}

#[test]
fn repeated_points_are_stored_once_and_received_twice() {
    let influx = FakeInflux::start();
    write(&influx, "d", "m v=1 1\nm v=1 2\n");
    write(&influx, "d", "m v=1 2\nm,t=x v=1 2\n");
    assert_eq!((influx.count("d"), influx.received_count("d")), (3, 4));
    let stamps: Vec<_> = influx
        .received("d")
        .iter()
        .map(|point| point.timestamp)
        .collect();
    assert_eq!(stamps, [Some(1), Some(2), Some(2), Some(2)]);
}

#[test]
fn retention_policies_are_kept_apart() {
    let influx = FakeInflux::start();
    Client::new(&influx)
        .post_to("/write?db=d&rp=week", "", b"m v=1 1")
        .response();
    write(&influx, "d", "m v=1 1");
    let policies: Vec<_> = influx
        .points("d")
        .into_iter()
        .map(|point| point.retention_policy)
        .collect();
    assert_eq!(policies, [Some("week".to_owned()), None]);
}

#[test]
fn v2_and_v3_writes_are_understood() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    let v2 = "/api/v2/write?org=o&bucket=b%20c&precision=us";
    assert_eq!(client.post_to(v2, "", b"m v=7u 5").response().status, 204);
    let v3 = "/api/v3/write_lp?db=b+c&precision=second";
    assert_eq!(client.post_to(v3, "", b"m v=8u 5").response().status, 204);
    let stamps: Vec<_> = influx
        .points("b c")
        .iter()
        .map(|point| point.timestamp)
        .collect();
    assert_eq!(stamps, [Some(5_000), Some(5_000_000_000)]);

    let bad = client
        .post_to("/api/v3/write_lp?db=b&precision=ms", "", b"m v=1 5")
        .response();
    assert_eq!(
        (bad.status, bad.text()),
        (400, "{\"error\":\"invalid precision: ms\"}\n")
    );
}

#[test]
fn a_missing_database_is_404_until_it_is_created() {
    let influx = FakeInflux::start();
    influx.without_database("no\"pe");
    let mut client = Client::new(&influx);
    let missing = client.post("no%22pe", "m v=1 1").response();
    assert_eq!(missing.status, 404);
    assert_eq!(
        missing.text(),
        "{\"error\":\"database not found: \\\"no\\\\\\\"pe\\\"\"}\n"
    );
    assert_eq!(client.post("other", "m v=1 1").response().status, 204);

    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let query = b"q=CREATE+DATABASE+%22no%5C%22pe%22";
    let created = client.post_to("/query", form, query).response();
    assert_eq!(
        (created.status, created.text()),
        (200, "{\"results\":[{\"statement_id\":0}]}\n")
    );
    assert_eq!(client.post("no%22pe", "m v=1 1").response().status, 204);
    assert_eq!(influx.databases(), ["no\"pe", "other"]);

    influx.without_database("other");
    assert_eq!(client.post("other", "m v=1 1").response().status, 404);
    influx.create_database("other");
    assert_eq!(client.post("other", "m v=1 1").response().status, 204);
}

#[test]
fn requests_without_the_credentials_are_401() {
    let influx = FakeInflux::start();
    influx.require_auth("ada", "l:ove");
    let status = |headers: &str, target: &str| {
        let response = Client::new(&influx)
            .post_to(target, headers, b"m v=1 1")
            .response();
        (response.status, response.text().to_owned())
    };
    let unparsed = "{\"error\":\"unable to parse authentication credentials\"}\n".to_owned();
    let failed = "{\"error\":\"authorization failed\"}\n".to_owned();
    let target = "/write?db=d";
    assert_eq!(status("", target), (401, unparsed.clone()));
    assert_eq!(
        status("Authorization: Basic %%%\r\n", target),
        (401, unparsed)
    );
    // `ada:no`, `ada:l:ove`
    assert_eq!(
        status("Authorization: Basic YWRhOm5v\r\n", target),
        (401, failed.clone())
    );
    assert_eq!(
        status("Authorization: basic YWRhOmw6b3Zl\r\n", target).0,
        204
    );
    assert_eq!(status("", "/write?db=d&u=ada&p=l:ove").0, 204);
    assert_eq!(
        status("Authorization: Token t\r\n", target),
        (401, failed.clone())
    );

    influx.require_token("t");
    assert_eq!(status("Authorization: Token t\r\n", target).0, 204);
    assert_eq!(status("Authorization: Bearer t\r\n", target).0, 204);
    assert_eq!(status("Authorization: Bearer u\r\n", target), (401, failed));
    assert_eq!(status("", "/query?q=SHOW+DATABASES").0, 401);
    assert_eq!(Client::new(&influx).get("/ping").response().status, 204);
}

#[test]
fn a_body_above_the_limit_is_413() {
    let influx = FakeInflux::start();
    influx.set_max_body_size(8);
    assert_eq!(write(&influx, "d", "m v=1 12").status, 204);
    let large = write(&influx, "d", "m v=1 123");
    assert_eq!(large.status, 413);
    assert_eq!(large.text(), "{\"error\":\"Request Entity Too Large\"}\n");
    assert_eq!(influx.count("d"), 1);
}

#[test]
fn compressed_bodies_are_read() {
    let influx = FakeInflux::start();
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let mut client = Client::new(&influx);
    let mut post = |body: &[u8]| {
        let response = client
            .post_to("/write?db=d", "Content-Encoding: gzip\r\n", body)
            .response();
        (response.status, response.text().to_owned())
    };
    assert_eq!(post(&gzip("m v=1 1\n")).0, 204);
    let two = [gzip("m v=1 2\n"), gzip("m v=1 3\n")].concat();
    assert_eq!(post(&two).0, 204);
    assert_eq!(influx.count("d"), 3);
    assert_eq!(influx.requests()[1].text(), "m v=1 2\nm v=1 3\n");

    let whole = gzip(&"m v=1 1\n".repeat(100));
    assert_eq!(
        post(&whole[..30]),
        (400, "{\"error\":\"unexpected EOF\"}\n".to_owned())
    );
    assert_eq!(
        post(b"short"),
        (400, "{\"error\":\"unexpected EOF\"}\n".to_owned())
    );
    assert_eq!(post(b""), (400, "{\"error\":\"EOF\"}\n".to_owned()));
    let other = b"this is certainly not gzip";
    assert_eq!(
        post(other),
        (400, "{\"error\":\"gzip: invalid header\"}\n".to_owned())
    );
    let mut wrong = gzip("m v=1 1\n");
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    assert_eq!(
        post(&wrong),
        (400, "{\"error\":\"gzip: invalid checksum\"}\n".to_owned())
    );
}

#[test]
fn clearing_forgets_points_types_and_requests() {
    let influx = FakeInflux::start();
    write(&influx, "d", "m v=1 1");
    influx.clear();
    assert_eq!((influx.count("d"), influx.received_count("d")), (0, 0));
    assert_eq!(
        (influx.request_count(), influx.databases()),
        (0, vec!["d".to_owned()])
    );
    assert_eq!(write(&influx, "d", "m v=\"s\" 1").status, 204);
    assert_eq!((influx.count("d"), influx.write_count()), (1, 1));
}

#[test]
fn lines_that_are_taken_out_are_forgotten_and_types_stay() {
    let influx = FakeInflux::start();
    for (database, line) in [("d", "m f=1 1"), ("d", "m f=1 1"), ("e", "m f=\"s\" 1")] {
        assert_eq!(write(&influx, database, line).status, 204);
    }
    let taken = influx.take();
    let lines = |database: &str| {
        taken[database]
            .iter()
            .map(|it| &*it.line)
            .collect::<Vec<_>>()
    };
    // As they arrived: a line that came twice is there twice.
    assert_eq!(lines("d"), ["m f=1 1", "m f=1 1"]);
    assert_eq!(lines("e"), ["m f=\"s\" 1"]);
    assert_eq!((influx.count("d"), influx.received_count("d")), (0, 0));
    assert_eq!((influx.request_count(), influx.write_count()), (0, 0));
    assert!(influx.take().is_empty());
    assert_eq!(influx.databases(), ["d", "e"]);

    assert_eq!(write(&influx, "d", "m f=\"s\" 2").status, 400);
    assert_eq!(write(&influx, "d", "m f=1 1").status, 204);
    assert_eq!(influx.take()["d"].len(), 1);
}
