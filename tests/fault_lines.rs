//! What the log says of each kind of fault: one line, what is wrong and what to look at. The logger is
//! the process's, so all of it is one test.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::Duration,
};

use actix_influxdb::{
    Config, Influx,
    testing::{Answer, FakeInflux},
};
use log::{Level, LevelFilter};
use support::{
    logger::{self, Line},
    measurement::record,
    pipeline::quiet,
    raw::RawServer,
};

/// What is logged at WARN and above while a server answers like that, for some time and some tries.
async fn logged(config: Config) -> Vec<Line> {
    let influx = Influx::start(config.max_retry_delay(Duration::from_millis(30))).unwrap();
    logger::take();
    for _ in 0..3 {
        record(&influx, "db", 10);
        influx.flush(Duration::from_millis(150)).await;
    }
    let mut lines = logger::take();
    lines.retain(|line| line.level <= Level::Warn);
    influx.shutdown(Duration::ZERO).await;
    lines
}

/// A server that answers every connection with these bytes.
fn raw(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the process.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            _ = connection.read(&mut [0; 4_096]);
            _ = connection.write_all(bytes);
        }
    });
    url
}

fn assert_one(lines: &[Line], level: Level, words: &[&str]) {
    assert_eq!(lines.len(), 1, "{words:?}: {lines:#?}");
    let line = &lines[0];
    assert_eq!(line.level, level, "{line:?}");
    for word in words {
        assert!(
            line.text.contains(word),
            "{word:?} is not in: {}",
            line.text
        );
    }
    assert!(!line.text.contains(char::is_control), "{:?}", line.text);
    assert!(line.text.chars().count() < 1_000, "{}", line.text);
}

