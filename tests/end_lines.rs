//! What the log says when delivery starts and ends. The logger is the process's, so all of it is
//! one test.

mod support;

use std::time::Duration;

use actix_influxdb::{
    Config, Influx,
    testing::{Answer, FakeInflux},
};
use log::{Level, LevelFilter};
use support::{
    logger::{self, Line},
    measurement::record,
    pipeline::{LONG, impatient, quiet},
};

fn texts(level: Level) -> Vec<String> {
    let lines = logger::take().into_iter();
    let lines = lines.filter(|line: &Line| line.level == level);
    lines.map(|line| line.text).collect()
}

#[actix::test]
async fn the_log_says_where_measurements_go_and_what_the_end_waits_for() {
    logger::install(LevelFilter::Info);

    // The first line.
    let fake = FakeInflux::start();
    let url = fake.url();
    let influx = Influx::start(quiet(&url).user("ada").password("hunter2")).unwrap();
    let lines = texts(Level::Info);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let begin = format!("measurements go to {url} as API v1, with user and password: every 3600s");
    assert!(lines[0].starts_with(&begin), "{lines:#?}");
    let version = format!("(actix-influxdb {})", env!("CARGO_PKG_VERSION"));
    assert!(lines[0].ends_with(&version), "{lines:#?}");

    // Another server is told of, another limit is not.
    influx.update(|config| config.max_clients(2)).unwrap();
    influx.flush(LONG).await;
    assert_eq!(texts(Level::Info), [""; 0]);
    let other = FakeInflux::start();
    let changed = other.url();
    influx
        .update(|config| config.url(changed).user("").password(""))
        .unwrap();
    influx.flush(LONG).await;
    assert_eq!(
        texts(Level::Info),
        [format!(
            "measurements now go to {} as API v1, without credentials",
            other.url()
        )]
    );

    // The last line, where all is well.
    record(&influx, "db", 3);
    influx.shutdown(LONG).await;
    let lines = texts(Level::Info);
    assert_eq!(
        lines,
        [
            "shutting down: delivering 3 pending measurements, for 20s at most",
            "delivery has ended, nothing is pending: recorded=3 written=3 rejected=0 dropped=0 \
             pending=0"
        ]
    );

    // Every two seconds, what is still waited for; and what was lost in the end, and where to.
    let influx = Influx::start(impatient(&url)).unwrap();
    fake.answer_always(Answer::accept().stall_before_response());
    record(&influx, "one\nforged", 3);
    record(&influx, "other", 2);
    logger::take();
    influx.shutdown(Duration::from_millis(4_500)).await;
    let lines = logger::take();
    let waits: Vec<_> = lines
        .iter()
        .filter(|line| line.text.contains("the shutdown waits for"))
        .map(|line| line.text.as_str())
        .collect();
    let waiting = |left| {
        format!(
            "the shutdown waits for 5 measurements (3 of one\\nforged, 2 of other), for \
             {left}s more at most: they are being sent to {url}"
        )
    };
    assert!(
        waits == [waiting(2), waiting(0)] || waits == [waiting(3), waiting(1)],
        "{lines:#?}"
    );
    let last = lines.last().unwrap();
    assert_eq!(last.level, Level::Error);
    assert_eq!(
        last.text,
        format!(
            "delivery has ended with 5 measurements undelivered (3 of one\\nforged, 2 of other): \
             the timeout passed before {url} answered; \
             recorded=5 written=0 rejected=0 dropped=5 pending=0"
        )
    );

    // Where the server has failed, the failure is named.
    let influx = Influx::start(impatient(&url)).unwrap();
    fake.answer_always(Answer::status(503));
    record(&influx, "db", 2);
    logger::take();
    influx.shutdown(Duration::from_millis(2_500)).await;
    let lines = logger::take();
    let why = format!("the last failure was {url}: status 503");
    let waits = |line: &&Line| line.text.contains("the shutdown waits for 2");
    let waits: Vec<_> = lines.iter().filter(waits).collect();
    assert_eq!(waits.len(), 1, "{lines:#?}");
    let last = lines.last().unwrap();
    for (line, level) in [(waits[0], Level::Warn), (last, Level::Error)] {
        assert_eq!(line.level, level, "{lines:#?}");
        assert!(line.text.contains(&why), "{lines:#?}");
    }
    assert!(
        last.text
            .starts_with("delivery has ended with 2 measurements undelivered (2 of db): they"),
        "{last:?}"
    );

    // What is switched off says so.
    Influx::start(Config::v1(&url).enabled(false)).unwrap();
    assert_eq!(
        texts(Level::Info),
        ["delivery is disabled (enabled is false): measurements are counted and dropped"]
    );
}
