//! InfluxDB Cloud Serverless, by its documentation (troubleshooting of writes, limits).

use super::{influx2::error, is_read, param, payload, reading, split};
use crate::testing::{precision::Precision, reply::Reply, request::Request, state::State};

/// Maximum number of numbered bad lines.
const NUMBERED: usize = 100;

pub(super) fn answer(request: &Request, state: &mut State) -> Reply {
    let reply = match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/api/v2/write" | "/write") => write(request, state),
        (_, "/ping") if is_read(request) => Reply::new(204),
        _ => error(404, "not found", "path not found"),
    };
    reply.header("X-Influxdb-Build", "Cloud")
}

fn write(request: &Request, state: &mut State) -> Reply {
    if state.credentials.check(request).is_err() {
        return Reply::new(401);
    }
    let name = param(request, "bucket").or(param(request, "db"));
    let Some(name) = name.filter(|name| state.store.exists(name)) else {
        let text = format!(
            "bucket {} not found",
            super::quoted(name.unwrap_or_default())
        );
        return error(404, "not found", &text);
    };
    let Some(precision) = Precision::of_v2(param(request, "precision")) else {
        return error(400, "invalid", "invalid precision");
    };
    if state.is_read_only {
        return Reply::new(503).header("Retry-After", "1");
    }
    if request.body.len() > state.max_body_size {
        let text = "cannot read data: points in batch is too large";
        return error(413, "request too large", text);
    }
    let body = match payload(request) {
        Ok(body) => body,
        Err(why) => return error(400, "invalid", &why),
    };
    let lines = reading(precision, true).lines(&body);
    let bad: Vec<_> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.point.as_ref().err()?)))
        .take(NUMBERED)
        .collect();
    if let Some((first, _)) = bad.first() {
        let errors = bad
            .iter()
            .map(|(number, why)| format!("  error parsing line {number} (1-based): {why}"));
        let message = format!(
            "failed to parse line protocol:\n  errors encountered on line(s):\n{}",
            errors.collect::<Vec<_>>().join("\n")
        );
        let mut reply = error(400, "invalid", "");
        reply.body = serde_json::json!({ "code": "invalid", "line": first, "message": message })
            .to_string()
            .into();
        return reply;
    }
    match state.store.write(name, split(lines)) {
        Ok(()) => Reply::new(204),
        Err(why) => error(422, "unprocessable entity", &why),
    }
}
