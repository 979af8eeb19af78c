//! The queries that people put on dashboards, asked of a real influxd, give the numbers of a load
//! that is known from outside.

mod alerts;
mod files;
mod load;
mod promql;
mod shipped;
mod structure;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use load::{LEFT, Seen, serve};
use support::{
    influxd::{Influxd, Row},
    require_influxd,
};

/// The answer to a query that groups by `tag`: the columns after the time, of each row.
fn ask(influxd: &Influxd, query: &str, tag: &str) -> BTreeMap<String, Vec<(i64, Vec<f64>)>> {
    let reply = influxd.query("db", query);
    let series = reply["results"][0]["series"].as_array();
    let series = series.unwrap_or_else(|| panic!("{query}: {reply}")).iter();
    let rows = |values: &serde_json::Value| {
        let rows = values.as_array().unwrap().iter().map(|row| {
            let numbers = row.as_array().unwrap()[1..].iter();
            let numbers = numbers.map(|number| number.as_f64().unwrap_or_default());
            (row[0].as_i64().unwrap(), numbers.collect())
        });
        rows.collect()
    };
    let group = |tags: &serde_json::Value| tags[tag].as_str().unwrap_or_default().to_owned();
    series
        .map(|series| (group(&series["tags"]), rows(&series["values"])))
        .collect()
}

/// The same, if it is one number of each.
fn numbers(influxd: &Influxd, query: &str, tag: &str) -> BTreeMap<String, f64> {
    let groups = ask(influxd, query, tag).into_iter();
    let groups = groups.map(|(group, rows)| {
        assert_eq!((rows.len(), rows[0].1.len()), (1, 1), "{query}: {rows:?}");
        (group, rows[0].1[0])
    });
    groups.collect()
}

/// The sum of what `value` says of each request, by what `group` says.
fn sums<'a>(
    seen: &'a [Seen],
    group: impl Fn(&'a Seen) -> String,
    value: impl Fn(&Seen) -> u64,
) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for request in seen {
        *sums.entry(group(request)).or_default() += value(request) as f64;
    }
    sums
}

fn seconds(row: &Row) -> f64 {
    row.fields["duration"].as_f64().unwrap()
}

/// The durations of the rows of each endpoint and window, in order.
fn durations(rows: &[Row], window: i64) -> BTreeMap<String, BTreeMap<i64, Vec<f64>>> {
    let mut groups = BTreeMap::<_, BTreeMap<_, Vec<_>>>::new();
    for row in rows {
        let windows = groups.entry(row.tags["endpoint"].clone()).or_default();
        let of_window = windows.entry(row.time - row.time % window).or_default();
        of_window.push(seconds(row));
    }
    for of_window in groups.values_mut().flat_map(BTreeMap::values_mut) {
        of_window.sort_by(f64::total_cmp);
    }
    groups
}

#[track_caller]
fn assert_close(left: f64, right: f64) {
    let difference = (left - right).abs();
    assert!(difference <= right.abs() * 1e-9, "{left} is not {right}");
}

#[test]
fn each_point_is_a_request_as_its_client_saw_it() {
    let influxd = require_influxd!();
    let seen = serve(&influxd);
    let rows = influxd.query_all("db", "http_request");
    assert_eq!(rows.len(), seen.len());
    let id = |row: &Row| row.fields["correlation_id"].as_str().unwrap().to_owned();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (id(&row), row)).collect();
    for request in &seen {
        let (row, ask) = (&rows[&request.id], request.ask);
        let tag = |key: &str| row.tags[key].as_str();
        assert_eq!(tag("method"), ask.method);
        assert_eq!(tag("endpoint"), ask.endpoint);
        assert_eq!(tag("status_code"), ask.status.to_string());
        assert_eq!(tag("outcome"), request.outcome());
        assert_eq!(row.fields["remote_ip"], request.visitor);
        let at_least = ask.milliseconds as f64 / 1e3;
        let Some(elapsed) = request.elapsed else {
            assert!(!row.fields.contains_key("content_length"), "{row:?}");
            continue;
        };
        assert_eq!(row.fields["content_length"], ask.bytes);
        assert!(seconds(row) >= at_least, "{row:?} took {at_least} s");
        let at_most = elapsed.as_secs_f64();
        assert!(seconds(row) <= at_most, "{row:?} took {at_most} s");
    }
}

