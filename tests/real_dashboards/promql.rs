//! The shipped dashboard in PromQL, asked of a real VictoriaMetrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use actix_influxdb::Config;
use serde_json::Value;

use crate::{
    files::{METRICSQL, fill_in, list, read, targets, text},
    load::{Seen, deliver},
    sums,
    support::{http, require_victoria_metrics, victoria::VictoriaMetrics, wait::wait_until},
};

const OFTEN: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(30);
/// Methods, endpoints and statuses of the load.
const SERIES: usize = 7;
/// Seconds that the answers cover.
const RANGE: u64 = 300;

const VALUES: [(&str, &str); 8] = [
    ("__interval_ms", "1000"),
    ("__interval", "1s"),
    ("__rate_interval", "4s"),
    ("__range", "300s"),
    ("measurement", "http_request"),
    ("db", ".*"),
    ("endpoint", ".*"),
    ("program", ".*"),
];

/// The values of each series, and its labels.
pub type Answer = Vec<(Value, Vec<f64>)>;

/// `is_instant`: now only, as tables and alerts have it.
pub fn ask(victoria: &VictoriaMetrics, query: &str, is_instant: bool) -> Answer {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // The second that is not over is complete, too.
    let end = now.unwrap().as_secs() + 1;
    let (end, start) = (end.to_string(), (end - RANGE).to_string());
    let mut parameters = vec![("query", query), ("nocache", "1")];
    let path = if is_instant {
        parameters.push(("time", &end));
        "query"
    } else {
        parameters.extend([("start", &*start), ("end", &*end), ("step", "1s")]);
        "query_range"
    };
    let url = format!("{}/api/v1/{path}", victoria.url());
    let reply = http::get(&url, &parameters, LONG).unwrap();
    assert_eq!(reply.status, 200, "{query}: {}", reply.body);
    let reply: Value = serde_json::from_str(&reply.body).unwrap();
    let series = list(&reply["data"]["result"]).iter();
    let number = |pair: &Value| text(&pair[1]).parse::<f64>().unwrap();
    let series = series.map(|series| {
        let values = match list(&series["values"]) {
            [] => vec![number(&series["value"])],
            values => values.iter().map(number).collect(),
        };
        (series["metric"].clone(), values)
    });
    series.collect()
}

fn totals(answer: &Answer, label: &str) -> BTreeMap<String, f64> {
    let groups = answer.iter();
    let groups = groups.map(|(labels, values)| {
        let total = values.iter().sum::<f64>();
        (text(&labels[label]).to_owned(), total.round())
    });
    groups.filter(|(_, total)| *total > 0.0).collect()
}

/// VictoriaMetrics keeps milliseconds: of points of one series in the same one it may count
/// fewer. As many as there were, or as there were milliseconds.
#[track_caller]
fn assert_counted(
    found: &BTreeMap<String, f64>,
    most: &BTreeMap<String, f64>,
    least: &BTreeMap<String, f64>,
) {
    assert!(found.keys().eq(most.keys()), "{found:?} {most:?}");
    for (group, found) in found {
        let (most, least) = (most[group], least[group]);
        assert!(
            least <= *found && *found <= most,
            "{group}: {least} {found} {most}"
        );
    }
}

/// How many milliseconds of the series have a point, by a label.
fn milliseconds(victoria: &VictoriaMetrics, label: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for series in victoria.export(r#"{__name__="http_request_duration"}"#) {
        let times: BTreeSet<i64> = series.samples.iter().map(|(time, _)| *time).collect();
        *counts.entry(series.labels[label].clone()).or_default() += times.len() as f64;
    }
    counts
}

