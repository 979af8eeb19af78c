//! Telegraf's two listeners, by their source: `plugins/inputs/influxdb_listener` and
//! `plugins/inputs/influxdb_v2_listener`.

use serde_json::json;

use super::{go_error, is_read, param, payload, reading, split};
use crate::testing::{
    parse::ReadLine, precision::Precision, reply::Reply, request::Request, state::State,
};

pub(super) fn answer_v1(request: &Request, state: &mut State) -> Reply {
    if is_read(request) && request.path == "/ping" {
        let reply = Reply::new(204).header("X-Influxdb-Version", "1.0");
        return match param(request, "verbose") {
            None => reply,
            Some(_) => Reply {
                status: 200,
                ..reply
            }
            .header("Content-Type", "application/json")
            .json(&json!({ "version": "1.0" })),
        };
    }
    if state.credentials.check(request).is_err() {
        return go_error(401, "Unauthorized\n");
    }
    match request.path.as_str() {
        "/write" => write_v1(request, state),
        "/query" => {
            let reply = Reply::new(200)
                .header("Content-Type", "application/json")
                .header("X-Influxdb-Version", "1.0");
            reply.json(&json!({ "results": [] }))
        }
        _ => go_error(404, "404 page not found\n"),
    }
}

fn error_v1(status: u16, text: &str) -> Reply {
    let header = text.replace(['\r', '\n'], " ");
    let reply = Reply::new(status)
        .header("Content-Type", "application/json")
        .header("X-Influxdb-Version", "1.0")
        .header("X-Influxdb-Error", &header);
    super::text(reply, json!({ "error": text }).to_string())
}

/// The parser's message: the first bad line, and the number of the others.
fn parse_error(lines: &[ReadLine]) -> Option<String> {
    let bad =
        |(at, line): (usize, &ReadLine)| line.point.is_err().then(|| (at + 1, line.text.clone()));
    let bad: Vec<_> = lines.iter().enumerate().filter_map(bad).collect();
    let (at, text) = bad.first()?;
    let others = match bad.len() - 1 {
        0 => String::new(),
        1 => " (and 1 other parse error)".to_owned(),
        count => format!(" (and {count} other parse errors)"),
    };
    let text = super::go_quoted(text);
    Some(format!(
        "metric parse error: expected field at {at}:1: {text}{others}"
    ))
}

fn write_v1(request: &Request, state: &mut State) -> Reply {
    // The listener ends.
    if state.is_read_only {
        return Reply::new(503);
    }
    if request.body.len() > state.max_body_size {
        return error_v1(413, "http: request body too large");
    }
    let body = match payload(request) {
        Ok(body) => body,
        Err(why) => return error_v1(400, &why),
    };
    let precision = match param(request, "precision") {
        Some("u") => Precision::Microseconds,
        Some("ms") => Precision::Milliseconds,
        Some("s") => Precision::Seconds,
        Some("m") => Precision::Minutes,
        Some("h") => Precision::Hours,
        _ => Precision::Nanoseconds,
    };
    let lines = reading(precision, true).lines(&body);
    let error = parse_error(&lines);
    let database = param(request, "db").unwrap_or_default();
    // Types are not compared here.
    state.store.put(database, split(lines).points);
    match error {
        None => Reply::new(204).header("X-Influxdb-Version", "1.0"),
        Some(why) => error_v1(400, &why),
    }
}

pub(super) fn answer_v2(request: &Request, state: &mut State) -> Reply {
    match request.path.as_str() {
        "/ping" if is_read(request) => Reply::new(204).header("X-Influxdb-Build", "telegraf"),
        "/health" | "/ready" if is_read(request) => Reply::new(200)
            .header("Content-Type", "application/json")
            .json(&json!({ "name": "telegraf", "status": "pass", "message": "ready" })),
        "/api/v2/write" => write_v2(request, state),
        _ => go_error(404, "404 page not found\n"),
    }
}

fn error_v2(status: u16, text: &str) -> Reply {
    let reply = Reply::new(status).header("Content-Type", "application/json");
    let body = json!({ "code": "invalid", "err": text, "message": text, "op": "" });
    super::text(reply, body.to_string())
}

fn write_v2(request: &Request, state: &mut State) -> Reply {
    let is_token = request
        .header("authorization")
        .is_some_and(|header| header.starts_with("Token "));
    let credentials = &state.credentials;
    let is_allowed = is_token && credentials.check(request).is_ok();
    if !credentials.are_none() && !is_allowed {
        return go_error(401, "Unauthorized\n");
    }
    // The limit `max_undelivered_metrics` is reached.
    if state.is_read_only {
        return Reply::new(429);
    }
    if request.body.len() > state.max_body_size {
        let limit = state.max_body_size.to_string();
        let text = "http: request body too large";
        let reply = Reply::new(413).header("Content-Type", "application/json");
        let body = json!({ "code": "invalid", "maxLength": limit, "message": text });
        return super::text(reply, body.to_string());
    }
    let body = match payload(request) {
        Ok(body) => body,
        Err(why) => return error_v2(400, &why),
    };
    let precision = Precision::of_v2(param(request, "precision")).unwrap_or(Precision::Nanoseconds);
    let lines = reading(precision, true).lines(&body);
    if let Some(why) = parse_error(&lines) {
        return error_v2(400, &why);
    }
    let bucket = param(request, "bucket").unwrap_or_default();
    state.store.put(bucket, split(lines).points);
    Reply::new(204)
}
