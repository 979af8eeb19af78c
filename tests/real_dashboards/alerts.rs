//! The shipped alert rules, asked of real servers: silent when all is well, and each fires.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use crate::{
    files::{list, read, text},
    promql,
    support::{require_influxd, require_victoria_metrics, wait::wait_until},
};

/// The client's figures, so many seconds ago.
fn figures(ago: u64, program: &str, [written, rejected, dropped, pending]: [u64; 4]) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = (now.unwrap() - Duration::from_secs(ago)).as_nanos();
    format!(
        "influx_client,program={program} written={written}i,rejected={rejected}i,\
         dropped={dropped}i,pending={pending}i {nanoseconds}\n"
    )
}

/// A program that is well, and one for each rule.
fn lines() -> String {
    let minutes = |minutes| minutes * 60;
    let mut lines = figures(minutes(20), "silent", [5, 0, 0, 0]);
    for minute in (0..6).rev() {
        let (ago, at) = (minutes(minute) + 1, 6 - minute);
        lines += &figures(ago, "well", [at * 100, 0, 0, 99_999]);
        lines += &figures(ago, "stuck", [100, 0, 0, 7]);
        lines += &figures(ago, "rejected", [at * 100, at, 0, 0]);
        lines += &figures(ago, "dropped", [at * 100, 0, at, 0]);
        lines += &figures(ago, "full", [at * 100, 0, 0, 100_001]);
    }
    lines
}

#[test]
fn each_alert_of_victoria_metrics_fires_for_its_program_alone() {
    let victoria = require_victoria_metrics!(&["-search.latencyOffset=0s"]);
    assert_eq!(victoria.write("db", lines()).unwrap().status, 204);
    let is_there = || !promql::ask(&victoria, "influx_client_written", true).is_empty();
    assert!(wait_until(Duration::from_secs(30), is_there));
    let rules = read("alerts-victoriametrics.json");
    let rules = list(&rules["groups"][0]["rules"]);
    let expected = [
        ("InfluxClientSilent", "silent"),
        ("InfluxClientWritesNothing", "stuck"),
        ("InfluxClientRejected", "rejected"),
        ("InfluxClientDropped", "dropped"),
        ("InfluxClientBufferFills", "full"),
    ];
    assert_eq!(rules.len(), expected.len());
    for (rule, (name, program)) in rules.iter().zip(expected) {
        assert_eq!(rule["alert"], name);
        let firing = promql::ask(&victoria, text(&rule["expr"]), true);
        let firing = firing.iter().map(|(labels, _)| text(&labels["program"]));
        assert_eq!(firing.collect::<BTreeSet<_>>(), [program].into(), "{name}");
    }
}

#[test]
fn each_alert_in_influxql_fires_for_its_program_alone() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    influxd.create_database("silent");
    assert_eq!(influxd.write("db", lines()).unwrap().status, 204);
    let only_silent = figures(1_200, "silent", [5, 0, 0, 0]);
    assert_eq!(influxd.write("silent", only_silent).unwrap().status, 204);
    let rules = read("alerts-influxql.json");
    let rules = list(&rules["groups"][0]["rules"]);
    let expected = [
        ("actix-influxdb-silent", ""),
        ("actix-influxdb-writes-nothing", "stuck"),
        ("actix-influxdb-rejected", "rejected"),
        ("actix-influxdb-dropped", "dropped"),
        ("actix-influxdb-buffer-fills", "full"),
    ];
    assert_eq!(rules.len(), expected.len());
    for (rule, (uid, program)) in rules.iter().zip(expected) {
        assert_eq!(rule["uid"], uid);
        let query = text(&rule["data"][0]["model"]["query"]);
        let evaluator = &rule["data"][2]["model"]["conditions"][0]["evaluator"];
        let limit = evaluator["params"][0].as_f64().unwrap();
        let fires = |value: f64| match text(&evaluator["type"]) {
            "gt" => value > limit,
            "lt" => value < limit,
            other => panic!("{other}"),
        };
        let firing = |database: &str| {
            let reply = influxd.query(database, query);
            let series = list(&reply["results"][0]["series"]).iter();
            let firing = series.filter(|it| fires(it["values"][0][1].as_f64().unwrap()));
            let programs = firing.map(|it| text(&it["tags"]["program"]).to_owned());
            (series_count(&reply), programs.collect::<BTreeSet<_>>())
        };
        if program.is_empty() {
            // No data at all is what fires.
            assert_eq!(rule["noDataState"], "Alerting");
            assert_eq!(firing("silent").0, 0);
            assert_eq!(firing("db"), (1, BTreeSet::new()));
        } else {
            assert_eq!(firing("db").1, [program.to_owned()].into(), "{uid}");
        }
    }
}

fn series_count(reply: &serde_json::Value) -> usize {
    list(&reply["results"][0]["series"]).len()
}
