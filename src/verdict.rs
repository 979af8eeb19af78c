//! What a response, or the lack of one, means for the batch that was sent. Pure: acting on it is
//! elsewhere.
//!
//! Sources: RFC 9110 §15 (status codes) and §10.2.3 (`Retry-After`); the bodies as seen on
//! InfluxDB 1.6.7.

use std::time::{Duration, SystemTime};

/// What came of a POST.
#[derive(Clone, Debug, derive_more::Display)]
pub(crate) enum Outcome {
    #[display("status {}", _0.status)]
    Answered(Answer),
    /// There was no connection: refused, not resolved, no TLS.
    #[display("not connected: {reason}")]
    NotConnected { reason: String },
    /// There was one, and no whole response: timeout, reset, cut.
    #[display("not answered: {reason}")]
    NotAnswered { reason: String },
    /// The connection was cut while the request was sent, or before the response.
    #[display("cut off: {reason}")]
    CutOff { reason: String },
    /// There was a response that is no HTTP.
    #[display("not readable: {reason}")]
    NotReadable { reason: String },
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header `Retry-After` as it came.
    pub(crate) retry_after: Option<String>,
    /// The first of it, if it is long.
    pub(crate) body: String,
    /// The header `X-Influxdb-Error`: what the body says, cut short. For when there is no body.
    pub(crate) error: Option<String>,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Endpoint,
    Database,
    /// The endpoint's if others fail as well.
    Unclear,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The server has it.
    Written,
    /// Try again, later.
    Retry(Retry),
    /// At least one line is bad: find it.
    Rejected { reason: String },
    /// Send less at once.
    TooLarge { reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) reason: String,
    pub(crate) scope: Scope,
    /// Somebody has to change something before it can succeed: the credential, the database.
    pub(crate) is_misconfigured: bool,
    pub(crate) not_before: Option<Duration>,
    /// What may be the batch's own fault, if it happens again and again.
    pub(crate) oddity: Option<Oddity>,
}

/// A failure that a batch may cause by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// A server that finds a body too large may cut the connection before it says so.
    CutOff,
    /// InfluxDB 1.6.7 repeats what it could not parse in a header, raw: with a control character in
    /// it the response is no HTTP.
    NotReadable,
}

impl Retry {
    pub(crate) fn new(scope: Scope, reason: String) -> Self {
        Self {
            reason,
            scope,
            is_misconfigured: false,
            not_before: None,
            oddity: None,
        }
    }
}

/// What a server says in the body of a 500 that no retry will change.
const PERMANENT: [&str; 4] = [
    "partial write",
    "field type conflict",
    "unable to parse",
    "points beyond retention policy",
];

/// The longest that `Retry-After` is followed.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// The verdict on a batch, `now` being the time that an HTTP date in `Retry-After` is held against.
pub(crate) fn verdict(outcome: Outcome, now: SystemTime) -> Verdict {
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::NotConnected { reason } => {
            return Verdict::Retry(Retry::new(Scope::Endpoint, reason));
        }
        Outcome::NotAnswered { reason } => {
            return Verdict::Retry(Retry::new(Scope::Unclear, reason));
        }
        Outcome::CutOff { reason } => return odd(Oddity::CutOff, reason),
        Outcome::NotReadable { reason } => return odd(Oddity::NotReadable, reason),
    };
    let reason = reason(&answer);
    let not_before = answer
        .retry_after
        .as_deref()
        .and_then(|value| retry_after(value, now));
    match answer.status {
        200..=299 => Verdict::Written,
        400 | 422 => Verdict::Rejected { reason },
        500 if PERMANENT.iter().any(|fault| reason.contains(fault)) => Verdict::Rejected { reason },
        413 => Verdict::TooLarge { reason },
        404 | 500 if is_missing_database(&reason) => Verdict::Retry(Retry {
            is_misconfigured: true,
            ..Retry::new(Scope::Database, reason)
        }),
        429 | 503 if not_before.is_some() => Verdict::Retry(Retry {
            not_before,
            ..Retry::new(Scope::Endpoint, reason)
        }),
        429 => Verdict::Retry(Retry::new(Scope::Endpoint, reason)),
        500..=599 => Verdict::Retry(Retry::new(Scope::Unclear, reason)),
        _ => Verdict::Retry(Retry {
            is_misconfigured: true,
            ..Retry::new(Scope::Endpoint, reason)
        }),
    }
}

