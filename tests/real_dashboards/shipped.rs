//! The shipped dashboard in InfluxQL, asked of a real influxd.

use std::{collections::BTreeMap, time::Duration};

use actix_influxdb::Config;
use serde_json::Value;

use crate::{
    files::{INFLUXQL, fill_in, list, query_of, read, targets, text},
    load::{Seen, deliver},
    sums,
    support::{influxd::Influxd, require_influxd},
};

/// Seconds of an interval of the answers. 100 ms: the load is short.
const INTERVAL: f64 = 0.1;
const OFTEN: Duration = Duration::from_millis(40);

const VALUES: [(&str, &str); 6] = [
    ("timeFilter", "time > now() - 1h"),
    ("__interval_ms", "100"),
    ("__interval", "100ms"),
    ("measurement", "http_request"),
    ("endpoint", ".*"),
    ("program", ".*"),
];

/// The rows of each series, without what has no value; and its tags.
type Answer = Vec<(Value, Vec<Vec<Value>>)>;

fn ask(influxd: &Influxd, query: &str, values: &[(&str, &str)]) -> Answer {
    let query = fill_in(query, values);
    let reply = influxd.query("db", &query);
    let series = list(&reply["results"][0]["series"]).iter();
    let series = series.map(|series| {
        let rows = list(&series["values"]).iter();
        let rows = rows
            .map(|row| list(row).to_vec())
            .filter(|row| !row[1].is_null());
        (series["tags"].clone(), rows.collect())
    });
    series.collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// What came to pass in all the time, of rates per second, by a tag.
fn totals(answer: &Answer, tag: &str) -> BTreeMap<String, f64> {
    let total = |rows: &[Vec<Value>]| {
        rows.iter()
            .map(|row| number(&row[1]) * INTERVAL)
            .sum::<f64>()
    };
    let groups = answer.iter();
    let groups = groups.map(|(tags, rows)| (text(&tags[tag]).to_owned(), total(rows).round()));
    groups.collect()
}

fn without_zeros(mut sums: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    sums.retain(|_, sum| *sum > 0.0);
    sums
}

/// How much a counter grew, of its rates per second.
fn growth(answer: &Answer) -> f64 {
    let [(_, rows)] = &answer[..] else {
        panic!("not one client: {answer:?}");
    };
    // The first rate is since the interval before, which needn't be the one just before.
    let mut grown = 0.0;
    for pair in rows.windows(2) {
        let seconds = (number(&pair[1][0]) - number(&pair[0][0])) / 1e9;
        grown += number(&pair[1][1]) * seconds;
    }
    grown
}

#[test]
fn each_query_of_the_influxql_dashboard_gives_the_series_of_the_load() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    let config = Config::v1(influxd.url())
        .interval(OFTEN)
        .self_measurement("db", OFTEN);
    let (seen, report) = deliver(config);
    let by = |group: fn(&Seen) -> String| sums(&seen, group, |_| 1);
    let endpoint = |it: &Seen| it.ask.endpoint.to_owned();
    let mut asked = Vec::new();
    for target in targets(&read(INFLUXQL)) {
        let (title, query) = (&*target.panel, &*target.query);
        let answer = ask(&influxd, query, &VALUES);
        assert!(
            answer.iter().any(|(_, rows)| !rows.is_empty()),
            "{title}: no series: {query}"
        );
        let rows = || answer.iter().flat_map(|(_, rows)| rows);
        match title {
            "Requests per second, by endpoint" => {
                assert_eq!(totals(&answer, "endpoint"), by(endpoint));
            }
            "Errors per second, by endpoint" => {
                let failed = |it: &Seen| u64::from(it.outcome() == "error");
                let errors = without_zeros(sums(&seen, endpoint, failed));
                assert_eq!(without_zeros(totals(&answer, "endpoint")), errors);
            }
            "Requests per second, by status code" => {
                let statuses = by(|it| it.ask.status.to_string());
                assert_eq!(totals(&answer, "status_code"), statuses);
            }
            "Requests per second, by outcome" => {
                let outcomes = by(|it| it.outcome().to_owned());
                assert_eq!(totals(&answer, "outcome"), outcomes);
            }
            "Bytes of bodies sent per second, by endpoint" => {
                let bytes = without_zeros(sums(&seen, endpoint, |it| it.ask.bytes));
                assert_eq!(without_zeros(totals(&answer, "endpoint")), bytes);
            }
            "Duration of requests, by endpoint" => {
                assert_eq!(answer.len(), by(endpoint).len());
                for (tags, rows) in &answer {
                    let least = if tags["endpoint"] == "/slow/{ms}" {
                        2e-3
                    } else {
                        0.0
                    };
                    assert!(rows.iter().all(|row| number(&row[1]) >= least), "{tags}");
                }
            }
            "Endpoints" => {
                let counted = answer.iter();
                let counted = counted.map(|(tags, rows)| {
                    let [count, mean, p95, longest] = [1, 2, 3, 4].map(|at| number(&rows[0][at]));
                    assert!(0.0 < mean && mean <= longest && p95 <= longest);
                    (text(&tags["endpoint"]).to_owned(), count)
                });
                assert_eq!(counted.collect::<BTreeMap<_, _>>(), by(endpoint));
            }
            "Measurements per second" => {
                let grown = growth(&answer);
                assert!(
                    grown > 0.0 && grown <= report.stats.recorded as f64,
                    "{grown}"
                );
            }
            "Pending measurements, by place" | "Buffered bytes" => {
                assert!(rows().all(|row| number(&row[1]) >= 0.0));
            }
            "Rejected and dropped measurements" | "Endpoints and databases down" => {
                assert!(rows().all(|row| number(&row[1]) == 0.0), "{answer:?}");
            }
            "Duration of POSTs" => assert!(rows().all(|row| number(&row[1]) > 0.0)),
            "POSTs per second" | "Bytes sent per second" => _ = growth(&answer),
            other => panic!("no test of {other:?}"),
        }
        assert!(!target.is_table || title == "Endpoints");
        asked.push(target.panel);
    }
    asked.dedup();
    assert_eq!(asked.len(), 15);
}

#[test]
fn one_endpoint_is_chosen_by_the_influxql_dashboards_variable() {
    let influxd = require_influxd!();
    let seen = crate::load::serve(&influxd);
    let dashboard = read(INFLUXQL);
    let variables = list(&dashboard["templating"]["list"]).iter();
    let endpoints = variables.filter(|variable| variable["name"] == "endpoint");
    let query = endpoints
        .map(|it| text(&it["query"]).to_owned())
        .next()
        .unwrap();
    let offered = ask(&influxd, &query, &VALUES);
    let mut offered: Vec<_> = offered[0]
        .1
        .iter()
        .map(|row| text(&row[1]).to_owned())
        .collect();
    offered.sort();
    let all = sums(&seen, |it| it.ask.endpoint.to_owned(), |_| 1);
    assert!(offered.iter().eq(all.keys()), "{offered:?}");

    // As Grafana quotes a value for a regular expression.
    let mut values = VALUES;
    values[4].1 = r"\/users\/\{id\}";
    let panel = &list(&dashboard["panels"])[1];
    let answer = ask(&influxd, query_of(&panel["targets"][0]), &values);
    let expected = BTreeMap::from([("/users/{id}".to_owned(), all["/users/{id}"])]);
    assert_eq!(totals(&answer, "endpoint"), expected);
}
