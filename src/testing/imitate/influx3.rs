//! InfluxDB 3 Core, by asking 3.6.0.

use std::collections::BTreeMap;

use super::{is_read, param, payload, quoted, reading, text};
use crate::testing::{
    parse::{Parsed, ReadLine},
    point::{Point, Value},
    precision::Precision,
    reply::Reply,
    request::Request,
    server::Server,
    state::State,
};

const MAX_DATABASES: usize = 5;
const MAX_TABLES: usize = 2_000;
const MAX_COLUMNS: usize = 500;
const MAX_STRING: usize = 64 << 10;

/// Number of bytes of a line that are repeated.
const REPEATED: usize = 20;

/// Tables of all databases, with the types of their columns.
#[derive(Clone, Debug, Default)]
pub(in crate::testing) struct Catalog {
    databases: BTreeMap<String, BTreeMap<String, Columns>>,
}

type Columns = BTreeMap<String, &'static str>;

/// A line that is not stored.
struct Bad {
    /// Counted from 1.
    number: usize,
    why: String,
    line: String,
    is_limit: bool,
}

pub(super) fn answer(request: &Request, state: &mut State) -> Reply {
    if let Some(refusal) = unauthorised(request, state) {
        return refusal;
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/api/v3/write_lp") => {
            let partial = param(request, "accept_partial") != Some("false");
            write(request, state, Path::V3 { partial })
        }
        ("POST", "/api/v2/write") => write(request, state, Path::V2),
        ("POST", "/write") => write(request, state, Path::V1),
        ("GET" | "POST", "/ping") => {
            let version = Server::InfluxDb3.version();
            let body =
                format!(r#"{{"version":"{version}","revision":"5dd04e6f","process_id":"{UUID}"}}"#);
            let reply = Reply::new(200)
                .header("Content-Type", "application/json")
                .header("x-influxdb-version", version)
                .header("x-influxdb-build", "Core");
            text(reply, body)
        }
        (_, "/health") if is_read(request) => text(Reply::new(200), "OK"),
        _ => text(Reply::new(404), "not found"),
    }
}

const UUID: &str = "6f1e2d3c-4b5a-4768-8796-a5b4c3d2e1f0";

/// With a required token, every request needs it, also `/ping` and `/health`.
fn unauthorised(request: &Request, state: &State) -> Option<Reply> {
    if state.credentials.are_none() {
        return None;
    }
    let in_query = || {
        (request.path == "/write")
            .then(|| param(request, "p"))
            .flatten()
    };
    let shown = match request.header("authorization") {
        None => in_query().map(str::to_owned),
        Some(header) => match header.split_once(' ') {
            Some(("Token" | "Bearer", token)) => Some(token.to_owned()),
            Some(("Basic", _)) => state.credentials.basic_password(request),
            _ => {
                let body = r#"{"error": "Authorization header was malformed, the request was not in the form of 'Authorization: <auth-scheme> <token>'"}"#;
                return Some(text(Reply::new(400), body));
            }
        },
    };
    let is_allowed = shown.is_some_and(|token| state.credentials.is_token(&token));
    (!is_allowed).then(|| Reply::new(401))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    V1,
    V2,
    V3 { partial: bool },
}