#[test]
fn mean_and_percentile_of_the_duration_are_those_of_the_points() {
    let influxd = require_influxd!();
    serve(&influxd);
    let rows = influxd.query_all("db", "http_request");
    for (window, nanoseconds) in [("10s", 10_000_000_000), ("20ms", 20_000_000)] {
        let means = ask(
            &influxd,
            &format!(
                r#"SELECT mean("duration") FROM "http_request" WHERE time > now() - 1h
                GROUP BY time({window}), "endpoint" fill(none)"#
            ),
            "endpoint",
        );
        let expected = durations(&rows, nanoseconds);
        assert!(means.keys().eq(expected.keys()), "{means:?}");
        for (endpoint, means) in &means {
            let windows = &expected[endpoint];
            assert_eq!(means.len(), windows.len(), "{endpoint}");
            for (time, mean) in means {
                let seconds = &windows[time];
                assert_close(mean[0], seconds.iter().sum::<f64>() / seconds.len() as f64);
            }
        }
    }

    let percentiles = numbers(
        &influxd,
        r#"SELECT percentile("duration", 95) FROM "http_request" GROUP BY "endpoint""#,
        "endpoint",
    );
    let expected = durations(&rows, i64::MAX);
    assert!(percentiles.keys().eq(expected.keys()), "{percentiles:?}");
    for (endpoint, percentile) in &percentiles {
        let seconds = &expected[endpoint][&0];
        // The nearest rank, as InfluxQL has it.
        let rank = (seconds.len() as f64 * 0.95 + 0.5) as usize;
        assert_close(*percentile, seconds[rank - 1]);
    }
    assert!(percentiles["/slow/{ms}"] >= 0.005, "{percentiles:?}");
}

#[test]
fn requests_and_errors_are_counted_by_status_method_and_endpoint() {
    let influxd = require_influxd!();
    let seen = serve(&influxd);
    let count = |tag| {
        let query = format!(r#"SELECT count("duration") FROM "http_request" GROUP BY "{tag}""#);
        numbers(&influxd, &query, tag)
    };
    let counted = |group: fn(&Seen) -> String| sums(&seen, group, |_| 1);
    let by_status = count("status_code");
    assert_eq!(by_status, counted(|it| it.ask.status.to_string()));
    assert_eq!(by_status["499"], LEFT as f64);
    assert_eq!(count("method"), counted(|it| it.ask.method.to_owned()));
    assert_eq!(count("outcome"), counted(|it| it.outcome().to_owned()));
    let requests = counted(|it| it.ask.endpoint.to_owned());
    assert_eq!(count("endpoint"), requests);

    // InfluxQL has no conditional count: dashboards divide two of them.
    let errors = sums(
        &seen,
        |it| it.ask.endpoint.to_owned(),
        |it| u64::from(it.ask.status >= 500),
    );
    for condition in [r#""outcome" = 'error'"#, r#""status_code" =~ /^5/"#] {
        let query = format!(
            r#"SELECT count("duration") FROM "http_request" WHERE {condition} GROUP BY "endpoint""#
        );
        let failed = numbers(&influxd, &query, "endpoint");
        for (endpoint, requests) in &requests {
            let failed = failed.get(endpoint).copied().unwrap_or_default();
            assert_eq!(failed, errors[endpoint], "{endpoint}: {condition}");
            let rate = failed / requests;
            let expected = if endpoint == "/users/{id}" { 0.25 } else { 0.0 };
            assert_eq!(rate, expected, "{endpoint}: {condition}");
        }
    }
}

#[test]
fn bytes_are_summed_and_clients_found_though_their_addresses_are_fields() {
    let influxd = require_influxd!();
    let seen = serve(&influxd);
    let bytes = numbers(
        &influxd,
        r#"SELECT sum("content_length") FROM "http_request" GROUP BY "endpoint""#,
        "endpoint",
    );
    let mut expected = sums(&seen, |it| it.ask.endpoint.to_owned(), |it| it.ask.bytes);
    // Whoever left was sent nothing, not even a head.
    assert_eq!(expected.remove("/never"), Some(0.0));
    assert_eq!(bytes, expected);

    let visitors = sums(&seen, |it| it.visitor.clone(), |_| 1);
    for (visitor, requests) in &visitors {
        let query = format!(
            r#"SELECT count("duration") FROM "http_request" WHERE "remote_ip" = '{visitor}'"#
        );
        assert_eq!(numbers(&influxd, &query, "")[""], *requests, "{visitor}");
    }
    let distinct = r#"SELECT count(distinct("remote_ip")) FROM "http_request""#;
    assert_eq!(numbers(&influxd, distinct, "")[""], visitors.len() as f64);
    let series = influxd.query("db", r#"SHOW SERIES FROM "http_request""#);
    let series = series["results"][0]["series"][0]["values"].as_array();
    let tags = sums(
        &seen,
        |it| format!("{} {} {}", it.ask.method, it.ask.endpoint, it.ask.status),
        |_| 1,
    );
    assert_eq!(series.unwrap().len(), tags.len(), "clients make no series");

    let slowest = r#"SELECT top("duration", 3), "remote_ip", "correlation_id" FROM "http_request" WHERE "endpoint" = '/slow/{ms}'"#;
    let slowest = influxd.query("db", slowest);
    let slowest = slowest["results"][0]["series"][0]["values"].as_array();
    let mut rows = influxd.query_all("db", "http_request");
    rows.retain(|row| row.tags["endpoint"] == "/slow/{ms}");
    rows.sort_by(|one, other| seconds(other).total_cmp(&seconds(one)));
    let expected = rows.iter().take(3);
    let mut expected: Vec<_> = expected
        .map(|row| row.fields["correlation_id"].clone())
        .collect();
    let mut found: Vec<_> = slowest.unwrap().iter().map(|row| row[3].clone()).collect();
    expected.sort_by_key(ToString::to_string);
    found.sort_by_key(ToString::to_string);
    assert_eq!(found, expected);
}
