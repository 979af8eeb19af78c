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
        location: None,
        content_type: None,
        is_whole: true,
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
    let outcome = Outcome::NotConnected {
        reason: reason(),
        is_refused: true,
    };
    let verdict = verdict(outcome, now());
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
    let partial =
        r#"{"error":"partial write: unable to parse 'bad line': invalid field format dropped=0"}"#;
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
        location: None,
        content_type: None,
        is_whole: true,
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
        // What `CREATE DATABASE` would mend.
        assert_eq!(retry.misses_database, body.contains("database not found"));
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
