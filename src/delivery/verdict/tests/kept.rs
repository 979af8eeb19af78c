//! What is told of a batch that is kept.

use super::*;

#[test]
fn only_a_response_has_a_status() {
    let outcome = Outcome::Answered(Box::new(answer(503, "")));
    assert_eq!(outcome.status(), Some(503));
    let reason = "because".to_owned();
    assert_eq!(Outcome::CutOff { reason }.status(), None);
}

#[test]
fn a_refusal_that_is_held_against_the_database_keeps_its_status_and_words() {
    let refusal = refusal(of(400, "what is this, 17?"));
    let retry = Retry::refused(&refusal);
    assert_eq!(retry.status, Some(400));
    assert_eq!(retry.normalized, refusal.normalized);
    assert!(retry.is_misconfigured());
}

#[test]
fn only_what_somebody_has_to_change_is_misconfigured() {
    assert!(retry(of(401, "")).is_misconfigured());
    for status in [408, 429, 500, 503] {
        assert!(!retry(of(status, "")).is_misconfigured(), "{status}");
    }
}

#[test]
fn the_words_of_a_fault_are_the_same_for_all_databases() {
    let words = |name| {
        let body = format!(r#"{{"error":"database not found: \"{name}\""}}"#);
        retry(of(404, &body)).normalized
    };
    assert_eq!(words("a"), words("b"));
    assert!(words("a").contains("database not found"));
}

#[test]
fn the_kind_of_a_failure_is_that_of_its_cause() {
    use FailureKind::{
        Interrupted, Misconfigured, MissingDatabase, TimedOut, Unauthorized, Unavailable,
        Unreachable,
    };
    let kind = |retry: Retry| retry.failure().kind;
    assert_eq!(kind(retry(of(401, ""))), Unauthorized);
    assert_eq!(kind(retry(of(403, ""))), Misconfigured);
    let missing = retry(of(404, r#"{"error":"database not found: \"a\""}"#));
    assert_eq!(kind(missing), MissingDatabase);
    assert_eq!(kind(retry(of(503, ""))), Unavailable);
    let failed = |scope, cause| Retry::new(scope, cause, "because");
    use Cause::Unknown;
    assert_eq!(
        kind(failed(Scope::Endpoint, Cause::Unavailable)),
        Unreachable
    );
    assert_eq!(
        kind(failed(Scope::Unclear, Cause::Unavailable)),
        Interrupted
    );
    assert_eq!(kind(failed(Scope::Unclear, Unknown)), Interrupted);
    let late = Retry {
        is_timeout: true,
        ..failed(Scope::Unclear, Unknown)
    };
    assert_eq!(kind(late), TimedOut);
}

#[test]
fn a_body_where_none_belongs_is_told_of() {
    let retry = retry(of(200, "OK"));
    assert_eq!(retry.status, Some(200));
    let told = "(a write is answered without a body)";
    assert!(retry.reason.ends_with(told), "{}", retry.reason);
}

#[test]
fn points_that_are_older_than_is_kept_are_looked_for_where_the_status_is_403() {
    let text = "data in table x is outside of the retention period";
    let refusal = refusal(of(403, &format!(r#"{{"message":"{text}"}}"#)));
    assert!(refusal.is_about_lines);
}

#[test]
fn a_fault_of_the_request_is_a_setting_with_a_500_too() {
    for status in [400, 422, 500] {
        let verdict = of(status, r#"{"error":"invalid precision"}"#);
        let expected = (Scope::Path, Cause::Configuration);
        assert_eq!(kept(verdict), expected, "{status}");
    }
}

#[test]
fn a_web_page_with_a_400_is_no_servers_word_on_lines() {
    for status in [400, 422] {
        let page = Answer {
            content_type: Some("text/html".to_owned()),
            ..answer(status, "<html><body>oops</body></html>")
        };
        let retry = retry(on(page));
        assert_eq!(retry.reason, format!("status {status}: a web page"));
        let expected = (Scope::Path, Cause::Configuration);
        assert_eq!((retry.scope, retry.cause), expected, "{status}");
    }
    // Nor with another status, whatever its title says.
    let page = "<html><head><title>Unable to parse</title></head></html>";
    for status in [403, 500] {
        assert!(matches!(of(status, page), Verdict::Retry(_)), "{status}");
    }
}

#[test]
fn a_refusal_has_the_servers_text() {
    let body = r#"{"error":"what is this"}"#;
    for (body, text) in [(body, "what is this"), ("what is that", "what is that")] {
        assert_eq!(refusal(of(400, body)).text, text);
    }
}

#[test]
fn a_400_in_unknown_words_that_did_not_come_whole_may_have_any_cause() {
    for (is_whole, is_kept) in [(true, false), (false, true)] {
        let verdict = on(Answer {
            is_whole,
            ..answer(400, "something is ")
        });
        assert_eq!(matches!(verdict, Verdict::Retry(_)), is_kept);
    }
}
