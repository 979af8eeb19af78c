use std::time::UNIX_EPOCH;

use super::*;

mod kept;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        retry_after: None,
        body: body.to_owned(),
        error: None,
        location: None,
        content_type: None,
        is_whole: true,
    }
}

fn on(answer: Answer) -> Verdict {
    verdict(Outcome::Answered(Box::new(answer)), now())
}

fn of(status: u16, body: &str) -> Verdict {
    on(answer(status, body))
}

fn retry(verdict: Verdict) -> Retry {
    match verdict {
        Verdict::Retry(retry) => retry,
        other => panic!("{other:?}"),
    }
}

/// Scope and cause of a retry.
fn kept(verdict: Verdict) -> (Scope, Cause) {
    let retry = retry(verdict);
    (retry.scope, retry.cause)
}

fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_2xx_without_content_is_written() {
    for status in [200, 201, 202, 203, 204, 205, 206, 299] {
        assert_eq!(of(status, ""), Verdict::Written);
        assert_eq!(of(status, "\r\n"), Verdict::Written);
    }
}

#[test]
fn a_2xx_with_a_body_is_no_answer_to_a_write() {
    for body in [
        "<html><head><title>Welcome to nginx!</title></head></html>",
        "<!DOCTYPE html>",
        r#"{"links":{"query":{"self":"/api/v2/query"}}}"#,
        r#"{"error":"not found"}"#,
        r#"{"results":[{"statement_id":0}]}"#,
        "OK",
        "[]",
    ] {
        for status in [200, 201, 202, 204] {
            let verdict = of(status, body);
            assert_eq!(kept(verdict), (Scope::Path, Cause::Configuration), "{body}");
        }
    }
    let page = |status| Answer {
        content_type: Some("Text/HTML; charset=utf-8".to_owned()),
        ..answer(status, "")
    };
    assert_eq!(kept(on(page(200))), (Scope::Path, Cause::Configuration));
    assert_eq!(on(page(204)), Verdict::Written, "it has no content");
}

#[test]
fn a_2xx_whose_body_did_not_come_whole_is_no_proof() {
    let cut = Answer {
        is_whole: false,
        ..answer(200, "")
    };
    assert_eq!(kept(on(cut)), (Scope::Unclear, Cause::Unknown));
}

#[test]
fn no_connection_is_the_endpoints_fault() {
    for is_refused in [false, true] {
        let reason = "refused".to_owned();
        let retry = retry(verdict(Outcome::NotConnected { reason, is_refused }, now()));
        assert_eq!(
            (retry.scope, retry.cause),
            (Scope::Endpoint, Cause::Unavailable)
        );
        assert_eq!(
            (retry.is_refused, retry.reason.as_str()),
            (is_refused, "refused")
        );
    }
}

#[test]
fn what_was_not_answered_may_have_any_cause() {
    let reason = || "because".to_owned();
    for outcome in [
        Outcome::NotAnswered { reason: reason() },
        Outcome::CutOff { reason: reason() },
        Outcome::NotReadable { reason: reason() },
        Outcome::TimedOut { reason: reason() },
    ] {
        let is_timeout = matches!(outcome, Outcome::TimedOut { .. });
        let retry = retry(verdict(outcome, now()));
        assert_eq!((retry.scope, retry.cause), (Scope::Unclear, Cause::Unknown));
        assert_eq!(retry.is_timeout, is_timeout);
    }
}

#[test]
fn each_status_without_a_word_is_kept_or_looked_into() {
    use Cause::{Configuration, Unavailable, Unknown};
    use Scope::{Database, Endpoint, Path, Unclear};
    for (statuses, scope, cause) in [
        (&[301, 302, 303, 304, 307, 308][..], Path, Configuration),
        (&[401], Endpoint, Configuration),
        (&[403, 414], Database, Configuration),
        (
            &[402, 404, 405, 406, 409, 410, 415, 417, 418, 431, 451, 494],
            Path,
            Configuration,
        ),
        (
            &[408, 499, 500, 501, 502, 504, 505, 507, 599],
            Unclear,
            Unknown,
        ),
        (&[425, 429, 503], Unclear, Unavailable),
        (&[0, 100, 101, 199, 600, 999], Unclear, Unknown),
    ] {
        for status in statuses {
            assert_eq!(kept(of(*status, "")), (scope, cause), "{status}");
        }
    }
    assert!(matches!(of(413, ""), Verdict::TooLarge { .. }));
    for status in [400, 422] {
        assert!(!refusal(of(status, "")).is_about_lines);
    }
}

