//! QuestDB 8, by its source: `LineHttpProcessorState.java`, `LineHttpProcessorImpl.java`,
//! `LineHttpPingProcessor.java`.

use super::{is_read, param, reading, split};
use crate::testing::{
    precision::Precision,
    reply::{Framing, Reply},
    request::Request,
    state::State,
};

/// Maximum length of a line that fits the buffer, in bytes.
const MAX_LINE: usize = 2 << 20;

pub(super) fn answer(request: &Request, state: &mut State) -> Reply {
    let reply = match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/write" | "/api/v2/write") => write(request, state),
        (_, "/ping") if is_read(request) => Reply::new(204).header("X-Influxdb-Version", "v2.7.4"),
        _ => {
            let mut reply = Reply::new(404).header("Content-Type", "text/plain; charset=utf-8");
            reply.body = "Not Found\r\n".into();
            reply
        }
    };
    reply.header("Server", "questDB/1.0")
}

fn error(status: u16, code: &str, text: &str, line: usize) -> Reply {
    let mut reply = Reply::new(status).header("Content-Type", "application/json; charset=utf-8");
    reply.framing = Framing::Chunked;
    let text = format!("failed to parse line protocol:errors encountered on line(s):{text}");
    reply.body = format!(
        r#"{{"code":"{code}","message":{},"line":{line},"errorId":"3a1c5b7d9e0f-1"}}"#,
        super::quoted(&text)
    )
    .into();
    reply
}

fn write(request: &Request, state: &mut State) -> Reply {
    let precision = match param(request, "precision") {
        None | Some("n" | "ns") => Precision::Nanoseconds,
        Some("u" | "us") => Precision::Microseconds,
        Some("ms") => Precision::Milliseconds,
        Some("s") => Precision::Seconds,
        Some("m") => Precision::Minutes,
        Some("h") => Precision::Hours,
        Some(_) => return error(400, "not supported", "unsupported precision", 0),
    };
    if state.credentials.check(request).is_err() {
        let mut reply = Reply::new(401).header(
            "WWW-Authenticate",
            "Basic realm=\"questdb\", charset=\"UTF-8\"",
        );
        reply.body = "Unauthorized\r\n".into();
        return reply;
    }
    // Supported since 9.1.
    if request.header("content-encoding") == Some("gzip") {
        return error(415, "not supported", "gzip encoding is not supported", 0);
    }
    if state.is_read_only {
        let text = "write error: m, errno: 28, error: could not append, no space left on device";
        return error(500, "internal error", text, 1);
    }
    let lines = reading(precision, false).lines(&request.body);
    for (at, line) in lines.iter().enumerate() {
        let number = at + 1;
        if line.text.len() > MAX_LINE {
            let text = "unable to read data: ILP line does not fit QuestDB ILP buffer size";
            return error(413, "request too large", text, number);
        }
        let why = match &line.point {
            // A column has one type in all rows.
            Ok(point) => state.store.conflict("", point).map(|(column, from, to)| {
                format!(
                    "table: {}, column: {column}; cast error from protocol type: {} to column type: {}",
                    point.measurement,
                    from.to_uppercase(),
                    to.to_uppercase()
                )
            }),
            Err(why) => Some(format!("Could not parse entire line. {why}")),
        };
        if let Some(why) = why {
            let text = format!("\nerror in line {number}: {why}");
            return error(400, "invalid", &text, number);
        }
    }
    // Database and bucket are ignored, and points are not merged.
    state.store.append("", split(lines).points);
    Reply::new(204)
}
