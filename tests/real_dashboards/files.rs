//! The files of `dashboards/`, and their queries as a server gets them from Grafana.

use std::{fs, path::Path};

use serde_json::Value;

pub const INFLUXQL: &str = "influxdb-influxql.json";
pub const METRICSQL: &str = "victoriametrics-promql.json";
pub const SQL: &str = "influxdb3-sql.json";
pub const DASHBOARDS: [&str; 3] = [INFLUXQL, METRICSQL, SQL];

pub fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let text =
        fs::read_to_string(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The text of a target's query, in whichever language.
pub fn query_of(target: &Value) -> &str {
    let keys = ["query", "expr", "rawSql"].into_iter();
    let mut texts = keys.filter_map(|key| target[key].as_str());
    texts.next().unwrap_or_else(|| panic!("no query: {target}"))
}

/// A query of a panel.
pub struct Target {
    pub panel: String,
    pub query: String,
    pub is_table: bool,
}

/// All queries of the panels of a dashboard.
pub fn targets(dashboard: &Value) -> Vec<Target> {
    let panels = list(&dashboard["panels"]).iter();
    let targets = panels.flat_map(|panel| {
        list(&panel["targets"]).iter().map(|target| Target {
            panel: text(&panel["title"]).to_owned(),
            query: query_of(target).to_owned(),
            is_table: panel["type"] == "table",
        })
    });
    targets.collect()
}

/// As Grafana does it: the names are replaced by what is chosen.
pub fn fill_in(query: &str, values: &[(&str, &str)]) -> String {
    let mut query = query.to_owned();
    for (name, value) in values {
        query = query.replace(&format!("${{{name}}}"), value);
    }
    for (name, value) in values {
        query = query.replace(&format!("${name}"), value);
    }
    assert!(!query.contains("${") && !query.contains("$_"), "{query}");
    query
}
