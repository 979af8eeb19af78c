//! InfluxDB 2.7, by its source: `http/write_handler.go`, `http/legacy/write_handler.go`,
//! `http/points/points_parser.go`, `kit/transport/http/error_handler.go`.

use serde_json::json;

use super::{is_read, param, payload, reading, split};
use crate::testing::{
    precision::Precision, reply::Reply, request::Request, server::Server, state::State,
};

pub(super) fn answer(request: &Request, state: &mut State) -> Reply {
    let reply = match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/api/v2/write") => write(request, state, true),
        ("POST", "/write") => write(request, state, false),
        (_, "/api/v2/write" | "/write") => Reply::new(405).header("Allow", "POST"),
        (_, "/ping") if is_read(request) => Reply::new(204),
        (_, "/health") if is_read(request) => Reply::new(200).json(&json!({
            "name": "influxdb", "message": "ready for queries and writes", "status": "pass",
            "checks": [], "version": version(), "commit": "ec9dcde5d6",
        })),
        _ => error(404, "not found", "path not found"),
    };
    reply
        .header("X-Influxdb-Build", "OSS")
        .header("X-Influxdb-Version", &version())
}

fn version() -> String {
    format!("v{}", Server::InfluxDb2_7.version())
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    let mut reply = Reply::new(status)
        .header("Content-Type", "application/json; charset=utf-8")
        .header("X-Platform-Error-Code", code);
    reply.body = json!({ "code": code, "message": message })
        .to_string()
        .into();
    reply
}

fn write(request: &Request, state: &mut State, is_v2: bool) -> Reply {
    if state.credentials.check(request).is_err() {
        let text = if is_v2 {
            "unauthorized access"
        } else {
            "Unauthorized"
        };
        return error(401, "unauthorized", text);
    }
    let (name, precision) = match is_v2 {
        true => {
            if param(request, "org").or(param(request, "orgID")).is_none() {
                let text = "Please provide either orgID or org";
                return error(400, "invalid", text);
            }
            let Some(precision) = Precision::of_v2(param(request, "precision")) else {
                let text = "invalid precision; valid precision units are ns, us, ms, and s";
                return error(400, "invalid", text);
            };
            (param(request, "bucket"), precision)
        }
        // Anything else means nanoseconds, also `u`.
        false => {
            let precision = match param(request, "precision") {
                Some("us") => Precision::Microseconds,
                Some("ms") => Precision::Milliseconds,
                Some("s") => Precision::Seconds,
                _ => Precision::Nanoseconds,
            };
            (param(request, "db"), precision)
        }
    };
    let database = match (name, is_v2) {
        (Some(name), _) if state.store.exists(name) => name.to_owned(),
        (Some(name), true) => {
            let text = format!("bucket {} not found", super::quoted(name));
            return error(404, "not found", &text);
        }
        (None, true) => return error(404, "not found", "bucket not found"),
        (Some(_), false) => return error(404, "not found", "no dbrp mapping found"),
        (None, false) => return error(400, "invalid", "missing db"),
    };
    if state.is_read_only {
        let why = crate::testing::service::READ_ONLY;
        let text = format!("unexpected error writing points to database: {why}");
        return error(500, "internal error", &text);
    }
    if request.body.len() > state.max_body_size {
        let text = "unable to read data: points batch is too large";
        return error(413, "request too large", text);
    }
    let Ok(body) = payload(request) else {
        let text = "An internal error has occurred - check server logs";
        return error(500, "internal error", text);
    };
    let parsed = split(reading(precision, true).lines(&body));
    if !parsed.refused.is_empty() {
        return error(400, "invalid", &parsed.refused.join("\n"));
    }
    match state.store.write(&database, parsed) {
        Ok(()) => Reply::new(204),
        Err(why) => {
            let names = "for database: 0a1b2c3d4e5f6071 for retention policy: autogen";
            let text = format!("failure writing points to database: {why} {names}");
            error(422, "unprocessable entity", &text)
        }
    }
}
