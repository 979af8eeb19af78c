//! What a response, or its absence, means for the batch that was sent. Pure.
//!
//! Written and rejected can't be taken back, so both need evidence; everything else is kept and
//! sent again.
//!
//! Sources: RFC 9110 §15 (status codes) and §10.2.3 (`Retry-After`); for the bodies, see
//! [`subject`].

mod body;
#[cfg(any(test, fuzzing))]
pub(crate) mod check;
mod normalize;
mod subject;

use std::time::{Duration, SystemTime};

pub(crate) use self::normalize::unquoted;
use self::{body::Body, subject::Subject};
use crate::{
    Failure, FailureKind,
    printable::{LIMIT, printable},
};

/// The result of a POST.
#[derive(Clone, Debug, derive_more::Display)]
pub(crate) enum Outcome {
    #[display("status {}", _0.status)]
    Answered(Box<Answer>),
    /// No connection: refused, not resolved, or TLS failed.
    #[display("not connected: {reason}")]
    NotConnected {
        reason: String,
        /// Nobody listens at the address.
        is_refused: bool,
    },
    /// No complete response in time.
    #[display("timed out: {reason}")]
    TimedOut { reason: String },
    /// No complete response, for another reason.
    #[display("not answered: {reason}")]
    NotAnswered { reason: String },
    /// The connection was closed before the response was complete.
    #[display("cut off: {reason}")]
    CutOff { reason: String },
    /// The response is not HTTP/1, or can't be matched to its request.
    #[display("not readable: {reason}")]
    NotReadable { reason: String },
    /// No connection until a person changes something: an untrusted certificate, a proxy that
    /// refuses.
    #[display("not connected: {reason}")]
    Misconfigured { reason: String },
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header `Retry-After`, unparsed.
    pub(crate) retry_after: Option<String>,
    /// Its beginning, if it is long.
    pub(crate) body: String,
    /// The header `X-Influxdb-Error`: the body's text, cut short. Used if the body is empty.
    pub(crate) error: Option<String>,
    /// The header `Location`.
    pub(crate) location: Option<String>,
    /// The header `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// Whether the body was complete, or read as far as it is ever read.
    pub(crate) is_whole: bool,
}

impl Outcome {
    /// The status, if there was a response.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(answer) => Some(answer.status),
            _ => None,
        }
    }
}

/// What a failure counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The endpoint: it takes no database's lines.
    Endpoint,
    /// The endpoint, as far as this database tells; others are still tried.
    Path,
    /// The database; the endpoint works.
    Database,
    /// The database, or the endpoint if others fail as well.
    Unclear,
}

/// The possible causes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing in the request: no connection, too many requests, maintenance.
    Unavailable,
    /// The server's own fault. A smaller request may pass; the lines' content doesn't matter.
    ServerFault,
    /// Anything, also the batch: a timeout, a reset, a bare 500.
    Unknown,
    /// Configuration, here or there: a person has to change something first.
    Configuration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The server has stored the lines.
    Written,
    /// Try again later.
    Retry(Retry),
    /// At least one line seems bad.
    Refused(Refusal),
    /// Send smaller batches.
    TooLarge { status: u16, reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// On one line, bounded.
    pub(crate) reason: String,
    /// Status of the response, if there was one.
    pub(crate) status: Option<u16>,
    pub(crate) scope: Scope,
    pub(crate) cause: Cause,
    pub(crate) not_before: Option<Duration>,
    /// The database doesn't exist.
    pub(crate) is_database_missing: bool,
    /// Nobody listens at the address.
    pub(crate) is_refused: bool,
    /// The request timed out.
    pub(crate) is_timeout: bool,
    /// The reason without quoted texts and digits.
    pub(crate) normalized: String,
}

/// A request that the server refused, possibly for some of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Status of the response.
    pub(crate) status: u16,
    /// On one line, bounded.
    pub(crate) reason: String,
    /// The server's whole text.
    pub(crate) text: String,
    /// The body, if it is JSON.
    pub(crate) json: Option<serde_json::Value>,
    /// Whether the text is known to be about lines.
    pub(crate) is_about_lines: bool,
    /// The text without quoted parts and digits.
    pub(crate) normalized: String,
}

impl Retry {
    pub(crate) fn new(scope: Scope, cause: Cause, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            normalized: normalize::without_digits(&normalize::unquoted(&reason)),
            reason: printable(&reason, LIMIT).into_owned(),
            status: None,
            scope,
            cause,
            not_before: None,
            is_database_missing: false,
            is_refused: false,
            is_timeout: false,
        }
    }

    /// A refusal whose text is not known to be about lines.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self {
            status: Some(refusal.status),
            normalized: refusal.normalized.clone(),
            ..Self::new(
                Scope::Database,
                Cause::Configuration,
                refusal.reason.clone(),
            )
        }
    }

    /// A small line that the server calls too large.
    pub(crate) fn too_large(reason: &str) -> Self {
        Self::new(Scope::Database, Cause::Configuration, reason)
    }

    /// The failure as shown in the public API.
    pub(crate) fn failure(&self) -> Failure {
        let kind = match (self.cause, self.status) {
            (Cause::Configuration, _) if self.is_database_missing => FailureKind::MissingDatabase,
            (Cause::Configuration, Some(401)) => FailureKind::Unauthorized,
            (Cause::Configuration, _) => FailureKind::Misconfigured,
            (_, None) if self.is_timeout => FailureKind::TimedOut,
            (Cause::Unavailable, None) if self.scope == Scope::Endpoint => FailureKind::Unreachable,
            (_, None) => FailureKind::Interrupted,
            (_, Some(_)) => FailureKind::Unavailable,
        };
        Failure {
            kind,
            status: self.status,
            message: self.reason.clone(),
        }
    }

    /// Whether a person has to change something first.
    pub(crate) fn is_misconfigured(&self) -> bool {
        self.cause == Cause::Configuration
    }
}

