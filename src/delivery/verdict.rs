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
    /// No connection: refused, not resolved, no TLS.
    #[display("not connected: {reason}")]
    NotConnected {
        reason: String,
        /// The other end answered that nobody listens there.
        is_refused: bool,
    },
    /// No whole response within the time for it.
    #[display("timed out: {reason}")]
    TimedOut { reason: String },
    /// No whole response, for another reason.
    #[display("not answered: {reason}")]
    NotAnswered { reason: String },
    /// The connection was cut while the request was sent, or before the response.
    #[display("cut off: {reason}")]
    CutOff { reason: String },
    /// A response that is no HTTP/1, or one that can't be matched to its request.
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
    /// The header `Location`.
    pub(crate) location: Option<String>,
    /// The header `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// Did the body come to its end, or as far as is read of one?
    pub(crate) is_whole: bool,
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
    /// The server says that there is no such database.
    pub(crate) misses_database: bool,
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
            misses_database: false,
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
        Outcome::NotConnected { reason, .. } => {
            return Verdict::Retry(Retry::new(Scope::Endpoint, reason));
        }
        Outcome::TimedOut { reason } | Outcome::NotAnswered { reason } => {
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
        404 | 500 if is_missing(&reason) => Verdict::Retry(Retry {
            is_misconfigured: true,
            misses_database: reason.contains("database not found"),
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
fn is_missing(reason: &str) -> bool {
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
mod tests;
