//! Properties of the verdict that hold for any response: for a property test and a fuzz target.

use std::time::SystemTime;

use super::{Answer, MAX_RETRY_AFTER, Outcome, Verdict, verdict};
use crate::{
    batch::OpenBatch,
    delivery::isolation::{NamedLines, named_lines},
};

/// Parses bytes as a response: two for the status, one for flags, the body, then the headers,
/// separated by 0xff, which is never part of UTF-8.
#[cfg(fuzzing)]
pub(crate) fn check_bytes(bytes: &[u8]) {
    let [high, low, flags, texts @ ..] = bytes else {
        return;
    };
    let mut texts = texts
        .split(|byte| *byte == 0xff)
        .map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = |flag: u8| texts.next().filter(|_| flags & flag != 0);
    check(Answer {
        status: u16::from_be_bytes([*high, *low]) % 700,
        is_whole: flags & 1 == 0,
        body: text(0xff).unwrap_or_default(),
        error: text(2),
        content_type: text(4),
        retry_after: text(8),
        location: text(16),
    });
}

/// Checks that written needs the response to a write, and rejected a text about lines.
///
/// # Panics
///
/// If something does not hold.
pub(crate) fn check(answer: Answer) {
    let (status, is_whole) = (answer.status, answer.is_whole);
    let said = match (answer.body.trim(), &answer.error) {
        ("", Some(error)) => error.clone(),
        (body, _) => body.to_owned(),
    };
    match verdict(Outcome::Answered(Box::new(answer)), SystemTime::UNIX_EPOCH) {
        Verdict::Written => {
            assert!((200..300).contains(&status), "status {status}");
            assert!(said.trim().is_empty() && is_whole, "{said}");
        }
        Verdict::Refused(refusal) => {
            assert!(matches!(status, 400 | 403 | 422 | 500), "status {status}");
            let mut batch = OpenBatch::default();
            batch.push(b"bad\n");
            batch.push(b"m f=1 1\n");
            match named_lines(&batch.seal(true).lines, &refusal) {
                NamedLines::None => {}
                NamedLines::All { .. } => {
                    assert!(
                        refusal.is_about_lines && said.contains("dropped="),
                        "{said}"
                    );
                }
                NamedLines::Some(bad) => {
                    assert!(refusal.is_about_lines, "{said}");
                    assert!(
                        !bad.is_empty() && bad.keys().all(|line| *line < 2),
                        "{bad:?}"
                    );
                }
            }
        }
        Verdict::Retry(retry) => {
            assert!(
                retry
                    .not_before
                    .is_none_or(|after| after <= MAX_RETRY_AFTER)
            );
            assert!(retry.reason.chars().count() < 1_200, "{}", retry.reason);
            assert!(
                !retry.reason.contains(char::is_control),
                "{:?}",
                retry.reason
            );
        }
        Verdict::TooLarge { .. } => assert!(matches!(status, 400 | 413 | 422 | 500)),
    }
}
