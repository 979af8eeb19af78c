//! A real influxd (1.x) with an empty store.

use std::{
    collections::BTreeMap,
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use super::{
    http::{self, Reply},
    server::Server,
};

/// The administrator that [`Builder::auth`] creates; the harness itself acts as this user.
pub const USER: &str = "admin";
pub const PASSWORD: &str = "open sesame";

/// The server's program (`INFLUXD_BIN`, PATH, Debian's folders), or `None` after saying that
/// `test` was left out.
pub fn installed(test: &str) -> Option<PathBuf> {
    super::find_or_leave_out(test, "influxd", "influxdb", "INFLUXD_BIN")
}

#[derive(Debug, Default)]
pub struct Builder {
    auth: bool,
    http: Vec<String>,
    /// Certificate and key.
    https: Option<(String, String)>,
    has_socket: bool,
    data: Vec<String>,
}

impl Builder {
    /// Whether requests need [`USER`] and [`PASSWORD`].
    pub fn auth(mut self, required: bool) -> Self {
        self.auth = required;
        self.http.push(format!("auth-enabled = {required}"));
        self
    }

    /// Bytes; a larger write is answered 413, or its connection is reset.
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.http.push(format!("max-body-size = {bytes}"));
        self
    }

    /// Points that would give a tag more values than this are rejected.
    pub fn max_values_per_tag(mut self, values: u64) -> Self {
        self.data.push(format!("max-values-per-tag = {values}"));
        self
    }

    /// Whether it listens on a [`socket`](Server::socket) too.
    pub fn unix_socket(mut self) -> Self {
        self.has_socket = true;
        self
    }

    /// In TLS, but for the socket. The harness can't ask it but by [`ask`](Server::ask).
    pub fn https(mut self, certificate: &str, key: &str) -> Self {
        self.https = Some((certificate.to_owned(), key.to_owned()));
        self.unix_socket()
    }

    pub fn start(self, binary: &Path) -> Influxd {
        let socket = self.has_socket.then_some("http.sock");
        let server = Server::start_with("/debug/vars", socket, |folder, port| {
            let file = folder.join("influxdb.conf");
            fs::write(&file, self.config(folder, port)).expect("influxd's configuration");
            let mut command = Command::new(binary);
            command.arg("-config").arg(file);
            command
        });
        let influxd = Influxd {
            server,
            auth: self.auth,
        };
        if self.auth {
            influxd.query(
                "",
                &format!("CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"),
            );
        }
        influxd
    }

    fn config(&self, folder: &Path, port: u16) -> String {
        let mut http = self.http.join("\n");
        if self.has_socket {
            let path = folder.join("http.sock");
            http += &format!("\nunix-socket-enabled = true\nbind-socket = {path:?}");
        }
        if let Some((certificate, key)) = &self.https {
            let (to_certificate, to_key) = (folder.join("cert.pem"), folder.join("key.pem"));
            fs::write(&to_certificate, certificate).expect("the certificate");
            fs::write(&to_key, key).expect("the key");
            http += &format!(
                "\nhttps-enabled = true\nhttps-certificate = {to_certificate:?}\nhttps-private-key = {to_key:?}"
            );
        }
        let (folder, data) = (folder.display(), self.data.join("\n"));
        // The first address is that of a backup service that nobody uses: any free port.
        format!(
            r#"reporting-enabled = false
bind-address = "127.0.0.1:0"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
{data}
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
{http}
[logging]
level = "error"
suppress-logo = true
"#
        )
    }
}

/// A [`Server`]: what it answered 204 is still there after it is killed and restarted.
#[derive(Debug)]
pub struct Influxd {
    server: Server,
    auth: bool,
}

/// A stored point: what is absent (a field never written, a tag left empty) is not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Nanoseconds since 1970.
    pub time: i64,
    pub tags: BTreeMap<String, String>,
    /// JSON has one kind of number: see [`Influxd::field_types`] for what was stored.
    pub fields: BTreeMap<String, Value>,
}

impl Influxd {
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub fn create_database(&self, name: &str) {
        self.query("", &format!("CREATE DATABASE {}", identifier(name)));
    }

    pub fn drop_database(&self, name: &str) {
        self.query("", &format!("DROP DATABASE {}", identifier(name)));
    }

    pub fn databases(&self) -> Vec<String> {
        let rows = self.rows("", "SHOW DATABASES");
        rows.map(|values| string(&values[0])).collect()
    }