/// Whether this reason, given for one line, is really about a fault of the server.
pub(crate) fn is_server_fault(reason: &str) -> bool {
    subject::subject(&normalize::text_before_quote(reason)) == Some(Subject::Server)
}

/// Maximum delay that `Retry-After` can ask for.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Returns the verdict on a batch. `now` is compared with an HTTP date in `Retry-After`.
pub(crate) fn verdict(outcome: Outcome, now: SystemTime) -> Verdict {
    use Cause::{Unavailable, Unknown};
    use Scope::{Endpoint, Unclear};
    let retry = match outcome {
        Outcome::Answered(answer) => return answered(*answer, now),
        Outcome::NotConnected { reason, is_refused } => Retry {
            is_refused,
            ..Retry::new(Endpoint, Unavailable, reason)
        },
        Outcome::Misconfigured { reason } => Retry::new(Endpoint, Cause::Configuration, reason),
        Outcome::TimedOut { reason } => Retry {
            is_timeout: true,
            ..Retry::new(Unclear, Unknown, reason)
        },
        Outcome::NotAnswered { reason }
        | Outcome::CutOff { reason }
        | Outcome::NotReadable { reason } => Retry::new(Unclear, Unknown, reason),
    };
    Verdict::Retry(retry)
}

fn answered(answer: Answer, now: SystemTime) -> Verdict {
    let json = body::json(&answer.body);
    let body = Body::new(&answer, json.as_ref());
    let (status, normalized) = (answer.status, body.unquoted());
    let (reason, subject) = (body.reason(status), body.subject(&normalized));
    let not_before = || {
        let value = answer.retry_after.as_deref()?;
        retry_after(value, now)
    };
    let retry = |scope, cause| Retry {
        status: Some(status),
        normalized: normalize::without_digits(&format!("{status} {normalized}")),
        not_before: not_before(),
        ..Retry::new(scope, cause, reason.clone())
    };
    let misconfigured = |scope| Verdict::Retry(retry(scope, Cause::Configuration));
    let missing_database = || {
        Verdict::Retry(Retry {
            is_database_missing: true,
            ..retry(Scope::Database, Cause::Configuration)
        })
    };
    let unavailable = || Verdict::Retry(retry(Scope::Unclear, Cause::Unavailable));
    let trouble = || Verdict::Retry(retry(Scope::Unclear, Cause::ServerFault));
    let unknown = || Verdict::Retry(retry(Scope::Unclear, Cause::Unknown));
    let refused = |is_about_lines| {
        Verdict::Refused(Refusal {
            status,
            reason: reason.clone(),
            text: body.text().to_owned(),
            json: body.json.cloned(),
            is_about_lines,
            normalized: normalize::without_digits(&format!("{status} {normalized}")),
        })
    };
    match (status, subject) {
        (200..=299, _) if !body.is_empty() => Verdict::Retry(Retry {
            reason: format!("{reason} (a write is answered without a body)"),
            ..retry(Scope::Path, Cause::Configuration)
        }),
        // An empty web page. A 204 has no content, whatever its content type.
        (200..=203 | 205..=299, _) if body.is_web_page() => misconfigured(Scope::Path),
        (200..=299, _) if !answer.is_whole => unknown(),
        (200..=299, _) => Verdict::Written,
        (300..=399, _) => Verdict::Retry(Retry {
            reason: match &answer.location {
                Some(to) => {
                    let to = printable(to, LIMIT);
                    format!("{reason}, a redirect to {to}, which is not followed")
                }
                None => reason.clone(),
            },
            ..retry(Scope::Path, Cause::Configuration)
        }),
        (413, _) => Verdict::TooLarge { status, reason },
        (400 | 422 | 500, Some(Subject::Size)) => Verdict::TooLarge { status, reason },
        // GreptimeDB answers 401 for a region that is temporarily read-only.
        (400 | 401 | 403 | 422 | 500, Some(Subject::Server)) => trouble(),
        (401, _) => misconfigured(Scope::Endpoint),
        (400 | 404 | 422 | 500, Some(Subject::MissingDatabase)) => missing_database(),
        (400 | 404 | 422 | 500, Some(Subject::Database)) => misconfigured(Scope::Database),
        // InfluxDB Cloud and Clustered: points older than the retention period.
        (403, Some(Subject::Lines)) => refused(true),
        (403 | 414, _) => misconfigured(Scope::Database),
        (408 | 499 | 502 | 504, _) => unknown(),
        (425 | 429 | 503, _) => unavailable(),
        (400 | 422 | 500, Some(Subject::Request)) => misconfigured(Scope::Path),
        // A web page comes from a proxy, or from something that is no database.
        (400 | 422, _) if body.is_web_page() => misconfigured(Scope::Path),
        (400 | 422 | 500, Some(Subject::Lines)) => refused(true),
        // The missing part may hold the reason.
        (400 | 422, None) if !answer.is_whole => unknown(),
        (400 | 422, None) => refused(false),
        (400..=499, _) => misconfigured(Scope::Path),
        // 5xx, and what is no status.
        _ => unknown(),
    }
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
mod tests;
