//! Nothing is written or rejected without evidence: answers that aren't a write's answer, faults of
//! the request, the server's own trouble; and what a server names.

mod support;

use std::{sync::Mutex, time::Duration};

use actix_influxdb::{
    Delivery, Influx, Measurement,
    testing::{Answer, FakeInflux, record_line},
};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, quiet, settled},
};

/// How long a server is watched that is to be given nothing up.
const WATCHED: Duration = Duration::from_millis(300);

fn json(body: serde_json::Value) -> String {
    body.to_string()
}

/// Measurements that a server answers like that are kept, after a few POSTs, and written when it
/// answers as it should.
async fn are_kept(answer: Answer, what: &str) {
    let fake = FakeInflux::start();
    fake.answer_always(answer);
    let influx = Influx::start(quiet(fake.url())).unwrap();
    record(&influx, "db", 1_000);
    let report = influx.flush(WATCHED).await;
    assert_eq!(report.undelivered, 1_000, "{what}: {report:?}");
    assert!(
        fake.write_count() < 10,
        "{what}: {} POSTs",
        fake.write_count()
    );
    let stats = influx.stats();
    assert_eq!(
        (stats.written, stats.rejected, stats.pending),
        (0, 0, 1_000),
        "{what}"
    );
    assert!(stats.endpoints[0].last_failure.is_some(), "{what}");
    fake.answer_always(Answer::accept());
    // The end tries at once whatever it is waiting for.
    let report = influx.shutdown(LONG).await;
    assert_eq!(report.written, 1_000, "{what}: {report:?}");
    assert_eq!(fake.count("db"), 1_000, "{what}");
}

#[actix::test]
async fn a_2xx_with_a_body_is_not_taken_for_the_answer_to_a_write() {
    let routes = json(serde_json::json!({ "links": { "query": "/api/v2/query" } }));
    for (status, body) in [
        (
            200,
            "<html><head><title>Welcome to nginx!</title></head></html>".to_owned(),
        ),
        (200, routes),
        (200, json(serde_json::json!({ "error": "not found" }))),
        (201, "OK".to_owned()),
        (202, "[]".to_owned()),
    ] {
        are_kept(Answer::status(status).body(body.clone()), &body).await;
    }
    let empty_page = Answer::status(200).header("Content-Type", "text/html");
    are_kept(empty_page, "an empty page").await;
}

#[actix::test]
async fn a_2xx_without_content_is_written() {
    for status in [200, 201, 202, 204, 206] {
        let fake = FakeInflux::start();
        fake.answer_always(Answer::status(status).store());
        let influx = Influx::start(impatient(fake.url())).unwrap();
        record(&influx, "db", 3);
        assert_eq!(settled(&influx).await.written, 3, "{status}");
        assert_eq!(fake.write_count(), 1);
    }
}

#[actix::test]
async fn a_fault_of_the_request_rejects_no_line() {
    let error = |text: &str| json(serde_json::json!({ "error": text }));
    let v2 = |text: &str| json(serde_json::json!({ "code": "invalid", "message": text }));
    for (status, body) in [
        (400, "Client sent an HTTP request to an HTTPS server.\n".to_owned()),
        (400, "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>".to_owned()),
        (400, "<html><head><title>400 Request Header Or Cookie Too Large</title></head></html>".to_owned()),
        (400, "unsupported path requested: \"/write\"".to_owned()),
        (400, "remoteAddr: \"127.0.0.1:1\"; requestURI: /write; unsupported path requested: \"/write\"".to_owned()),
        (400, v2("Please provide either orgID or org")),
        (400, v2("invalid precision; valid precision units are ns, us, ms, and s")),
        (400, error("invalid precision \"x\" (use n, u, ms, s, m or h)")),
        (400, error("database is required")),
        (400, v2("missing bucket value")),
        (400, "serde error: missing field `db`".to_owned()),
        (400, "missing query parameter 'db'".to_owned()),
        (400, error("Authorization header was malformed, the request was not in the form of 'Authorization: Bearer <token>'")),
        (400, "unacceptable content-encoding: br".to_owned()),
        (400, "400 Bad Request: missing required Host header".to_owned()),
        (400, error("db name did not start with a number or letter")),
        (400, error("cannot write to soft-deleted database 'x' - it is marked for deletion")),
        (422, error("Adding a new database would exceed limit of 5 databases")),
        (400, v2("write buffer error: catalog update error: Adding a new database would exceed limit of 100 databases")),
        (431, String::new()),
        (494, String::new()),
        (405, "<html><title>405 Not Allowed</title></html>".to_owned()),
        (415, "gzip encoding is not supported".to_owned()),
    ] {
        are_kept(Answer::status(status).body(body.clone()), &body).await;
    }
}

