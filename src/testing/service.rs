//! Responses of InfluxDB.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    parse::{Parsed, Reading},
    precision::Precision,
    query::{self, Statement},
    reply::Reply,
    request::Request,
    state::State,
};

/// The error of 1.6.7 if its disk is full.
pub(super) const READ_ONLY: &str =
    "engine: error writing WAL entry: write /var/lib/influxdb/wal/1.wal: no space left on device";

/// A write that was parsed, but not checked against the database yet.
#[derive(Debug)]
pub(super) struct Write {
    database: Result<String, &'static str>,
    parsed: Result<Parsed, String>,
}

impl Write {
    /// Parses a write; slow, so no lock is held.
    pub(super) fn read(request: &Request) -> Self {
        let param = |name| request.param(name).filter(|value| !value.is_empty());
        let word = param("precision");
        let path = request.path.as_str();
        let path = path.strip_prefix("/influx").unwrap_or(path);
        let (database, precision, is_v1) = match path.strip_prefix("/v1/influxdb").unwrap_or(path) {
            "/api/v2/write" => (param("bucket"), Precision::of_v2(word), false),
            "/api/v3/write_lp" => (param("db"), Precision::of_v3(word), false),
            _ => (param("db"), Some(Precision::of_v1(word)), true),
        };
        let parsed = match precision {
            None => Err(format!("invalid precision: {}", word.unwrap_or_default())),
            Some(precision) => request.payload().map(|payload| {
                let retention_policy = param("rp").map(str::to_owned);
                Reading {
                    precision,
                    unsigned: !is_v1,
                    retention_policy,
                }
                .parse(&payload)
            }),
        };
        Self {
            database: database.map(str::to_owned).ok_or("database is required"),
            parsed,
        }
    }

    /// Stores the valid points, whatever the response.
    pub(super) fn store(self, state: &mut State) {
        if let (Ok(database), Ok(parsed)) = (self.database, self.parsed) {
            let _ = state.store.write(&database, parsed);
        }
    }

    /// The error that 1.6.7 returns before it looks at the body of a write.
    pub(super) fn refusal(request: &Request, state: &State) -> Option<Reply> {
        if let Err(why) = state.credentials.check(request) {
            return Some(Reply::error(401, why));
        }
        let name = request.param("db").or(request.param("bucket"))?;
        (!state.store.exists(name))
            .then(|| Reply::error(404, &format!("database not found: {name:?}")))
    }

    /// Handles a write like 1.6.7, in its order: credentials, database, size, lines.
    pub(super) fn accept(self, request: &Request, state: &mut State) -> Reply {
        if let Err(why) = state.credentials.check(request) {
            return Reply::error(401, why);
        }
        let database = match self.database {
            Ok(database) => database,
            Err(why) => return Reply::error(400, why),
        };
        if !state.store.exists(&database) {
            return Reply::error(404, &format!("database not found: {database:?}"));
        }
        if state.is_read_only {
            return Reply::error(500, READ_ONLY);
        }
        // Seen on 1.6.7: the limit applies to the bytes sent, before decompression.
        if request.body.len() > state.max_body_size {
            return Reply::error(413, "Request Entity Too Large");
        }
        match self
            .parsed
            .and_then(|parsed| state.store.write(&database, parsed))
        {
            Ok(()) => Reply::influx(204),
            Err(why) => Reply::error(400, &why),
        }
    }
}

/// The response to a request other than a write.
pub(super) fn answer(request: &Request, state: &mut State) -> Reply {
    let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
    match request.path.as_str() {
        "/ping" if is_read => Reply::influx(204),
        "/health" if is_read => Reply::influx(200).json(&json!({
            "name": "influxdb", "message": "ready for queries and writes", "status": "pass",
        })),
        "/query" if is_read || request.method == "POST" => answer_query(request, state),
        "/ping" | "/health" => not_allowed("HEAD, GET"),
        "/query" => not_allowed("GET, OPTIONS, POST"),
        "/write" if request.method == "OPTIONS" => Reply::influx(200),
        "/write" | "/api/v2/write" | "/api/v3/write_lp" => not_allowed("OPTIONS, POST"),
        _ => not_found(),
    }
}

/// Whether this is a path for writes on other servers only.
pub(super) fn is_forked(request: &Request) -> bool {
    !matches!(
        request.path.as_str(),
        "/write" | "/api/v2/write" | "/api/v3/write_lp"
    )
}

pub(super) fn not_found() -> Reply {
    plain(404, "404 page not found\n")
}

fn plain(status: u16, text: &'static str) -> Reply {
    let mut reply = Reply::new(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .header("X-Content-Type-Options", "nosniff");
    reply.body = text.into();
    reply
}

fn not_allowed(allow: &str) -> Reply {
    plain(405, "Method Not Allowed\n").header("Allow", allow)
}

fn answer_query(request: &Request, state: &mut State) -> Reply {
    if let Err(why) = state.credentials.check(request) {
        return Reply::error(401, why);
    }
    let form: Vec<_> = form_urlencoded::parse(&request.body).collect();
    let in_form = || {
        form.iter()
            .find(|(key, _)| key == "q")
            .map(|(_, value)| value.as_ref())
    };
    let Some(text) = request
        .param("q")
        .or_else(in_form)
        .filter(|text| !text.is_empty())
    else {
        return Reply::error(400, "missing required parameter \"q\"");
    };
    let statements = match query::parse(text) {
        Ok(statements) => statements,
        Err(why) => return Reply::error(400, &why),
    };
    let results = statements.into_iter().enumerate().map(|(id, statement)| {
        let mut result = run(statement, state);
        result["statement_id"] = id.into();
        result
    });
    Reply::influx(200).json(&json!({ "results": results.collect::<Vec<_>>() }))
}

fn run(statement: Statement, state: &mut State) -> Value {
    match statement {
        // Seen on 1.6.7, with status 200.
        Statement::CreateDatabase(name) if name.is_empty() => json!({ "error": "invalid name" }),
        Statement::CreateDatabase(name) => {
            state.store.create(&name);
            json!({})
        }
        Statement::DropDatabase(name) => {
            state.store.remove(&name);
            json!({})
        }
        Statement::ShowDatabases => {
            let names: Vec<_> = state.store.databases().map(|name| [name]).collect();
            json!({ "series": [{ "name": "databases", "columns": ["name"], "values": names }] })
        }
    }
}

/// Splits a request's target into path and decoded query.
pub(super) fn split_target(target: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
    (
        path,
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
    )
}
