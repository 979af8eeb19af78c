//! VictoriaMetrics and vmagent: by running 1.79.5; by asking 1.150.0, `lib/protoparser/influx` and
//! `app/vminsert/main.go`.

use super::{go_error, go_quoted, param, payload, reading, text};
use crate::testing::{
    parse::ReadLine, point::Point, precision::Precision, reply::Reply, request::Request,
    state::State,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Old,
    OldAgent,
    New,
}

/// Twice `-influx.maxLineSize`, up to which the buffer grows.
const MAX_LINE: usize = 512 << 10;

/// The fixed response to `SHOW DATABASES`, for clients that require one.
const DATABASES: &str = r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["_internal"]]}]}]}"#;

pub(super) fn answer(request: &Request, state: &mut State, kind: Kind) -> Reply {
    // Seen: not on the old vmagent.
    let path = match kind {
        Kind::OldAgent => None,
        Kind::Old | Kind::New => request.path.strip_prefix("/influx"),
    };
    let path = path.unwrap_or(&request.path);
    let is_inner = path.len() < request.path.len();
    let is_new = kind == Kind::New;
    let is_ping = request.path == "/ping";
    if !is_ping && let Some(refusal) = unauthorised(request, state) {
        return named(refusal);
    }
    let reply = match path {
        "/write" | "/api/v2/write" => versioned(kind, write(request, state, kind)),
        "/query" => {
            let reply = Reply::new(200).header("Content-Type", "application/json");
            versioned(kind, text(reply, DATABASES))
        }
        "/ping" if !is_inner && param(request, "verbose").is_some() => Reply::new(200),
        "/ping" if !is_inner => Reply::new(204),
        "/health" if !is_inner => {
            let reply = Reply::new(200).header("Content-Type", "text/plain; charset=utf-8");
            text(reply, "OK")
        }
        _ => {
            let path = go_quoted(&request.path);
            refuse(
                request,
                &format!("unsupported path requested: {path}"),
                is_new,
            )
        }
    };
    named(reply)
}

fn named(reply: Reply) -> Reply {
    reply.header("X-Server-Hostname", "fake-influx")
}

fn versioned(kind: Kind, reply: Reply) -> Reply {
    match kind {
        Kind::OldAgent => reply,
        Kind::Old | Kind::New => reply.header("X-Influxdb-Version", "1.8.0"),
    }
}

fn unauthorised(request: &Request, state: &State) -> Option<Reply> {
    let is_basic = request
        .header("authorization")
        .is_some_and(|header| header.starts_with("Basic "));
    let is_allowed =
        state.credentials.are_none() || (is_basic && state.credentials.check(request).is_ok());
    (!is_allowed)
        .then(|| go_error(401, "\n").header("Www-Authenticate", "Basic realm=\"VictoriaMetrics\""))
}

/// A 400, which in the old version begins with client and URI.
fn refuse(request: &Request, why: &str, is_new: bool) -> Reply {
    let body = match is_new {
        true => format!("{why}\n"),
        false => format!(
            "remoteAddr: \"127.0.0.1:{}\"; requestURI: {}; {why}\n",
            request.peer_port, request.target
        ),
    };
    go_error(400, body)
}

fn write(request: &Request, state: &mut State, kind: Kind) -> Reply {
    let is_new = kind == Kind::New;
    if state.is_read_only && kind != Kind::OldAgent {
        let why = "cannot store metrics: the storage is in read-only mode; check -storage.minFreeDiskSpaceBytes command-line flag value";
        return Reply {
            status: 503,
            ..refuse(request, why, is_new)
        };
    }
    let encoding = request.header("content-encoding").unwrap_or_default();
    let is_known = ["", "gzip", "none", "identity"].contains(&encoding);
    if is_new && !is_known {
        let why = format!("unsupported encoding: {}", go_quoted(encoding));
        return refuse(request, &why, true);
    }
    let body = match payload(request) {
        Ok(body) => body,
        Err(why) => {
            let has_head = request.body.len() >= 10 && request.body.starts_with(&[0x1f, 0x8b]);
            let why = match has_head {
                false => format!("cannot read gzipped influx line protocol data: {why}"),
                true => format!(
                    "cannot read influx line protocol data: cannot read a block of data in 0.000s: {why}"
                ),
            };
            return refuse(request, &why, is_new);
        }
    };
    if body.len() > state.max_body_size {
        let limit = state.max_body_size;
        let why = format!("too big data size exceeding -influx.maxRequestSize={limit} bytes");
        return refuse(request, &why, is_new);
    }
    let precision = match param(request, "precision") {
        Some("ns") => Precision::Nanoseconds,
        Some("u" | "us" | "µ") => Precision::Microseconds,
        Some("ms") => Precision::Milliseconds,
        Some("s") => Precision::Seconds,
        Some("m") => Precision::Minutes,
        Some("h") => Precision::Hours,
        _ => Precision::Auto,
    };
    let reading = reading(precision, true);
    let is_streamed = !is_new || request.header("stream-mode") == Some("1");
    let database = param(request, "db").unwrap_or_default();
    if is_streamed {
        // Every newline ends a line, also within a string.
        let is_long = |line: &[u8]| line.len() > MAX_LINE;
        let long = body.split(|byte| *byte == b'\n').position(is_long);
        let taken = body
            .split(|byte| *byte == b'\n')
            .take(long.unwrap_or(usize::MAX));
        let lines = taken.flat_map(|line| reading.lines(line));
        let points = lines
            .filter_map(|line| line.point.ok())
            .map(in_milliseconds);
        state.store.put(database, points.collect());
        return match long {
            None => Reply::new(204),
            Some(_) => {
                let why =
                    "cannot read influx line protocol data: too long line: more than 262144 bytes";
                refuse(request, why, is_new)
            }
        };
    }
    // Parsed line by line, but a bad line refuses the whole body.
    let mut at = 0;
    let mut points = Vec::new();
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        for ReadLine { point, .. } in reading.lines(line.strip_suffix(b"\n").unwrap_or(line)) {
            match point {
                Ok(point) => points.push(in_milliseconds(point)),
                Err(why) => {
                    let rest = String::from_utf8_lossy(&body[at..]);
                    let rest = go_quoted(rest.strip_suffix('\n').unwrap_or(&rest));
                    let why = format!(
                        "cannot process influx line protocol data: incorrect influx line {rest}: {why}; \
                         see https://docs.victoriametrics.com/victoriametrics/integrations/influxdb/"
                    );
                    return refuse(request, &why, true);
                }
            }
        }
        at += line.len();
    }
    state.store.put(database, points);
    Reply::new(204)
}

/// As stored: a timestamp of 0 means now.
fn in_milliseconds(point: Point) -> Point {
    let timestamp = point.timestamp.filter(|stamp| *stamp != 0);
    Point {
        timestamp: timestamp.map(|stamp| stamp.div_euclid(1_000_000) * 1_000_000),
        ..point
    }
}
