//! Queries a real server in its own language: InfluxQL, SQL or PromQL.

use std::{env, error::Error, time::Duration};

use actix_influxdb::{Product, ServerInfo};
use awc::Client;
use serde_json::{Map, Value};

use crate::{
    REQUESTS,
    arrived::{Endpoint, Figures, LINE_LENGTH, LINES, WINDOW},
};

/// Maximum size of an answer, in bytes.
const MAX_ANSWER: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Language {
    InfluxQl,
    Sql,
    PromQl,
}

impl Language {
    pub fn of(server: &ServerInfo) -> Option<Self> {
        let version = server.version.as_deref().unwrap_or_default();
        match server.product {
            Product::InfluxDb if version.starts_with('3') => Some(Self::Sql),
            Product::InfluxDb => Some(Self::InfluxQl),
            Product::VictoriaMetrics => Some(Self::PromQl),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::InfluxQl => "InfluxQL",
            Self::Sql => "SQL",
            Self::PromQl => "PromQL",
        }
    }

    /// The queries, always in this order: by endpoint, status, outcome; CPU, memory, network; the
    /// last lines. A query for a single value comes with the value's name.
    fn questions(self, since: u64) -> [Vec<(&'static str, String)>; 7] {
        let window = WINDOW.as_secs();
        let one = |query: String| vec![("", query)];
        match self {
            Self::InfluxQl => [
                one(format!(
                    r#"SELECT count("duration") AS requests, percentile("duration", 50) AS p50, percentile("duration", 95) AS p95, percentile("duration", 99) AS p99 FROM "{REQUESTS}" WHERE time > now() - {window}s GROUP BY "endpoint""#
                )),
                one(format!(
                    r#"SELECT count("duration") AS requests FROM "{REQUESTS}" WHERE time > now() - {since}s GROUP BY "status_code""#
                )),
                one(format!(
                    r#"SELECT count("duration") AS requests FROM "{REQUESTS}" WHERE time > now() - {since}s GROUP BY "outcome""#
                )),
                one("SELECT last(percent) AS percent, last(load) AS load FROM cpu WHERE time > now() - 1m".into()),
                one("SELECT last(used_bytes) AS used, last(available_bytes) AS available FROM memory WHERE time > now() - 1m".into()),
                one(format!(
                    "SELECT sum(received_bytes) / {window} AS received, sum(sent_bytes) / {window} AS sent FROM network WHERE time > now() - {window}s"
                )),
                one(format!(
                    r#"SELECT * FROM "{REQUESTS}" WHERE time > now() - 1h ORDER BY time DESC LIMIT {LINES}"#
                )),
            ],
            Self::Sql => {
                let ago = |seconds: u64| format!("time > now() - INTERVAL '{seconds} seconds'");
                let latest = |fields: &str, table: &str| {
                    let ago = ago(60);
                    format!("SELECT {fields} FROM {table} WHERE {ago} ORDER BY time DESC LIMIT 1")
                };
                [
                    one(format!(
                        r#"SELECT endpoint, count(duration) AS requests, approx_percentile_cont(duration, 0.5) AS p50, approx_percentile_cont(duration, 0.95) AS p95, approx_percentile_cont(duration, 0.99) AS p99 FROM "{REQUESTS}" WHERE {} GROUP BY endpoint"#,
                        ago(window)
                    )),
                    one(format!(
                        r#"SELECT status_code, count(duration) AS requests FROM "{REQUESTS}" WHERE {} GROUP BY status_code"#,
                        ago(since)
                    )),
                    one(format!(
                        r#"SELECT outcome, count(duration) AS requests FROM "{REQUESTS}" WHERE {} GROUP BY outcome"#,
                        ago(since)
                    )),
                    one(latest("percent, load", "cpu")),
                    one(latest("used_bytes AS used, available_bytes AS available", "memory")),
                    one(format!(
                        "SELECT sum(received_bytes) / {window}.0 AS received, sum(sent_bytes) / {window}.0 AS sent FROM network WHERE {}",
                        ago(window)
                    )),
                    one(format!(
                        r#"SELECT * FROM "{REQUESTS}" WHERE {} ORDER BY time DESC LIMIT {LINES}"#,
                        ago(3_600)
                    )),
                ]
            }
            Self::PromQl => {
                let durations = format!(r#"{{__name__="{REQUESTS}_duration"}}"#);
                let percentile = |share: &str| {
                    format!(
                        "histogram_quantile({share}, sum by (endpoint, vmrange) (histogram_over_time({durations}[{window}s])))"
                    )
                };
                let count = |by: &str, seconds: u64| {
                    format!("sum by ({by}) (count_over_time({durations}[{seconds}s]))")
                };
                let last = |name: &str| format!("last_over_time({name}[1m])");
                let rate = |name: &str| format!("sum(sum_over_time({name}[{window}s])) / {window}");
                [
                    vec![
                        ("requests", count("endpoint", window)),
                        ("p50", percentile("0.5")),
                        ("p95", percentile("0.95")),
                        ("p99", percentile("0.99")),
                    ],
                    vec![("requests", count("status_code", since))],
                    vec![("requests", count("outcome", since))],
                    vec![("percent", last("cpu_percent")), ("load", last("cpu_load"))],
                    vec![
                        ("used", last("memory_used_bytes")),
                        ("available", last("memory_available_bytes")),
                    ],
                    vec![
                        ("received", rate("network_received_bytes")),
                        ("sent", rate("network_sent_bytes")),
                    ],
                    vec![("duration", format!("topk({LINES}, last_over_time({durations}[1h]))"))],
                ]
            }
        }
    }
}

type Row = Map<String, Value>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub struct Asker {
    client: Client,
    url: String,
    database: String,
    pub language: Language,
}

impl Asker {
    pub fn new(server: &ServerInfo, database: &str, language: Language) -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let mut client = Client::builder().timeout(PATIENCE);
        if let Some(token) = variable("INFLUXDB_TOKEN") {
            client = client.add_default_header(("Authorization", format!("Bearer {token}")));
        } else if let Some(user) = variable("INFLUXDB_USER") {
            client = client.basic_auth(user, variable("INFLUXDB_PASSWORD").as_deref());
        }
        Self {
            client: client.finish(),
            url: server.url.trim_end_matches('/').to_owned(),
            database: database.to_owned(),
            language,
        }
    }

    /// Returns the values, of requests in the given number of seconds.
    pub async fn figures(&self, since: u64) -> Result<Figures> {
        let mut answers = Vec::new();
        for questions in self.language.questions(since.max(1)) {
            let mut rows = Vec::new();
            for (name, query) in questions {
                let answer = self
                    .ask(&query)
                    .await
                    .map_err(|error| format!("{query}: {error}"))?;
                merge(&mut rows, self.rows(&answer, name));
            }
            answers.push(rows);
        }
        let [endpoints, statuses, outcomes, cpu, memory, network, lines] = &answers[..] else {
            unreachable!("one answer for each question");
        };
        let counts = |rows: &[Row], tag: &str| {
            let counts = rows.iter();
            let counts = counts.map(|row| (text(row, tag), number(row, "requests") as u64));
            counts.collect()
        };
        let mut figures = Figures {
            statuses: counts(statuses, "status_code"),
            outcomes: counts(outcomes, "outcome"),
            lines: lines.iter().rev().map(line).collect(),
            ..Figures::default()
        };
        figures.points = figures.outcomes.values().sum();
        for row in endpoints {
            let endpoint = Endpoint {
                requests: number(row, "requests") as u64,
                rate: number(row, "requests") / WINDOW.as_secs_f64(),
                p50: number(row, "p50") * 1e3,
                p95: number(row, "p95") * 1e3,
                p99: number(row, "p99") * 1e3,
            };
            figures.endpoints.insert(text(row, "endpoint"), endpoint);
        }
        let machine = &mut figures.machine;
        let value = |rows: &[Row], key| rows.first().map_or(0.0, |row| number(row, key));
        machine.cpu_percent = value(cpu, "percent");
        machine.load = value(cpu, "load");
        machine.memory_used = value(memory, "used");
        machine.memory_available = value(memory, "available");
        machine.received = value(network, "received");
        machine.sent = value(network, "sent");
        Ok(figures)
    }

    async fn ask(&self, query: &str) -> Result<Value> {
        let database = &*self.database;
        let (path, parameters) = match self.language {
            Language::InfluxQl => ("/query", vec![("db", database), ("q", query)]),
            Language::Sql => (
                "/api/v3/query_sql",
                vec![("db", database), ("q", query), ("format", "json")],
            ),
            Language::PromQl => (
                "/api/v1/query",
                vec![
                    ("query", query),
                    ("nocache", "1"),
                    ("latency_offset", "1ms"),
                ],
            ),
        };
        let request = self
            .client
            .get(format!("{}{path}", self.url))
            .query(&parameters)?;
        let mut response = request.send().await?;
        let body = response.body().limit(MAX_ANSWER).await?;
        if !response.status().is_success() {
            let body: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            // The table has no rows yet.
            if body.contains("not found") {
                return Ok(Value::Null);
            }
            return Err(format!("{}: {body}", response.status()).into());
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// The rows of an answer: tags and columns by name, or labels and a value of that name.
    fn rows(&self, answer: &Value, name: &str) -> Vec<Row> {
        match self.language {
            Language::Sql => list(answer)
                .iter()
                .filter_map(|row| row.as_object().cloned())
                .collect(),
            Language::PromQl => {
                let series = list(&answer["data"]["result"]).iter();
                let row = |series: &Value| {
                    let mut row = series["metric"].as_object().cloned().unwrap_or_default();
                    row.remove("__name__");
                    let value = series["value"][1]
                        .as_str()
                        .and_then(|it| it.parse::<f64>().ok());
                    row.insert(name.to_owned(), value.unwrap_or_default().into());
                    row
                };
                series.map(row).collect()
            }
            Language::InfluxQl => {
                let series = list(&answer["results"][0]["series"]).iter();
                let rows = series.flat_map(|series| {
                    let tags = series["tags"].as_object().cloned().unwrap_or_default();
                    let columns = list(&series["columns"]);
                    list(&series["values"]).iter().map(move |values| {
                        let mut row = tags.clone();
                        let names = columns.iter().map(|name| name.as_str().unwrap_or_default());
                        row.extend(names.map(str::to_owned).zip(list(values).iter().cloned()));
                        row
                    })
                });
                rows.collect()
            }
        }
    }
}

/// Merges rows with the same labels.
fn merge(rows: &mut Vec<Row>, more: Vec<Row>) {
    let labels = |row: &Row| -> Vec<(String, String)> {
        let labels = row
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        labels.collect()
    };
    for row in more {
        match rows.iter_mut().find(|known| labels(known) == labels(&row)) {
            Some(known) if row.values().any(Value::is_number) && !known.contains_key("time") => {
                known.extend(row)
            }
            _ => rows.push(row),
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn number(row: &Row, key: &str) -> f64 {
    row.get(key).and_then(Value::as_f64).unwrap_or_default()
}

fn text(row: &Row, key: &str) -> String {
    row.get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn line(row: &Row) -> String {
    let values = row.iter().filter(|(_, value)| !value.is_null());
    let line: Vec<_> = values
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    line.join(" ").chars().take(LINE_LENGTH).collect()
}