#[actix::test]
async fn the_servers_own_trouble_rejects_no_line_whatever_words_it_is_told_in() {
    let error = |text: &str| json(serde_json::json!({ "error": text }));
    let v2 = |text: &str| json(serde_json::json!({ "code": "invalid", "message": text }));
    for (status, body) in [
        (
            400,
            error(
                "partial write: write /var/lib/influxdb/wal/_00001.wal: no space left on device dropped=1000",
            ),
        ),
        (500, error("partial write")),
        (400, error("partial write")),
        (
            400,
            error("partial write: shard 7 is pending deletion dropped=1000"),
        ),
        (
            500,
            error("engine: cache-max-memory-size exceeded: (1073743900/1073741824)"),
        ),
        (
            400,
            v2("write buffer error: error from wal: wal buffer full with 100 ops"),
        ),
        (400, error("readonly now and writing is not allowed")),
        (
            401,
            json(serde_json::json!({ "code": 4007, "error": "Region 1 is read only" })),
        ),
        (
            503,
            "cannot store metrics: the storage is in read-only mode".to_owned(),
        ),
    ] {
        are_kept(Answer::status(status).body(body.clone()), &body).await;
    }
}

#[actix::test]
async fn a_server_that_refuses_everything_in_words_that_nobody_knows_keeps_everything() {
    are_kept(Answer::error(400, "I like none of it"), "unknown words").await;
    are_kept(Answer::status(400), "no words").await;
    are_kept(
        Answer::status(422).body("line 17 is odd"),
        "words with numbers",
    )
    .await;
}

#[actix::test]
async fn lines_refused_in_unknown_words_are_rejected_once_others_are_written() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.text().contains("odd") {
        true => Answer::error(400, "I do not like it"),
        false => Answer::accept(),
    });
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 50);
    record_line(&influx, "db", "odd f=1 1").unwrap();
    record(&influx, "db", 50);
    assert_eq!(influx.flush(WATCHED).await.written, 100);
    // It is not rejected before something was written after its refusal; now something is.
    let started = std::time::Instant::now();
    while influx.stats().rejected == 0 {
        assert!(started.elapsed() < LONG, "{}", influx.stats());
        record(&influx, "db", 1);
        influx.flush(Duration::from_millis(50)).await;
    }
    assert_eq!(settled(&influx).await.rejected, 1);
}

#[actix::test]
async fn if_the_server_has_dropped_as_many_as_there_are_all_are_rejected_with_no_post_more() {
    for text in [
        "partial write: points beyond retention policy dropped=1000",
        "partial write: dropped 1000 points outside retention policy of duration 1h0m0s - oldest point x, newest point y dropped=1000 for database: db for retention policy: autogen",
    ] {
        let fake = FakeInflux::start();
        fake.answer_always(Answer::error(400, text));
        let influx = Influx::start(impatient(fake.url())).unwrap();
        record(&influx, "db", 1_000);
        let stats = settled(&influx).await;
        assert_eq!((stats.written, stats.rejected), (0, 1_000));
        assert_eq!(fake.write_count(), 1);
    }
}

/// A server that refuses batches with `bad` lines in `words` of their numbers, all or nothing.
async fn names(
    words: impl Fn(&[usize], &[String]) -> (u16, String) + Send + Sync + 'static,
) -> usize {
    let fake = FakeInflux::start();
    fake.answer_with(move |request| {
        let text = request.text();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let bad = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.starts_with("bad"));
        let bad: Vec<_> = bad.map(|(at, _)| at).collect();
        match bad.is_empty() {
            true => Answer::accept(),
            false => {
                let (status, body) = words(&bad, &lines);
                Answer::status(status).body(body)
            }
        }
    });
    let influx = Influx::start(impatient(fake.url())).unwrap();
    for number in 0..100 {
        record(&influx, "db", 1);
        if number % 25 == 7 {
            record_line(&influx, "db", &format!("bad,n={number} f=1 1")).unwrap();
        }
    }
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (100, 4));
    assert_eq!(fake.count("db"), 100);
    fake.write_count()
}

