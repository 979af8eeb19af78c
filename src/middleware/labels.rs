//! Tags of a request, from closed sets of values. Pure.

use actix_web::http::{Method, StatusCode};

/// Status of a request whose client closed the connection before the response, as in nginx.
pub(super) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Endpoint of a request that matches no resource: its path would make a series.
pub(super) const UNMATCHED: &str = "unmatched";

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Error,
    Aborted,
    Panicked,
}

impl Outcome {
    /// For a complete response, by its status alone: a 404 is the same whether a handler returned
    /// it as a response or a middleware as an `Err`, and it is not the service's fault.
    pub(super) fn of(status: u16) -> Self {
        match status < 500 {
            true => Self::Ok,
            false => Self::Error,
        }
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
        }
    }
}

/// The nine methods of RFC 9110 §9.3 and RFC 5789; clients can send any other word.
pub(super) fn method_tag(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "PATCH" => "PATCH",
        _ => "OTHER",
    }
}

/// Whether the response has no content, whatever its body (RFC 9110 §6.4.1).
pub(super) fn is_bodiless(method: &str, status: StatusCode) -> bool {
    method == "HEAD"
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The three digits, without an allocation.
pub(super) fn status_tag(status: u16) -> &'static str {
    let at = usize::from(status.clamp(100, 999) - 100) * 3;
    str::from_utf8(&STATUS_DIGITS[at..at + 3]).unwrap_or_default()
}

/// `100`, `101` … `999`.
static STATUS_DIGITS: [u8; 2_700] = {
    let mut digits = [0; 2_700];
    let mut status = 100;
    while status < 1_000 {
        let at = (status - 100) * 3;
        digits[at] = b'0' + (status / 100) as u8;
        digits[at + 1] = b'0' + (status / 10 % 10) as u8;
        digits[at + 2] = b'0' + (status % 10) as u8;
        status += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nine_standard_methods_are_tags_and_any_other_word_is_other() {
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::CONNECT,
            Method::OPTIONS,
            Method::TRACE,
            Method::PATCH,
        ] {
            assert_eq!(method_tag(&method), method.as_str());
        }
        for word in ["get", "BREW", "PROPFIND"] {
            assert_eq!(
                method_tag(&Method::from_bytes(word.as_bytes()).unwrap()),
                "OTHER"
            );
        }
    }

    #[test]
    fn every_status_code_is_its_three_digits() {
        for status in 100..1_000 {
            assert_eq!(status_tag(status), status.to_string());
        }
    }

    #[test]
    fn heads_and_statuses_without_content_are_bodiless() {
        assert!(is_bodiless("HEAD", StatusCode::OK));
        assert!(is_bodiless("GET", StatusCode::SWITCHING_PROTOCOLS));
        assert!(is_bodiless("GET", StatusCode::NO_CONTENT));
        assert!(is_bodiless("GET", StatusCode::NOT_MODIFIED));
        assert!(!is_bodiless("GET", StatusCode::OK));
    }

    #[test]
    fn only_server_errors_are_outcome_error() {
        let outcomes = [200, 302, 404, 499, 500, 599].map(Outcome::of);
        use Outcome::{Error, Ok};
        assert_eq!(outcomes, [Ok, Ok, Ok, Ok, Error, Error]);
    }
}
