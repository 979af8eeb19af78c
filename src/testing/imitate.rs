//! Responses of other servers, one file per family.

mod cloud;
mod greptime;
mod influx1;
mod influx2;
mod influx3;
mod questdb;
mod telegraf;
mod victoria;

use std::borrow::Cow;

pub(super) use self::influx3::Catalog;
use super::{
    parse::{Parsed, ReadLine, Reading},
    precision::Precision,
    reply::Reply,
    request::Request,
    server::Server,
    state::State,
};

/// The response to any request.
pub(super) fn answer(server: Server, request: &Request, state: &mut State) -> Reply {
    let now = httpdate::fmt_http_date(std::time::SystemTime::now());
    route(server, request, state).header("Date", &now)
}

fn route(server: Server, request: &Request, state: &mut State) -> Reply {
    match server {
        Server::InfluxDb1_6 => influx1::answer(request, state, influx1::Version::V1_6),
        Server::InfluxDb1_8 => influx1::answer(request, state, influx1::Version::V1_8),
        Server::InfluxDb1_12 => influx1::answer(request, state, influx1::Version::V1_12),
        Server::InfluxDb2_7 => influx2::answer(request, state),
        Server::InfluxDb3 => influx3::answer(request, state),
        Server::Cloud => cloud::answer(request, state),
        Server::VictoriaMetrics1_79 => victoria::answer(request, state, victoria::Kind::Old),
        Server::VictoriaMetrics1_112 => victoria::answer(request, state, victoria::Kind::New),
        Server::Vmagent1_79 => victoria::answer(request, state, victoria::Kind::OldAgent),
        Server::QuestDb => questdb::answer(request, state),
        Server::GreptimeDb => greptime::answer(request, state),
        Server::Telegraf => telegraf::answer_v1(request, state),
        Server::TelegrafV2 => telegraf::answer_v2(request, state),
    }
}

/// A parameter that isn't empty.
fn param<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.param(name).filter(|value| !value.is_empty())
}

fn is_read(request: &Request) -> bool {
    matches!(request.method.as_str(), "GET" | "HEAD")
}

fn reading(precision: Precision, unsigned: bool) -> Reading {
    Reading {
        precision,
        unsigned,
        retention_policy: None,
    }
}

/// The body, or the error text of a wrong encoding.
fn payload(request: &Request) -> Result<Cow<'_, [u8]>, String> {
    request.payload()
}

fn split(lines: Vec<ReadLine>) -> Parsed {
    let mut parsed = Parsed::default();
    for line in lines {
        match line.point {
            Ok(point) => parsed.points.push(point),
            Err(why) => parsed
                .refused
                .push(format!("unable to parse '{}': {why}", line.text)),
        }
    }
    parsed
}

fn text(mut reply: Reply, body: impl Into<String>) -> Reply {
    reply.body = body.into().into();
    reply
}

/// A text as sent by Go's `http.Error`.
fn go_error(status: u16, body: impl Into<String>) -> Reply {
    let reply = Reply::new(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .header("X-Content-Type-Options", "nosniff");
    text(reply, body)
}

/// A string as quoted JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Go's `%q`.
fn go_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if (char as u32) < 0x20 || char as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", char as u32));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