impl Path {
    /// Refuses the whole request; in plain text, except for v2.
    fn refuse(self, status: u16, why: &str) -> Reply {
        match self {
            Self::V2 => {
                let code = if status == 500 {
                    "internal error"
                } else {
                    "invalid"
                };
                let body = format!(r#"{{"code":"{code}","message":{}}}"#, quoted(why));
                text(
                    Reply::new(status).header("Content-Type", "application/json"),
                    body,
                )
            }
            _ => text(Reply::new(status), why),
        }
    }

    fn refuse_in_json(self, status: u16, why: &str) -> Reply {
        match self {
            Self::V2 => self.refuse(400, &format!("write buffer error: {why}")),
            _ => text(
                Reply::new(status),
                format!(r#"{{"error":{}}}"#, quoted(why)),
            ),
        }
    }
}

fn write(request: &Request, state: &mut State, path: Path) -> Reply {
    let name = match path {
        Path::V2 => param(request, "bucket"),
        _ => param(request, "db"),
    };
    let Some(name) = name else {
        return match path {
            Path::V2 => path.refuse(400, "missing bucket value"),
            _ => path.refuse(400, "serde error: missing field `db`"),
        };
    };
    let word = param(request, "precision");
    let precision = match word {
        Some("n" | "ns") => Some(Precision::Nanoseconds),
        Some("u" | "us") => Some(Precision::Microseconds),
        Some("ms") => Some(Precision::Milliseconds),
        Some("s") => Some(Precision::Seconds),
        word => Precision::of_v3(word),
    };
    let Some(precision) = precision else {
        let word = word.unwrap_or_default();
        let why =
            format!("serde error: unknown variant `{word}`, expected one of `auto`, `second`");
        return path.refuse(400, &why);
    };
    let body = match payload(request) {
        Ok(body) => body,
        Err(why) => return path.refuse(500, &format!("error decoding gzip stream: {why}")),
    };
    let limit = state.max_body_size;
    if request.body.len().max(body.len()) > limit {
        return path.refuse(500, &format!("max request size ({limit} bytes) exceeded"));
    }
    let is_good = |char: char| char.is_ascii_alphanumeric() || "-_/".contains(char);
    if !name.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return path.refuse_in_json(400, "db name did not start with a number or letter");
    }
    if !name.chars().all(is_good) {
        let why = "invalid character in database or rp name: must be ASCII, containing only letters, numbers, underscores, or hyphens";
        return path.refuse_in_json(400, why);
    }
    let databases = &state.catalog.databases;
    if !databases.contains_key(name) && databases.len() >= MAX_DATABASES {
        let why = format!("Adding a new database would exceed limit of {MAX_DATABASES} databases");
        return match path {
            Path::V2 => path.refuse(
                400,
                &format!("write buffer error: catalog update error: {why}"),
            ),
            _ => path.refuse_in_json(422, &why),
        };
    }
    if state.is_read_only {
        let why = "write buffer error: error from wal: wal buffer full with 100000 ops";
        // Its v2 API uses the status of a bad line.
        return path.refuse(if path == Path::V2 { 400 } else { 500 }, why);
    }
    let lines = reading(precision, true).lines_of_v3(&body);
    if lines.is_empty() {
        return path.refuse(400, "incoming write was empty");
    }
    let mut tables = databases.get(name).cloned().unwrap_or_default();
    let (points, bad) = sort(lines, &mut tables);
    let is_partial = path == Path::V3 { partial: true };
    if bad.is_empty() || is_partial {
        state.catalog.databases.insert(name.to_owned(), tables);
        let parsed = Parsed {
            points,
            refused: Vec::new(),
        };
        state.store.put(name, parsed.points);
    }
    match bad.first() {
        None => Reply::new(204),
        Some(_) if path == Path::V2 => {
            path.refuse(400, "write buffer error: parsing for line protocol failed")
        }
        Some(first) => {
            let items: Vec<_> = bad.iter().map(Bad::to_json).collect();
            let body = match is_partial {
                true => format!(
                    r#"{{"error":"partial write of line protocol occurred","data":[{}]}}"#,
                    items.join(",")
                ),
                false => format!(
                    r#"{{"error":"parsing failed for write_lp endpoint","data":{}}}"#,
                    first.to_json()
                ),
            };
            let is_limit = bad.iter().any(|bad| bad.is_limit);
            text(Reply::new(if is_limit { 422 } else { 400 }), body)
        }
    }
}

impl Bad {
    fn to_json(&self) -> String {
        let mut end = self.line.len().min(REPEATED);
        while !self.line.is_char_boundary(end) {
            end -= 1;
        }
        format!(
            r#"{{"error_message":{},"line_number":{},"original_line":{}}}"#,
            quoted(&self.why),
            self.number,
            quoted(&self.line[..end])
        )
    }
}

/// Separates storable points, whose columns are added to the tables, from bad lines.
fn sort(lines: Vec<ReadLine>, tables: &mut BTreeMap<String, Columns>) -> (Vec<Point>, Vec<Bad>) {
    let (mut points, mut bad) = (Vec::new(), Vec::new());
    for (at, line) in lines.into_iter().enumerate() {
        let checked = line
            .point
            .map_err(|why| (why.into_owned(), false))
            .and_then(|point| add(&point, tables).map(|()| point));
        match checked {
            Ok(point) => points.push(point),
            Err((why, is_limit)) => bad.push(Bad {
                number: at + 1,
                why,
                line: line.text,
                is_limit,
            }),
        }
    }
    (points, bad)
}

fn add(point: &Point, tables: &mut BTreeMap<String, Columns>) -> Result<(), (String, bool)> {
    let table = &point.measurement;
    let tags = point.tags.keys().map(|key| (key, "tag"));
    let fields = point
        .fields
        .iter()
        .map(|(key, value)| (key, type_of(value)));
    let known = tables.get(table);
    let mut columns = known.cloned().unwrap_or_default();
    for (key, kind) in tags.chain(fields) {
        if key == "time" {
            let why = format!(
                "invalid column type for column 'time', expected iox::column_type::timestamp, got iox::column_type::{kind}"
            );
            return Err((why, false));
        }
        match columns.get(key) {
            Some(expected) if *expected != kind => {
                let why = format!(
                    "invalid column type for column '{key}', expected iox::column_type::{expected}, got iox::column_type::{kind}"
                );
                return Err((why, false));
            }
            _ => _ = columns.insert(key.clone(), kind),
        }
    }
    let is_long = |value: &Value| value.as_str().is_some_and(|text| text.len() > MAX_STRING);
    if point.fields.values().any(is_long) {
        return Err(("String is greater than 64KB".to_owned(), false));
    }
    if known.is_none() && tables.len() >= MAX_TABLES {
        let why =
            format!("Update to schema would exceed number of tables limit of {MAX_TABLES} tables");
        return Err((why, true));
    }
    // The timestamp is a column.
    if columns.len() + 1 > MAX_COLUMNS {
        let why = format!(
            "Update to schema would exceed number of columns per table limit of {MAX_COLUMNS} columns"
        );
        return Err((why, true));
    }
    tables.insert(table.clone(), columns);
    Ok(())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Float(_) => "field::float",
        Value::Integer(_) => "field::integer",
        Value::Unsigned(_) => "field::uinteger",
        Value::Boolean(_) => "field::boolean",
        Value::String(_) => "field::string",
    }
}