#[test]
fn each_query_of_the_promql_dashboard_gives_the_series_of_the_load() {
    let victoria = require_victoria_metrics!(&["-search.latencyOffset=0s"]);
    let config = Config::v1(victoria.url())
        .interval(OFTEN)
        .self_measurement("db", OFTEN);
    let (seen, _) = deliver(config);
    let by = |group: fn(&Seen) -> String| sums(&seen, group, |_| 1);
    let endpoint = |it: &Seen| it.ask.endpoint.to_owned();
    // New series take a while until queries find them, and queries of a range and of an instant don't find
    // them at the same time.
    let found = |name: &str| {
        let query = format!("count_over_time({name}[5m])");
        [true, false].map(|is_instant| ask(&victoria, &query, is_instant).len())
    };
    let all_are_found = || {
        found("http_request_duration") == [SERIES; 2] && found("influx_client_written") == [1; 2]
    };
    assert!(wait_until(LONG, all_are_found));
    let mut asked = Vec::new();
    for target in targets(&read(METRICSQL)) {
        let title = &*target.panel;
        let query = fill_in(&target.query, &VALUES);
        let answer = || ask(&victoria, &query, target.is_table);
        assert!(
            wait_until(LONG, || !answer().is_empty()),
            "{title}: no series: {query}"
        );
        let answer = answer();
        let all = || answer.iter().flat_map(|(_, values)| values).copied();
        let counted = |label: &str, most| {
            assert_counted(
                &totals(&answer, label),
                &most,
                &milliseconds(&victoria, label),
            );
        };
        match title {
            "Requests per second, by endpoint" => counted("endpoint", by(endpoint)),
            "Requests per second, by status code" => {
                counted("status_code", by(|it| it.ask.status.to_string()));
            }
            "Requests per second, by outcome" => {
                counted("outcome", by(|it| it.outcome().to_owned()));
            }
            "Errors per second, by endpoint" => {
                let endpoints: Vec<_> = totals(&answer, "endpoint").into_keys().collect();
                assert_eq!(endpoints, ["/users/{id}"]);
            }
            "Bytes of bodies sent per second, by endpoint" => {
                let mut bytes = sums(&seen, endpoint, |it| it.ask.bytes);
                bytes.retain(|_, sum| *sum > 0.0);
                assert!(totals(&answer, "endpoint").keys().eq(bytes.keys()));
            }
            "Duration of requests, by endpoint" => {
                assert_eq!(answer.len(), by(endpoint).len());
                let slow = answer
                    .iter()
                    .find(|(labels, _)| labels["endpoint"] == "/slow/{ms}");
                let (_, values) = slow.unwrap();
                // The buckets of a histogram are 13 % wide.
                assert!(
                    values.iter().all(|value| *value >= 2e-3 / 1.14),
                    "{values:?}"
                );
            }
            "Endpoints" => assert_eq!(answer.len(), by(endpoint).len()),
            "Rejected and dropped measurements" | "Endpoints and databases down" => {
                assert!(all().all(|value| value == 0.0), "{answer:?}");
            }
            "Measurements per second" | "Bytes sent per second" | "Duration of POSTs" => {
                assert!(all().any(|value| value > 0.0), "{answer:?}");
            }
            "Pending measurements, by place" | "Buffered bytes" | "POSTs per second" => {
                assert!(all().all(|value| value >= 0.0));
            }
            other => panic!("no test of {other:?}"),
        }
        asked.push(target.panel);
    }
    asked.dedup();
    assert_eq!(asked.len(), 15);
}

#[test]
fn points_of_a_series_in_one_millisecond_are_both_counted_unless_deduplicated() {
    let counts = [
        require_victoria_metrics!(&["-search.latencyOffset=0s"]),
        require_victoria_metrics!(&["-search.latencyOffset=0s", "-dedup.minScrapeInterval=1ms"]),
    ]
    .map(|victoria| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millisecond = now.unwrap().as_millis() - 3_000;
        let line = |nanoseconds: u32, duration: f64| {
            format!("http_request,endpoint=/a duration={duration} {millisecond}{nanoseconds:06}\n")
        };
        let lines = [line(1, 0.5), line(2, 0.25)].concat();
        assert_eq!(victoria.write("db", lines).unwrap().status, 204);
        let query = "sum by (endpoint) (count_over_time(http_request_duration[1m]))";
        assert!(wait_until(LONG, || !ask(&victoria, query, true).is_empty()));
        ask(&victoria, query, true)[0].1[0]
    });
    assert_eq!(counts, [2.0, 1.0]);
}