#[actix::test]
async fn lines_that_influxdb_3_numbers_cost_a_single_post_more() {
    let posts = names(|bad, _| {
        let item = |at: &usize| {
            serde_json::json!({
                "error_message": "invalid column type for column 'f'",
                "line_number": at + 1,
                "original_line": "bad",
            })
        };
        let data: Vec<_> = bad.iter().map(item).collect();
        let error = "partial write of line protocol occurred";
        (
            400,
            json(serde_json::json!({ "error": error, "data": data })),
        )
    });
    assert_eq!(posts.await, 2);
}

#[actix::test]
async fn lines_that_cloud_numbers_cost_a_single_post_more() {
    let posts = names(|bad, _| {
        let mut text =
            "failed to parse line protocol:\n  errors encountered on line(s):".to_owned();
        for at in bad {
            text += &format!("\n  error parsing line {} (1-based): no field", at + 1);
        }
        let line = bad[0] + 1;
        (
            400,
            json(serde_json::json!({ "code": "invalid", "message": text, "line": line })),
        )
    });
    assert_eq!(posts.await, 2);
}

#[actix::test]
async fn of_servers_that_name_the_first_bad_line_each_bad_line_costs_a_post() {
    let quest = names(|bad, _| {
        let line = bad[0] + 1;
        let text = format!(
            "failed to parse line protocol:errors encountered on line(s):\nerror in line {line}: \
             table: bad; column: f; cast error"
        );
        (
            400,
            json(serde_json::json!({ "code": "invalid", "message": text, "line": line })),
        )
    });
    assert_eq!(quest.await, 5);
    let victoria = names(|bad, lines| {
        let rest: String = lines[bad[0]..]
            .iter()
            .map(|line| format!("{line}\\n"))
            .collect();
        let rest = rest.replace('"', "\\\"");
        (
            400,
            format!(
                "cannot process influx line protocol data: incorrect influx line \"{rest}\": missing field; see https://docs"
            ),
        )
    });
    assert_eq!(victoria.await, 5);
}

#[actix::test]
async fn a_server_that_answers_500_for_bad_lines_has_them_rejected_and_the_others_written() {
    let fake = FakeInflux::start();
    // As TDengine's adapter does.
    fake.answer_with(|request| match request.text().contains("poison") {
        true => Answer::status(500).body(r#"{"code":"internal error","message":"0x2501"}"#),
        false => Answer::accept(),
    });
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 100);
    record_line(&influx, "db", "poison f=1 1").unwrap();
    record(&influx, "db", 100);
    let started = std::time::Instant::now();
    while influx.stats().rejected == 0 {
        assert!(started.elapsed() < LONG, "{}", influx.stats());
        record(&influx, "db", 1);
        influx.flush(Duration::from_millis(50)).await;
        assert!(influx.stats().balanced());
    }
    assert_eq!(settled(&influx).await.rejected, 1);
}

#[actix::test]
async fn a_large_line_that_meets_resets_is_rejected_only_if_others_of_its_database_pass() {
    let fake = FakeInflux::start();
    let all_fails = std::sync::Arc::new(Mutex::new(true));
    let answer = std::sync::Arc::clone(&all_fails);
    fake.answer_with(move |request| {
        let length = request.header("content-length").unwrap();
        let is_large = length.parse::<usize>().unwrap() > 1 << 20;
        match is_large || *answer.lock().unwrap() {
            true => Answer::cut_request(10).reset(),
            false => Answer::accept(),
        }
    });
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let large = Measurement::new("db", "m").field("f", "x".repeat(1_200_000));
    let delivery = actix::spawn({
        let influx = influx.clone();
        async move { influx.deliver(large).await }
    });
    while influx.stats().recorded == 0 {
        tokio::task::yield_now().await;
    }
    record(&influx, "db", 1);
    let report = influx.flush(Duration::from_millis(1_500)).await;
    assert_eq!(
        (report.rejected, report.undelivered),
        (0, 2),
        "a load balancer resets everything"
    );
    *all_fails.lock().unwrap() = false;
    let started = std::time::Instant::now();
    while influx.stats().rejected == 0 {
        assert!(started.elapsed() < LONG, "{}", influx.stats());
        record(&influx, "db", 1);
        influx.flush(Duration::from_millis(50)).await;
    }
    let delivery = delivery.await.unwrap();
    assert!(
        matches!(delivery, Delivery::Rejected { .. }),
        "{delivery:?}"
    );
    assert_eq!(settled(&influx).await.rejected, 1);
}
