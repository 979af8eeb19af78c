//! Decides whether the server that answers a ping takes line protocol.

use std::fmt;

use super::{
    exchange::Response,
    fault::{Fault, FaultKind},
    http::shown,
    product::{Identity, Product, ServerHeaders},
};
use crate::printable::{LIMIT, html_title, printable};

/// A server's response to [`Influx::ping`](crate::Influx::ping).
///
/// ```
/// # use actix_influxdb::ServerInfo;
/// fn is_1x(server: &ServerInfo) -> bool {
///     server.version.as_deref().is_some_and(|version| version.starts_with("1."))
/// }
/// # let _ = is_1x;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServerInfo {
    /// The server's base URL.
    pub url: String,
    /// The product, as far as its headers tell.
    pub product: Product,
    /// The server's version, for example `1.6.7`: the header `X-Influxdb-Version`, or `version` in
    /// the body. `None` if the server sends none, or that of an InfluxDB that it imitates.
    pub version: Option<String>,
    /// The edition, for example `OSS` or `Core`: the header `X-Influxdb-Build`; for Telegraf, the
    /// name of the listener.
    pub build: Option<String>,
}

impl ServerInfo {
    pub(crate) fn new(url: String, identity: &Identity) -> Self {
        Self {
            url,
            product: identity.product,
            version: identity.version.clone(),
            build: identity.build.clone(),
        }
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        (self.product != Product::Unknown).then(|| Identity {
            product: self.product,
            version: self.version.clone(),
            build: self.build.clone(),
        })
    }
}

/// For example `InfluxDB 1.6.7 (OSS) at http://localhost:8086`.
impl fmt::Display for ServerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = Identity {
            product: self.product,
            version: self.version.clone(),
            build: self.build.clone(),
        };
        write!(f, "{identity} at {}", self.url)
    }
}

/// Why a ping failed.
///
/// ```
/// # use actix_influxdb::{Influx, PingError};
/// # async fn check(influx: &Influx) {
/// if let Err(PingError::Status { status: 401, .. }) = influx.ping().await {
///     eprintln!("wrong credentials");
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[non_exhaustive]
pub enum PingError {
    /// No connection, or no complete response in time.
    #[display("{url} does not answer: {reason}")]
    #[non_exhaustive]
    Unreachable {
        /// The server's base URL.
        url: String,
        /// The reason.
        reason: String,
    },
    /// A response that is not HTTP/1.1: the port may speak another protocol, or TLS.
    #[display("{url} does not answer in HTTP: {reason}")]
    #[non_exhaustive]
    NotHttp {
        /// The server's base URL.
        url: String,
        /// The beginning of the answer.
        reason: String,
    },
    /// A status other than 2xx.
    #[display("{url} answers GET /ping with status {status}, not with 2xx{}", advice(*status))]
    #[non_exhaustive]
    Status {
        /// The server's base URL.
        url: String,
        /// The status code.
        status: u16,
    },
    /// A redirect, which is not followed, so that credentials go to no other server.
    #[display(
        "{url} answers GET /ping with status {status} and redirects to \"{location}\": redirects are not followed, \
         set the server's own base URL"
    )]
    #[non_exhaustive]
    Redirected {
        /// The server's base URL.
        url: String,
        /// The status code.
        status: u16,
        /// The header `Location`, at most 500 characters of it; empty if there was none.
        location: String,
    },
    /// A success, but not from a server for line protocol: a web page, a list of routes. Writes
    /// might succeed there and store nothing.
    #[display(
        "{url} answers GET /ping with status {status}, but not like a server for line protocol: {answer}; \
         is it the base URL of InfluxDB, without the path of an API?"
    )]
    #[non_exhaustive]
    Foreign {
        /// The server's base URL.
        url: String,
        /// The status code.
        status: u16,
        /// The title of the page, or the beginning of the body; on one line, at most 500
        /// characters.
        answer: String,
    },
    /// No server was asked: delivery is disabled or has stopped.
    #[display("no server was asked: delivery is disabled or has stopped")]
    Stopped,
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => ": check the user and password, or the token",
        404 | 405 => ": is it the base URL of InfluxDB, without the path of an API?",
        500..=599 => ": the server, or a proxy in front of it, has a fault",
        _ => "",
    }
}

/// Interprets the response to a ping.
pub(super) fn judge(
    url: String,
    response: Result<Response, Fault>,
) -> Result<ServerInfo, PingError> {
    match response {
        Err(Fault { kind, reason, .. }) => Err(match kind {
            FaultKind::NotReadable => PingError::NotHttp { url, reason },
            _ => PingError::Unreachable { url, reason },
        }),
        Ok(response) => {
            let response = PingResponse {
                status: response.status,
                identity: ServerHeaders::new(&response, false).identity(),
                location: response.text("location"),
                body: response.body(),
            };
            response.judge(url)
        }
    }
}