#[actix::test]
async fn each_fault_is_one_line_that_says_what_is_wrong_and_what_to_do() {
    use Level::{Error, Warn};
    logger::install(LevelFilter::Debug);
    let v2 = |url: String| {
        Config::v2(url, "org", "t")
            .interval(Duration::from_secs(3_600))
            .trigger_size(1_000_000)
    };
    let page =
        "<html>\n<head><title>Welcome\nto nginx!</title></head><body>\u{1b}[31m much</body></html>";
    let cases: [(Answer, bool, Level, &[&str]); 15] = [
        (
            Answer::status(200).body(page),
            false,
            Error,
            &[
                "POST http://127.0.0.1:",
                "/write",
                "a web page, \"Welcome to nginx!\"",
                "is url right?",
                "kept",
            ],
        ),
        (
            Answer::status(404).body("404 page not found"),
            true,
            Error,
            &[
                "POST http://127.0.0.1:",
                "/api/v2/write: does the server speak the API of InfluxDB 2",
            ],
        ),
        (
            Answer::status(307).header("Location", "https://elsewhere/write"),
            false,
            Error,
            &["a redirect to https://elsewhere/write, which is not followed"],
        ),
        (
            Answer::error(401, "authorization failed"),
            false,
            Error,
            &["authorization failed", "set user and password"],
        ),
        (
            Answer::status(401),
            true,
            Error,
            &["status 401", "check token"],
        ),
        (
            Answer::status(400)
                .body(r#"{"code":"invalid","message":"Please provide either orgID or org"}"#),
            true,
            Error,
            &["Please provide either orgID or org", "check org"],
        ),
        (
            Answer::error(
                403,
                "\"bob\" user is not authorized to write to database \"db\"",
            ),
            false,
            Error,
            &["of database db", "not authorized"],
        ),
        (
            Answer::error(404, "database not found: \"db\""),
            false,
            Error,
            &["database not found", "create it, or set create_database"],
        ),
        (
            Answer::status(414),
            false,
            Error,
            &["of database db", "status 414"],
        ),
        (
            Answer::status(422)
                .body(r#"{"error":"Adding a new database would exceed limit of 5 databases"}"#),
            false,
            Error,
            &["exceed limit of 5 databases"],
        ),
        (
            Answer::status(400).body("Client sent an HTTP request to an HTTPS server.\n"),
            false,
            Error,
            &["HTTP request to an HTTPS server", "POST http://"],
        ),
        (
            Answer::error(400, &"I like none of it\n".repeat(10_000)),
            false,
            Error,
            &["of database db", "I like none of it\\nI like"],
        ),
        (
            Answer::status(503),
            false,
            Warn,
            &["of database db", "status 503"],
        ),
        (
            Answer::error(500, "engine: cache-max-memory-size exceeded: (2/1)"),
            false,
            Warn,
            &["cache-max-memory-size exceeded"],
        ),
        (
            Answer::error(400, "partial write: no space left on device dropped=10"),
            false,
            Warn,
            &["no space left on device"],
        ),
    ];
    for (answer, is_v2, level, words) in cases {
        let fake = FakeInflux::start();
        fake.answer_always(answer);
        let config = match is_v2 {
            true => v2(fake.url()),
            false => quiet(fake.url()),
        };
        assert_one(&logged(config).await, level, words);
    }

    // Nobody there, or somebody else.
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let refused = logged(quiet(nobody)).await;
    assert_one(
        &refused,
        Warn,
        &["Connection refused", "is the server running"],
    );
    for (bytes, words) in [
        (
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            &["does not speak HTTP", "SSH-2.0-OpenSSH_9.2"][..],
        ),
        (
            b"-ERR unknown command\r\n",
            &["does not speak HTTP", "-ERR unknown command"],
        ),
        (b"\x15\x03\x01\x00\x02\x02\x46", &["TLS"]),
    ] {
        let lines = logged(quiet(raw(bytes))).await;
        assert_one(&lines, Warn, words);
    }

    // A database's name forges no line.
    let fake = FakeInflux::start();
    fake.answer_always(Answer::status(403));
    let influx = Influx::start(quiet(fake.url())).unwrap();
    logger::take();
    let name = format!("db\nERROR forged {}", "x".repeat(5_000));
    record(&influx, name, 1);
    influx.flush(Duration::from_millis(100)).await;
    let mut lines = logger::take();
    lines.retain(|line| line.level <= Level::Debug);
    for line in &lines {
        assert!(
            !line.text.contains('\n') && line.text.len() < 2_000,
            "{}",
            line.text
        );
    }
    assert!(
        lines
            .iter()
            .any(|line| line.text.contains("db\\nERROR forged")),
        "{lines:?}"
    );
    influx.shutdown(Duration::ZERO).await;

    // A database that can't be created is told of once, also if something else was wrong before.
    let server = RawServer::start(|mut peer| {
        let mut is_first = peer.number == 1;
        while let Some((head, _)) = peer.request() {
            let is_query = head.target.starts_with("/query");
            let (status, error) = match std::mem::take(&mut is_first) {
                true => ("503 Unavailable", "starting"),
                false if is_query => ("403 Forbidden", "error authorizing query"),
                false => ("404 Not Found", "database not found"),
            };
            let (body, version) = (
                format!("{{\"error\":\"{error}\"}}"),
                "X-Influxdb-Version: 1.8.10",
            );
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\n{version}\r\nContent-Length: {length}");
            peer.send(format!("{head}\r\n\r\n{body}"));
        }
    });
    let mut lines = logged(quiet(server.url()).create_database(true)).await;
    lines.retain(|line| line.text.contains("created"));
    let words = [
        "database db could not be created",
        "error authorizing query",
    ];
    assert_one(&lines, Error, &words);

    // A server that flaps is told of a few times.
    let fake = FakeInflux::start();
    let answers = std::sync::atomic::AtomicUsize::new(0);
    fake.answer_with(move |_| {
        match answers.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
            0 => Answer::status(503),
            _ => Answer::accept(),
        }
    });
    let influx =
        Influx::start(quiet(fake.url()).max_retry_delay(Duration::from_millis(1))).unwrap();
    logger::take();
    for _ in 0..30 {
        record(&influx, "db", 1);
        assert!(influx.flush(Duration::from_secs(10)).await.is_complete());
    }
    let mut lines = logger::take();
    lines.retain(|line| line.level < Level::Debug);
    assert_eq!(lines.len(), 2 * 3, "{lines:#?}");
    influx.shutdown(Duration::ZERO).await;

    // An empty success that no known server gives: something asks who is there.
    let elsewhere = FakeInflux::start();
    elsewhere.answer_always(Answer::status(200));
    let influx = Influx::start(quiet(elsewhere.url())).unwrap();
    record(&influx, "db", 1);
    assert_eq!(influx.flush(Duration::from_secs(10)).await.written, 1);
    elsewhere.wait_for_requests(2, Duration::from_secs(10));
    assert_eq!(elsewhere.requests()[1].path, "/ping");
    influx.shutdown(Duration::ZERO).await;
}
