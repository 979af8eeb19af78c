//! What is logged, and how often. The logger is the process's, so all of it is one test.

mod support;

use std::time::Duration;

use actix_influxdb::{
    Config, Influx,
    testing::{Answer, FakeInflux, record_line},
};
use log::{Level, LevelFilter};
use support::{
    logger::{self, Line},
    measurement::{measurement, record},
    pipeline::LONG,
};

/// What was logged above DEBUG since the last call.
fn logged() -> Vec<Line> {
    let mut lines = logger::take();
    for Line { text, .. } in &lines {
        assert!(!text.contains("hunter2"), "a secret is logged: {text}");
    }
    lines.retain(|line| line.level < Level::Debug);
    lines
}

/// Each line is of that level and holds those words.
fn assert_logged(wanted: &[(Level, &str)]) {
    let lines = logged();
    let fits = |(line, (level, words)): (&Line, &(Level, &str))| {
        line.level == *level && words.split('|').all(|word| line.text.contains(word))
    };
    assert!(
        lines.len() == wanted.len() && lines.iter().zip(wanted).all(fits),
        "{lines:#?}"
    );
}

fn start(fake: &FakeInflux) -> Influx {
    let config = Config::v1(fake.url())
        .user("ada")
        .password("hunter2")
        .interval(Duration::from_secs(3_600))
        .max_buffer_size(100)
        .max_retry_delay(Duration::from_millis(30));
    Influx::start(config).unwrap()
}

#[actix::test]
async fn the_log_says_what_happens_once_with_counts_and_without_secrets() {
    logger::install(LevelFilter::Trace);
    use Level::{Error, Info, Warn};

    // Where to, that they arrive, and then nothing, where nothing happens.
    let fake = FakeInflux::start();
    let influx = start(&fake);
    assert_logged(&[(Info, "measurements go to|as API v1|with user and password")]);
    record(&influx, "db", 10);
    influx.flush(LONG).await;
    assert_logged(&[(Info, "measurements arrive|the first 10, of database db")]);
    record(&influx, "db", 10);
    influx.flush(LONG).await;
    assert_logged(&[]);

    // An outage: a line when it begins and one when it ends, however many attempts fail.
    for _ in 0..5 {
        fake.answer_next(Answer::status(503));
    }
    record(&influx, "db", 1);
    influx.flush(LONG).await;
    assert_logged(&[
        (
            Warn,
            "does not accept measurements of database db|kept|status 503",
        ),
        (
            Info,
            "accepts measurements of database db again|5 failed attempts",
        ),
    ]);

    // An outage that somebody has to mend is an error, also in the middle of another one.
    fake.answer_next(Answer::status(503));
    fake.answer_next(Answer::status(401));
    fake.answer_next(Answer::status(401));
    record(&influx, "db", 1);
    influx.flush(LONG).await;
    assert_logged(&[
        (Warn, "status 503"),
        (Error, "does not accept measurements|status 401"),
        (Info, "accepts measurements again"),
        (Info, "accepts measurements of database db again"),
    ]);

    // Rejected lines: ten of them, with the reason.
    for number in 0..15 {
        record_line(&influx, "db", &format!("bad line {number}")).unwrap();
    }
    influx.flush(LONG).await;
    let lines = logged();
    assert_eq!(lines.len(), 10, "{lines:#?}");
    let Line { level, text, .. } = &lines[0];
    assert_eq!(*level, Error);
    assert!(
        text.contains("bad line 0") && text.contains("unable to parse"),
        "{text}"
    );

    // A buffer that fills, and then is full: each is told once.
    fake.refuse();
    fake.close_idle();
    for _ in 0..150 {
        _ = influx.record(measurement("db"));
    }
    influx.flush(Duration::from_millis(200)).await;
    let lines = logged();
    let count = |level: Level, words: &str| {
        let fits = |line: &&Line| line.level == level && line.text.contains(words);
        lines.iter().filter(fits).count()
    };
    assert_eq!(
        count(Warn, "measurements are pending, of at most 100"),
        1,
        "{lines:#?}"
    );
    assert_eq!(count(Error, "the buffer is full"), 1, "{lines:#?}");
    assert_eq!(count(Warn, "Connection refused"), 1, "{lines:#?}");
    assert_eq!(lines.len(), 3, "{lines:#?}");

    // The end: what is not delivered is an error with its count.
    influx.shutdown(Duration::from_millis(50)).await;
    assert_logged(&[
        (Info, "delivering 100 pending measurements|50ms"),
        (Error, "100 measurements undelivered|pending=0"),
    ]);
}