fn odd(oddity: Oddity, reason: String) -> Verdict {
    Verdict::Retry(Retry {
        oddity: Some(oddity),
        ..Retry::new(Scope::Unclear, reason)
    })
}

/// The status, and the server's own words: `error` of v1, `message` of v2 and v3, or the body.
fn reason(answer: &Answer) -> String {
    let body = match (answer.body.trim(), &answer.error) {
        ("", Some(error)) => error,
        (body, _) => body,
    };
    let json = json(body);
    let text = json.as_ref().and_then(|json| {
        let texts = ["error", "message"].map(|key| json.get(key).and_then(|text| text.as_str()));
        texts.into_iter().flatten().next()
    });
    match text.unwrap_or(body) {
        "" => format!("status {}", answer.status),
        text => format!("status {}: {text}", answer.status),
    }
}

/// The body as JSON, also if only the first part of it was read.
fn json(body: &str) -> Option<serde_json::Value> {
    if !body.starts_with('{') {
        return None;
    }
    let whole = serde_json::from_str(body).ok();
    // Cut inside of its last string, perhaps inside of an escape there.
    whole.or_else(|| {
        let ends = (0..=6).filter_map(|cut| body.get(..body.len().checked_sub(cut)?));
        let closed = |start: &str| serde_json::from_str(&format!("{start}\"}}")).ok();
        ends.map(closed).find_map(|json| json)
    })
}

/// v1: `database not found: "x"`, and with status 500 `retention policy not found: x`; v2:
/// `bucket "x" not found`; v3: `database x not found`.
fn is_missing_database(reason: &str) -> bool {
    let places = ["database", "retention policy", "bucket"];
    reason.contains("not found") && places.iter().any(|place| reason.contains(place))
}

