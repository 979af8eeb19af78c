//! GreptimeDB, by its source: `src/servers/src/http/influxdb.rs`, `src/servers/src/error.rs`.

use super::{is_read, param, payload, reading, split};
use crate::testing::{precision::Precision, reply::Reply, request::Request, state::State};

pub(super) fn answer(request: &Request, state: &mut State) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/influxdb/write" | "/v1/influxdb/api/v2/write") => write(request, state),
        (_, "/v1/influxdb/ping") if is_read(request) => Reply::new(204),
        (_, "/v1/influxdb/health") if is_read(request) => Reply::new(200),
        _ => Reply::new(404),
    }
}

fn error(status: u16, code: u32, text: &str) -> Reply {
    let mut reply = Reply::new(status)
        .header("Content-Type", "application/json")
        .header("x-greptime-err-code", &code.to_string());
    reply.body = format!(
        r#"{{"code":{code},"error":{},"execution_time_ms":0}}"#,
        super::quoted(text)
    )
    .into();
    reply
}

fn write(request: &Request, state: &mut State) -> Reply {
    if let Err(why) = state.credentials.check(request) {
        return error(401, 7003, why);
    }
    let name = param(request, "bucket")
        .or(param(request, "db"))
        .unwrap_or("public");
    if !state.store.exists(name) {
        return error(
            400,
            1004,
            &format!("Failed to find schema, schema info: greptime-{name}"),
        );
    }
    let word = param(request, "precision");
    let precision = match word {
        None | Some("n" | "ns") => Precision::Nanoseconds,
        Some("u" | "us") => Precision::Microseconds,
        Some("ms") => Precision::Milliseconds,
        Some("s") => Precision::Seconds,
        Some("m") => Precision::Minutes,
        Some("h") => Precision::Hours,
        Some(word) => {
            return error(
                400,
                1004,
                &format!("Failed to convert time precision, name: {word}"),
            );
        }
    };
    if state.is_read_only {
        return error(401, 4007, "Region 4398046511104(1024, 0) is read only");
    }
    if request.body.len() > state.max_body_size {
        let mut reply = Reply::new(413).header("Content-Type", "text/plain; charset=utf-8");
        reply.body = "length limit exceeded".into();
        return reply;
    }
    let body = match payload(request) {
        Ok(body) => body,
        Err(why) => return error(400, 1004, &why),
    };
    let parsed = split(reading(precision, true).lines(&body));
    if !parsed.refused.is_empty() {
        return error(400, 1004, "Failed to parse InfluxDB line protocol");
    }
    match state.store.write(name, parsed) {
        Ok(()) => Reply::new(204),
        Err(_) => error(400, 1004, "incompatible schema: column type mismatch"),
    }
}
