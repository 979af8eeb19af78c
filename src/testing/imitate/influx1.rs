//! InfluxDB 1.x, by running 1.6.7, and by the source of 1.8.10 and 1.12.4
//! (`services/httpd/handler.go`) where they differ.

use serde_json::json;

use super::{is_read, param};
use crate::testing::{precision::Precision, reply::Reply, request::Request, service, state::State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1_6,
    V1_8,
    V1_12,
}

impl Version {
    /// As in its header; Debian's 1.6.7 sends `1.6.7~rc0`.
    fn text(self) -> &'static str {
        match self {
            Self::V1_6 => "1.6.7",
            Self::V1_8 => "1.8.10",
            Self::V1_12 => "1.12.4",
        }
    }
}

pub(super) fn answer(request: &Request, state: &mut State, version: Version) -> Reply {
    let reply = route(request, state, version);
    let is_set = |name: &str| reply.headers.iter().any(|(header, _)| header == name);
    let mut reply = match is_set("X-Influxdb-Build") {
        true => reply,
        false => reply
            .header("X-Influxdb-Build", "OSS")
            .header("X-Influxdb-Version", ""),
    };
    for (name, value) in &mut reply.headers {
        if name == "X-Influxdb-Version" {
            version.text().clone_into(value);
        }
    }
    reply
}

fn route(request: &Request, state: &mut State, version: Version) -> Reply {
    let is_new = version != Version::V1_6;
    match request.path.as_str() {
        "/write" if request.method == "POST" => write(request, state, version),
        "/api/v2/write" if is_new && request.method == "POST" => write(request, state, version),
        "/api/v2/write" | "/health" if !is_new => service::not_found(),
        "/health" if is_read(request) => Reply::influx(200).json(&json!({
            "checks": [], "message": "ready for queries and writes", "name": "influxdb",
            "status": "pass", "version": version.text(),
        })),
        "/ping" if is_new && is_read(request) && param(request, "verbose").is_some() => {
            Reply::influx(200).json(&json!({ "version": version.text() }))
        }
        "/api/v3/write_lp" => service::not_found(),
        _ => service::answer(request, state),
    }
}

fn write(request: &Request, state: &mut State, version: Version) -> Reply {
    // Seen on 1.6.7: tokens are not supported yet.
    let is_token = |header: &str| header.starts_with("Token ");
    if version == Version::V1_6
        && !state.credentials.are_none()
        && request.header("authorization").is_some_and(is_token)
    {
        return Reply::error(401, "unable to parse authentication credentials");
    }
    let word = param(request, "precision");
    let is_v2 = request.path == "/api/v2/write";
    let words = match is_v2 {
        true => "ns, us, ms or s",
        false => "n, u, ms, s, m or h",
    };
    let is_known = match is_v2 {
        true => Precision::of_v2(word).is_some(),
        false => word.is_none_or(|word| ["n", "ns", "u", "ms", "s", "m", "h"].contains(&word)),
    };
    let is_bad_precision = version != Version::V1_6 && !is_known;
    let bad_precision = || {
        let word = word.unwrap_or_default();
        Reply::error(400, &format!("invalid precision \"{word}\" (use {words})"))
    };
    if is_bad_precision
        && version == Version::V1_12
        && service::Write::refusal(request, state).is_none()
    {
        return bad_precision();
    }
    let levels = ["any", "one", "quorum", "all"];
    if let Some(level) = param(request, "consistency")
        && !levels.contains(&level.to_ascii_lowercase().as_str())
        && service::Write::refusal(request, state).is_none()
    {
        return Reply::error(400, "invalid consistency level");
    }
    let policy = param(request, "rp").map(str::to_owned);
    if let Some(policy) = policy
        && state.missing_policies.contains(&policy)
        && service::Write::refusal(request, state).is_none()
    {
        return Reply::error(500, &format!("retention policy not found: {policy}"));
    }
    let reply = service::Write::read(request).accept(request, state);
    // By the source of 1.8 and 1.9: the error is sent, and then the points are written.
    match is_bad_precision && matches!(reply.status, 204 | 400) {
        true => bad_precision(),
        false if version == Version::V1_12 => with_names(reply, request),
        false => reply,
    }
}

/// Adds database and retention policy to a text about points.
fn with_names(reply: Reply, request: &Request) -> Reply {
    let json = serde_json::from_slice::<serde_json::Value>(&reply.body).ok();
    let text = json.as_ref().and_then(|json| json.get("error")?.as_str());
    match text.filter(|text| text.contains(" dropped=")) {
        Some(text) => {
            let database = param(request, "db").or(param(request, "bucket"));
            let (database, policy) = (
                database.unwrap_or_default(),
                param(request, "rp").unwrap_or("autogen"),
            );
            let names = format!(" for database: {database} for retention policy: {policy}");
            Reply::error(400, &format!("{text}{names}"))
        }
        None => reply,
    }
}