/// Seconds or an HTTP date (RFC 9110 §10.2.3), at most [`MAX_RETRY_AFTER`].
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let delay = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn of(status: u16, body: &str) -> Verdict {
        with_retry_after(status, body, None)
    }

    fn with_retry_after(status: u16, body: &str, retry_after: Option<&str>) -> Verdict {
        let answer = Answer {
            status,
            retry_after: retry_after.map(str::to_owned),
            body: body.to_owned(),
            error: None,
        };
        verdict(Outcome::Answered(answer), now())
    }

    fn retry(verdict: Verdict) -> Retry {
        match verdict {
            Verdict::Retry(retry) => retry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_2xx_is_written() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, ""), Verdict::Written);
        }
    }

    #[test]
    fn no_connection_is_the_endpoints_fault() {
        let reason = || "refused".to_owned();
        let verdict = verdict(Outcome::NotConnected { reason: reason() }, now());
        assert_eq!(retry(verdict), Retry::new(Scope::Endpoint, reason()));
    }

    #[test]
    fn a_timeout_a_reset_and_a_5xx_may_be_the_databases_fault() {
        let reason = || "reset".to_owned();
        let verdict = verdict(Outcome::NotAnswered { reason: reason() }, now());
        assert_eq!(retry(verdict), Retry::new(Scope::Unclear, reason()));
        for status in [500, 502, 503, 504, 507, 599] {
            let retry = retry(of(status, r#"{"error":"timeout"}"#));
            assert_eq!(
                retry,
                Retry::new(Scope::Unclear, format!("status {status}: timeout"))
            );
        }
    }

    #[test]
    fn a_429_is_the_endpoints_and_retry_after_is_followed_as_seconds_and_as_a_date() {
        for status in [429, 503] {
            for (value, seconds) in [
                ("7", 7),
                (" 0 ", 0),
                ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
                ("Tue, 14 Nov 2023 22:13:10 GMT", 0),
                ("86400", 600),
                ("99999999999999999999999", 600),
                ("Fri, 31 Dec 2100 23:59:59 GMT", 600),
            ] {
                let retry = retry(with_retry_after(status, "", Some(value)));
                assert_eq!(retry.scope, Scope::Endpoint);
                assert_eq!(
                    retry.not_before,
                    Some(Duration::from_secs(seconds)),
                    "{value}"
                );
                assert!(!retry.is_misconfigured);
            }
        }
        for value in [None, Some(""), Some("soon"), Some("-1"), Some("1.5")] {
            let retry = retry(with_retry_after(429, "", value));
            assert_eq!((retry.scope, retry.not_before), (Scope::Endpoint, None));
        }
    }

    #[test]
    fn a_400_and_a_422_are_rejected_with_the_servers_reason() {
        let partial = r#"{"error":"partial write: unable to parse 'bad line': invalid field format dropped=0"}"#;
        let reason =
            "status 400: partial write: unable to parse 'bad line': invalid field format dropped=0";
        let rejected = |reason: &str| Verdict::Rejected {
            reason: reason.to_owned(),
        };
        assert_eq!(of(400, partial), rejected(reason));
        assert_eq!(
            of(
                422,
                r#"{"code":"unprocessable entity","message":"outside retention"}"#
            ),
            rejected("status 422: outside retention")
        );
        assert_eq!(of(400, ""), rejected("status 400"));
        assert_eq!(of(400, "<html>no"), rejected("status 400: <html>no"));
    }

    #[test]
    fn a_500_that_names_a_permanent_fault_is_rejected() {
        for fault in [
            "partial write: x dropped=1",
            "field type conflict: x",
            "unable to parse 'x'",
            "partial write: points beyond retention policy dropped=1",
        ] {
            let body = serde_json::json!({ "error": fault }).to_string();
            assert!(
                matches!(of(500, &body), Verdict::Rejected { .. }),
                "{fault}"
            );
        }
        assert!(matches!(
            of(500, r#"{"error":"engine: closed"}"#),
            Verdict::Retry(_)
        ));
    }

    #[test]
    fn the_header_speaks_only_where_there_is_no_body() {
        let answer = |body: &str| Answer {
            status: 400,
            retry_after: None,
            body: body.to_owned(),
            error: Some("from the header".to_owned()),
        };
        assert_eq!(reason(&answer("")), "status 400: from the header");
        assert_eq!(reason(&answer("body")), "status 400: body");
    }

    #[test]
    fn a_body_that_was_not_read_to_its_end_is_still_understood() {
        let whole = r#"{"error":"unable to parse 'a \u003c \"b\"': invalid"}"#;
        for end in whole.len() - 10..whole.len() {
            let Verdict::Rejected { reason } = of(400, &whole[..end]) else {
                panic!("{end}");
            };
            assert!(
                reason.starts_with("status 400: unable to parse 'a < \"b\"'"),
                "{reason}"
            );
        }
        // Also where the cut is in the middle of an escape.
        let Verdict::Rejected { reason } = of(400, r#"{"error":"unable to parse 'a \u00"#) else {
            panic!();
        };
        assert_eq!(reason, "status 400: unable to parse 'a ");
    }

    #[test]
    fn what_is_cut_off_or_not_readable_is_odd() {
        let reason = || "reset".to_owned();
        let cut = retry(verdict(Outcome::CutOff { reason: reason() }, now()));
        assert_eq!(
            (cut.scope, cut.oddity),
            (Scope::Unclear, Some(Oddity::CutOff))
        );
        let unreadable = retry(verdict(Outcome::NotReadable { reason: reason() }, now()));
        assert_eq!(unreadable.oddity, Some(Oddity::NotReadable));
        assert_eq!(retry(of(503, "")).oddity, None);
    }

    #[test]
    fn a_413_is_too_large() {
        assert_eq!(
            of(413, r#"{"error":"Request Entity Too Large"}"#),
            Verdict::TooLarge {
                reason: "status 413: Request Entity Too Large".to_owned()
            }
        );
    }

    #[test]
    fn a_404_of_a_database_is_that_databases_and_any_other_is_the_endpoints() {
        for (status, body) in [
            (404, r#"{"error":"database not found: \"nope\""}"#),
            (
                404,
                r#"{"code":"not found","message":"bucket \"nope\" not found"}"#,
            ),
            (500, r#"{"error":"retention policy not found: nope"}"#),
        ] {
            let retry = retry(of(status, body));
            assert_eq!(retry.scope, Scope::Database);
            assert!(retry.is_misconfigured);
        }
        let retry = retry(of(404, "404 page not found"));
        assert_eq!(retry.scope, Scope::Endpoint);
    }

    #[test]
    fn every_other_status_is_a_configuration_fault_of_the_endpoint() {
        for status in [301, 302, 307, 401, 402, 403, 405, 407, 410, 415, 418, 499] {
            let retry = retry(of(status, r#"{"error":"authorization failed"}"#));
            assert_eq!(retry.scope, Scope::Endpoint);
            assert!(retry.is_misconfigured, "{status}");
            assert_eq!(
                retry.reason,
                format!("status {status}: authorization failed")
            );
        }
    }
}