/// The parts of a response that matter here.
#[derive(Debug, Default)]
struct PingResponse {
    status: u16,
    /// From the headers.
    identity: Option<Identity>,
    location: Option<String>,
    body: String,
}

impl PingResponse {
    fn judge(self, url: String) -> Result<ServerInfo, PingError> {
        let status = self.status;
        match status {
            200..=299 => {}
            300..=399 => {
                let location = self.location.unwrap_or_default();
                let location = printable(&location, LIMIT).into_owned();
                return Err(PingError::Redirected {
                    url,
                    status,
                    location,
                });
            }
            _ => return Err(PingError::Status { url, status }),
        }
        let body = self.body.trim();
        let json = serde_json::from_str::<serde_json::Value>(body).ok();
        // Sent by InfluxDB 1 (`verbose`), 3 and Telegraf.
        let in_body = json.as_ref().and_then(|json| json.get("version")?.as_str());
        let is_good = status == 204
            || self.identity.is_some()
            || in_body.is_some()
            // An empty body: GreptimeDB, VictoriaMetrics (`verbose`). `OK`: `/health` of
            // VictoriaMetrics and v3, to which a proxy may map pings.
            || body.is_empty()
            || body.eq_ignore_ascii_case("ok");
        if is_good {
            let mut identity = self.identity.unwrap_or_default();
            if let (Product::InfluxDb | Product::Unknown, None) =
                (identity.product, &identity.version)
                && let Some(version) = in_body
            {
                // Sent by InfluxDB 3, and by 1.8 if asked; a proxy may remove the headers.
                identity.product = Product::InfluxDb;
                identity.version = Some(shown(version));
            }
            return Ok(ServerInfo::new(url, &identity));
        }
        let answer = match (html_title(body), json) {
            (Some(_), _) => format!("a web page, \"{}\"", shown(body)),
            (None, Some(_)) => format!("JSON without a version, {}", shown(body)),
            (None, None) => format!("\"{}\"", shown(body)),
        };
        Err(PingError::Foreign {
            url,
            status,
            answer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, body: &str) -> Result<Option<String>, PingError> {
        let response = PingResponse {
            status,
            body: body.to_owned(),
            ..PingResponse::default()
        };
        response
            .judge("http://h".to_owned())
            .map(|info| info.version)
    }

    #[test]
    fn what_the_known_servers_answer_is_good() {
        let v3 = r#"{"version":"3.10.1","revision":"x","process_id":"y","product_name":"z"}"#;
        for (status, body, version) in [
            (204, "", None),
            (200, "", None),
            (200, "OK", None),
            (200, r#"{"version":"1.8.10"}"#, Some("1.8.10")),
            (200, v3, Some("3.10.1")),
        ] {
            assert_eq!(judge(status, body).unwrap().as_deref(), version, "{body}");
        }
        let named = PingResponse {
            status: 200,
            identity: Some(Identity::default()),
            body: "anything".to_owned(),
            ..PingResponse::default()
        };
        assert!(named.judge(String::new()).is_ok());
    }

    #[test]
    fn a_page_and_a_list_of_routes_are_no_server_for_line_protocol() {
        for (body, wanted) in [
            (
                "<html><head><title>Welcome to nginx!</title>",
                "a web page, \"Welcome to nginx!\"",
            ),
            (r#"["/a","/b"]"#, r#"JSON without a version, ["/a","/b"]"#),
            (r#"{"routes":{}}"#, "JSON without a version"),
            ("pong\r\n", "\"pong\""),
        ] {
            let error = judge(200, body).unwrap_err();
            assert!(matches!(error, PingError::Foreign { .. }), "{error:?}");
            let text = error.to_string();
            assert!(
                text.contains(wanted) && text.contains("is it the base URL of"),
                "{text}"
            );
        }
    }

    #[test]
    fn other_statuses_say_what_to_do() {
        for (status, wanted) in [
            (401, "check the user and password"),
            (404, "without the path of an API"),
            (502, "a proxy in front of it"),
        ] {
            let text = judge(status, "").unwrap_err().to_string();
            assert!(text.contains(wanted), "{text}");
        }
        let moved = PingResponse {
            status: 301,
            location: Some("https://h/\u{1}".to_owned()),
            ..PingResponse::default()
        };
        let text = moved.judge("http://h".to_owned()).unwrap_err().to_string();
        assert!(text.contains("redirects to \"https://h/\\u{1}\""), "{text}");
    }
}