    /// The points that have `field`; 0 if the database has no such measurement.
    pub fn count(&self, database: &str, measurement: &str, field: &str) -> u64 {
        let (measurement, field) = (identifier(measurement), identifier(field));
        let query = format!("SELECT COUNT({field}) FROM {measurement}");
        let mut rows = self.rows(database, &query);
        rows.next()
            .map_or(0, |values| values[1].as_u64().expect("a count"))
    }

    /// All points of a measurement, oldest first.
    pub fn query_all(&self, database: &str, measurement: &str) -> Vec<Row> {
        let query = format!("SELECT * FROM {} GROUP BY *", identifier(measurement));
        let reply = self.query(database, &query);
        let mut rows: Vec<Row> = series(&reply).flat_map(rows_of).collect();
        rows.sort_by_key(|row| row.time);
        rows
    }

    /// `float`, `integer`, `boolean` or `string` by field; two types of one field joined by a comma.
    pub fn field_types(&self, database: &str, measurement: &str) -> BTreeMap<String, String> {
        let mut types = BTreeMap::<String, String>::new();
        let query = format!("SHOW FIELD KEYS FROM {}", identifier(measurement));
        for values in self.rows(database, &query) {
            let kind = string(&values[1]);
            let known = types.entry(string(&values[0]));
            known
                .and_modify(|all| *all = format!("{all},{kind}"))
                .or_insert(kind);
        }
        types
    }

    /// The reply to an InfluxQL query, times in nanoseconds; `""` is no database.
    ///
    /// # Panics
    ///
    /// With the server's message, if it or a part of it fails.
    pub fn query(&self, database: &str, query: &str) -> Value {
        let parameters = self.signed(vec![("db", database), ("epoch", "ns")]);
        let url = format!("{}/query", self.url());
        let reply = http::post_form(&url, &parameters, &[("q", query)]);
        let reply = reply.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        let value: Value = serde_json::from_str(&reply.body).expect("a reply in JSON");
        for result in value["results"].as_array().into_iter().flatten() {
            assert!(
                result.get("error").is_none(),
                "{query}: {}",
                result["error"]
            );
        }
        value
    }

    /// POSTs lines as they are, past the crate under test.
    pub fn write(&self, database: &str, lines: impl AsRef<[u8]>) -> http::Result {
        let parameters = self.signed(vec![("db", database)]);
        http::post(
            &format!("{}/write", self.url()),
            &parameters,
            lines.as_ref(),
        )
    }

    /// 204 when it is well.
    pub fn ping(&self, timeout: Duration) -> http::Result {
        http::get(&format!("{}/ping", self.url()), &[], timeout)
    }

    /// influxd reads these two in the URL, not in a form.
    fn signed<'a>(&self, mut parameters: Vec<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
        if self.auth {
            parameters.extend([("u", USER), ("p", PASSWORD)]);
        }
        parameters
    }

    /// The rows of a query, as lists of columns.
    fn rows(&self, database: &str, query: &str) -> impl Iterator<Item = Vec<Value>> {
        let reply = self.query(database, query);
        let rows: Vec<_> = series(&reply)
            .flat_map(|series| list(&series["values"]))
            .collect();
        rows.into_iter().map(|row| list(&row).collect())
    }
}

impl Deref for Influxd {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// A name quoted for InfluxQL.
pub fn identifier(name: &str) -> String {
    let name = name
        .replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n");
    format!("\"{name}\"")
}

fn rows_of(series: Value) -> Vec<Row> {
    let columns: Vec<String> = list(&series["columns"]).map(|name| string(&name)).collect();
    let tags = series["tags"].as_object().into_iter().flatten();
    let tags = tags.map(|(key, value)| (key.clone(), string(value)));
    let tags: BTreeMap<_, _> = tags.filter(|(_, value)| !value.is_empty()).collect();
    let row = |values: Value| {
        let mut values = list(&values);
        let time = values
            .next()
            .and_then(|time| time.as_i64())
            .expect("a time");
        let fields = columns.iter().skip(1).cloned().zip(values);
        let fields = fields.filter(|(_, value)| !value.is_null()).collect();
        Row {
            time,
            tags: tags.clone(),
            fields,
        }
    };
    list(&series["values"]).map(row).collect()
}

fn series(reply: &Value) -> impl Iterator<Item = Value> {
    list(&reply["results"]).flat_map(|result| list(&result["series"]))
}

fn list(value: &Value) -> std::vec::IntoIter<Value> {
    value.as_array().cloned().unwrap_or_default().into_iter()
}

fn string(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
