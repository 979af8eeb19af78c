//! A tag key never stands twice in a line: InfluxDB 3 stores such a line, and then fails every query of its table.

mod support;

use std::collections::BTreeSet;

use actix_influxdb::{Config, Influx, Measurement, testing::FakeInflux};
use support::pipeline::{LONG, quiet, settled};

/// Keys that are different, and of which a line can only carry what some of them have in common.
const KEYS: [&str; 16] = [
    "a",
    "a\\",
    "\\a",
    "a\\\\",
    "b\n",
    "b\\n",
    "b\t",
    "b\\t",
    "c\0",
    "c\\0",
    "d e",
    "d\\ e",
    "hostname",
    "hostname\\",
    "environment",
    "é",
];

/// The tag keys of a line, by its unescaped commas and equals signs.
fn keys(line: &str) -> Vec<String> {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for char in line.chars() {
        match char {
            _ if escaped => {
                part.push('\\');
                part.push(char);
            }
            '\\' => {
                escaped = true;
                continue;
            }
            ' ' => break,
            ',' => parts.push(std::mem::take(&mut part)),
            _ => part.push(char),
        }
        escaped = false;
    }
    parts.push(part);
    let key = |tag: &String| {
        let ends = tag.match_indices('=').map(|(at, _)| at);
        let end = ends.into_iter().find(|at| !tag[..*at].ends_with('\\'));
        tag[..end.expect("an equals sign")].to_owned()
    };
    parts.iter().skip(1).map(key).collect()
}

fn config(fake: &FakeInflux) -> Config {
    KEYS.iter().fold(
        quiet(fake.url()).environment("test").tag_hostname(true),
        |config, key| match *key {
            "a" | "b\n" | "b\\n" | "c\0" | "d e" => config.base_tag(*key, "base"),
            _ => config,
        },
    )
}

#[actix::test]
async fn no_line_has_a_tag_key_twice_whatever_sets_it() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let mut count = 0;
    // Each pair in both orders, of a measurement and of a series that is derived from another.
    for first in KEYS {
        for second in KEYS {
            let point = Measurement::new("db", "m").tag(first, 1).tag(second, 2);
            influx
                .record(point.tags([(second, 3), (first, 4)]).field("f", 1))
                .unwrap();
            let series = influx
                .series("db", "s")
                .tag(first, 1)
                .tag(second, 2)
                .build()
                .unwrap();
            series.point().field("f", 1).record().unwrap();
            let derived = series
                .with_tag(second, 3)
                .unwrap()
                .with_tag(first, 4)
                .unwrap();
            derived.point().field("f", 1).record().unwrap();
            count += 3;
        }
    }
    // Base tags that come later, too.
    influx.flush(LONG).await;
    influx
        .update(|config| config.base_tag("b\t", "later").base_tag("a\\", "later"))
        .unwrap();
    for key in KEYS {
        influx
            .record(Measurement::new("db", "m").tag(key, 1).field("f", 1))
            .unwrap();
        let series = influx.series("db", "s").tag(key, 1).build().unwrap();
        series.point().field("f", 1).record().unwrap();
        count += 2;
    }
    assert_eq!(settled(&influx).await.written, count);
    let mut lines = 0;
    for request in fake.requests() {
        for line in request.text().lines() {
            lines += 1;
            let keys = keys(line);
            let different: BTreeSet<_> = keys.iter().collect();
            assert_eq!(different.len(), keys.len(), "{line:?}");
            assert!(keys.len() >= 2, "{line:?}");
        }
    }
    assert_eq!(lines, count as usize);
}
