//! A real VictoriaMetrics (single node) with an empty store.

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{http, server::Server};

/// The server's program (`VICTORIA_METRICS_BIN`, PATH, Debian's folders), or `None` after saying
/// that `test` was left out.
pub fn installed(test: &str) -> Option<PathBuf> {
    super::find_or_leave_out(
        test,
        "victoria-metrics",
        "victoria-metrics",
        "VICTORIA_METRICS_BIN",
    )
}

/// A [`Server`]: all that was written is still there after it is stopped and restarted. What was
/// written in the last seconds before it is killed may be lost, answered or not.
#[derive(Debug)]
pub struct VictoriaMetrics {
    server: Server,
}

/// All samples of one field of one set of tags: the server names it `measurement_field`, and adds
/// the database as the label `db`.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// Milliseconds since 1970, and the value.
    pub samples: Vec<(i64, f64)>,
}

impl VictoriaMetrics {
    pub fn start(binary: &Path, arguments: &[&str]) -> Self {
        let server = Server::start("/flags", |folder, port| {
            let mut command = Command::new(binary);
            command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
            command.arg(format!(
                "-storageDataPath={}",
                folder.join("data").display()
            ));
            // Tests write points of any age; the default forgets those older than a month.
            command.args(["-retentionPeriod=100y", "-loggerLevel=ERROR"]);
            command.args(arguments);
            command
        });
        Self { server }
    }

    /// The series that a selector like `{__name__=~"cpu_.*"}` matches, with all that was written
    /// before.
    pub fn export(&self, selector: &str) -> Vec<Series> {
        // Without it, points of the last second are not seen.
        self.get("/internal/force_flush", &[]);
        let body = self.get("/api/v1/export", &[("match[]", selector), ("start", "0")]);
        body.lines().map(series).collect()
    }

    /// The samples of all series that `selector` matches.
    pub fn count(&self, selector: &str) -> usize {
        self.export(selector)
            .iter()
            .map(|series| series.samples.len())
            .sum()
    }

    /// POSTs lines as they are, past the crate under test.
    pub fn write(&self, database: &str, lines: impl AsRef<[u8]>) -> http::Result {
        http::post(
            &format!("{}/write", self.url()),
            &[("db", database)],
            lines.as_ref(),
        )
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let reply = http::get(&format!("{}{path}", self.url()), parameters, http::TIMEOUT);
        let reply = reply.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body
    }
}

impl Deref for VictoriaMetrics {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

fn series(line: &str) -> Series {
    let line: Value = serde_json::from_str(line).expect("a series in JSON");
    let labels = line["metric"].as_object().expect("labels").iter();
    let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
    let mut labels: BTreeMap<_, _> = labels.collect();
    let times = line["timestamps"].as_array().expect("timestamps").iter();
    let times = times.map(|time| time.as_i64().expect("a time"));
    let values = line["values"].as_array().expect("values").iter();
    let values = values.map(|value| value.as_f64().expect("a number"));
    Series {
        name: labels.remove("__name__").unwrap_or_default(),
        labels,
        samples: times.zip(values).collect(),
    }
}