#[test]
fn retry_after_is_followed_as_seconds_and_as_a_date() {
    let after = |value: &str| {
        let answer = Answer {
            retry_after: Some(value.to_owned()),
            ..answer(503, "")
        };
        retry(on(answer)).not_before
    };
    assert_eq!(after("5"), Some(Duration::from_secs(5)));
    assert_eq!(after(" 0 "), Some(Duration::ZERO));
    let date = httpdate::fmt_http_date(now() + Duration::from_secs(7));
    assert_eq!(after(&date), Some(Duration::from_secs(7)));
    let past = httpdate::fmt_http_date(now() - Duration::from_secs(7));
    assert_eq!(after(&past), Some(Duration::ZERO));
    for long in ["999999999", "99999999999999999999999"] {
        assert_eq!(after(long), Some(MAX_RETRY_AFTER));
    }
    for nonsense in ["", "-1", "1.5", "soon"] {
        assert_eq!(after(nonsense), None, "{nonsense}");
    }
}

#[test]
fn a_fault_of_the_request_is_never_one_of_its_lines() {
    for (body, scope) in [
        (
            "Client sent an HTTP request to an HTTPS server.\n",
            Scope::Path,
        ),
        (
            "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
            Scope::Path,
        ),
        ("unsupported path requested: \"/x\"", Scope::Path),
        (
            r#"{"error":"invalid precision \"x\" (use n, u, ms, s, m or h)"}"#,
            Scope::Path,
        ),
        (
            r#"{"code":"invalid","message":"Please provide either orgID or org"}"#,
            Scope::Path,
        ),
        (
            "<html><head><title>400 Request Header Or Cookie Too Large</title></head>",
            Scope::Path,
        ),
        (
            r#"{"error":"Adding a new database would exceed limit of 5 databases"}"#,
            Scope::Database,
        ),
        (r#"{"error":"db name too long: max 64"}"#, Scope::Database),
    ] {
        for status in [400, 422] {
            assert_eq!(
                kept(of(status, body)),
                (scope, Cause::Configuration),
                "{body}"
            );
        }
    }
}

#[test]
fn the_servers_own_trouble_is_kept_whatever_its_status() {
    for (status, body) in [
        (
            400,
            r#"{"error":"partial write: x: no space left on device dropped=3"}"#,
        ),
        (
            500,
            r#"{"error":"engine: cache-max-memory-size exceeded: (1/2)"}"#,
        ),
        (
            400,
            r#"{"error":"readonly now and writing is not allowed"}"#,
        ),
        (401, r#"{"code":4007,"error":"Region is readonly"}"#),
        (
            400,
            r#"{"code":"invalid","message":"write buffer error: error from wal: x"}"#,
        ),
        (
            400,
            r#"{"error":"partial write of line protocol occurred","data":[{"line_number":1,"error_message":"error from wal: x"}]}"#,
        ),
    ] {
        assert_eq!(
            kept(of(status, body)),
            (Scope::Unclear, Cause::ServerFault),
            "{body}"
        );
    }
    // A cluster's, without any reason.
    let bare = of(500, r#"{"error":"partial write"}"#);
    assert_eq!(kept(bare), (Scope::Unclear, Cause::Unknown));
}

#[test]
fn a_missing_database_is_its_own_fault_and_may_be_created() {
    let missing = retry(of(404, r#"{"error":"database not found: \"x\""}"#));
    assert!(missing.is_database_missing);
    assert_eq!(
        (missing.scope, missing.cause),
        (Scope::Database, Cause::Configuration)
    );
    for (status, body) in [
        (500, r#"{"error":"retention policy not found: week"}"#),
        (
            404,
            r#"{"code":"not found","message":"bucket \"x\" not found"}"#,
        ),
        (
            404,
            r#"{"code":"not found","message":"no dbrp mapping found"}"#,
        ),
    ] {
        let missing = retry(of(status, body));
        assert!(!missing.is_database_missing, "{body}");
        assert_eq!(missing.scope, Scope::Database, "{body}");
    }
}

#[test]
fn what_is_too_large_is_split_in_whatever_words_it_is_said() {
    for (status, body) in [
        (
            413,
            "<html><title>413 Request Entity Too Large</title></html>",
        ),
        (413, ""),
        (
            400,
            "too big data size exceeding -influx.maxRequestSize=67108864 bytes",
        ),
        (400, r#"{"error":"http: request body too large"}"#),
        (500, "max request size (10485760 bytes) exceeded"),
    ] {
        assert!(
            matches!(of(status, body), Verdict::TooLarge { .. }),
            "{body}"
        );
    }
}

#[test]
fn a_refusal_tells_whether_it_is_about_lines() {
    for (status, body) in [
        (400, r#"{"error":"unable to parse 'a': missing fields"}"#),
        (
            422,
            r#"{"code":"x","message":"failure writing points to database: partial write: field type conflict: x dropped=1"}"#,
        ),
        (
            500,
            r#"{"error":"partial write: field type conflict: x dropped=1"}"#,
        ),
        (
            400,
            r#"{"error":"partial write of line protocol occurred","data":[]}"#,
        ),
    ] {
        assert!(refusal(of(status, body)).is_about_lines, "{body}");
    }
    assert!(!refusal(of(400, "it is all bad")).is_about_lines);
}

#[test]
fn what_a_line_says_is_not_taken_for_the_servers_words() {
    for line in [
        "m f=\"no space left on device\"",
        "m f=\"': database not found: x\" 1",
    ] {
        let text = format!("unable to parse '{line}': bad timestamp");
        let body = serde_json::json!({ "error": text }).to_string();
        assert!(refusal(of(400, &body)).is_about_lines, "{line}");
    }
}

#[test]
fn the_header_speaks_only_where_there_is_no_body() {
    let from = |body: &str| {
        let answer = Answer {
            error: Some("from the header".to_owned()),
            ..answer(400, body)
        };
        refusal(on(answer)).reason
    };
    assert_eq!(from(""), "status 400: from the header");
    assert_eq!(from("body"), "status 400: body");
}

#[test]
fn a_body_that_was_not_read_to_its_end_is_still_understood() {
    let whole = r#"{"error":"unable to parse 'a \u003c \"b\"': invalid"}"#;
    for end in whole.len() - 10..whole.len() {
        let refusal = refusal(of(400, &whole[..end]));
        assert!(
            refusal.is_about_lines && refusal.json.is_some(),
            "{}",
            refusal.text
        );
    }
    let list = r#"{"error":"partial write of line protocol occurred","data":[{"line_number":2,"error_message":"x"},{"line_number":3,"error_me"#;
    let data = refusal(of(400, list)).json.unwrap();
    assert_eq!(data["data"][0]["line_number"], 2);
    // A line that is repeated may hold what ends a list.
    let item = r#"{"error_message":"x","line_number":2,"original_line":"m,t=}]}"},"#;
    let start = r#"{"error":"partial write of line protocol occurred","data":["#;
    let list = format!("{start}{}", item.repeat(3));
    for end in start.len() + item.len()..list.len() {
        let data = refusal(of(400, &list[..end])).json.expect(&list[..end]);
        assert_eq!(data["data"][0]["line_number"], 2, "{}", &list[..end]);
    }
}

#[test]
fn names_that_a_server_repeats_without_quotes_are_not_its_own_words() {
    for (status, body) in [
        (
            400,
            r#"{"code":"invalid","message":"failed to parse line protocol:errors encountered on line(s):\nerror in line 2: Could not parse entire line, field value is invalid. Field: timeout; value: no space left","line":2,"errorId":"x-1"}"#,
        ),
        (
            400,
            "remoteAddr: \"127.0.0.1:1\"; requestURI: /write?db=gzip+timeout&precision=ns; cannot read influx line protocol data: too long line: more than 262144 bytes",
        ),
        (
            400,
            r#"{"error":"partial write of line protocol occurred","data":[{"line_number":1,"error_message":"Found trailing content: 'a' timeout 'b'"}]}"#,
        ),
    ] {
        assert!(refusal(of(status, body)).is_about_lines, "{body}");
    }
}

#[test]
fn a_reason_is_on_one_line_and_bounded_and_a_redirect_says_where_to() {
    let reason = refusal(of(400, &"a\nb\u{1b}[31m".repeat(1_000))).reason;
    assert!(
        reason.chars().count() < 600 && !reason.contains(char::is_control),
        "{reason}"
    );
    let page = retry(of(404, "<html><title>404\nNot Found</title><p>much more")).reason;
    assert_eq!(page, "status 404: a web page, \"404 Not Found\"");
    let redirect = Answer {
        location: Some("https://h/write".to_owned()),
        ..answer(307, "")
    };
    let reason = retry(on(redirect)).reason;
    assert_eq!(
        reason,
        "status 307, a redirect to https://h/write, which is not followed"
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::delivery::verdict::check::check;

    /// What servers say, to be cut, joined and spoiled.
    const SAID: [&str; 14] = [
        "",
        "partial write: ",
        "unable to parse 'm f=1 1': bad timestamp",
        " dropped=2",
        " dropped=0",
        "no space left on device",
        "{\"error\":\"",
        "\",\"data\":[{\"line_number\":1,\"error_message\":\"x\"}]}",
        "incorrect influx line \"bad\\nm f=1 1\\n\": x",
        "error parsing line 2 (1-based): x",
        "<html><title>",
        "field type conflict",
        "database not found: \"x\"",
        "\n",
    ];

    fn body() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            (0..SAID.len()).prop_map(|at| SAID[at].to_owned()),
            any::<String>(),
            prop::collection::vec(any::<u8>(), 0..20)
                .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn nothing_is_written_or_rejected_without_evidence_whatever_is_answered(
            status in prop_oneof![any::<u16>(), 200..600_u16, Just(400), Just(422), Just(500)],
            body in body(),
            error in prop::option::of(body()),
            content_type in prop::option::of(any::<String>()),
            retry_after in prop::option::of(any::<String>()),
            is_whole in any::<bool>(),
        ) {
            check(Answer {
                status,
                retry_after,
                body,
                error,
                location: None,
                content_type,
                is_whole,
            });
        }
    }
}

#[test]
fn a_failure_tells_programs_its_kind_and_the_status() {
    use FailureKind::*;
    let of_no_answer = |outcome| retry(verdict(outcome, now())).failure();
    let reason = || "r".to_owned();
    for (failure, kind, status) in [
        (
            of_no_answer(Outcome::NotConnected {
                reason: reason(),
                is_refused: true,
            }),
            Unreachable,
            None,
        ),
        (
            of_no_answer(Outcome::TimedOut { reason: reason() }),
            TimedOut,
            None,
        ),
        (
            of_no_answer(Outcome::CutOff { reason: reason() }),
            Interrupted,
            None,
        ),
        (retry(of(503, "")).failure(), Unavailable, Some(503)),
        (retry(of(401, "")).failure(), Unauthorized, Some(401)),
        (
            retry(of(404, r#"{"error":"database not found: \"db\""}"#)).failure(),
            MissingDatabase,
            Some(404),
        ),
        (
            retry(of(404, "404 page not found")).failure(),
            Misconfigured,
            Some(404),
        ),
        (retry(of(307, "")).failure(), Misconfigured, Some(307)),
    ] {
        assert_eq!((failure.kind, failure.status), (kind, status), "{failure}");
    }
}
