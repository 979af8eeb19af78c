//! The part of a setting's value that errors and `Debug` may show: only what can't be a credential.
//!
//! Tokens and passwords end up in the wrong variable, before an `@`, in a query or in the port. So
//! a value is shown if its format is that of the setting, and `[redacted]` otherwise; whoever set
//! it can look it up.

use std::net::Ipv6Addr;
use std::path::Path;

use super::distance::distance;
use super::secret::REDACTED;

/// Maximum length of a text that can't be a credential, in characters.
const MAX_HARMLESS_LENGTH: usize = 3;

/// Maximum length of a number with its unit.
const MAX_NUMBER_LENGTH: usize = 24;

/// Maximum length of a host name's label (RFC 1035 §2.3.4), in bytes.
const MAX_LABEL_LENGTH: usize = 63;

/// Maximum length of a path segment that is shown, in bytes.
const MAX_SEGMENT_LENGTH: usize = 32;

/// A value that is none of the words allowed: shown if it resembles one of them.
pub(crate) fn word(text: &str, words: &[&str]) -> String {
    let lower = text.trim().to_ascii_lowercase();
    let is_near = |word: &&str| lower.len() <= 2 * word.len() && distance(&lower, word) <= 2;
    quoted_if(is_short(text) || words.iter().any(is_near), text)
}

/// A value that is not a number: shown if it is one with something attached, like `10s` or `60%`.
pub(super) fn number(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    let is_part = |char: char| char.is_ascii_alphanumeric() || " \n\t+-.,_%".contains(char);
    let is_number = text.len() <= MAX_NUMBER_LENGTH
        && letters <= MAX_HARMLESS_LENGTH
        && text.contains(|char: char| char.is_ascii_digit())
        && text.chars().all(is_part);
    quoted_if(is_short(text) || is_number, text)
}

fn is_short(text: &str) -> bool {
    text.trim().chars().nth(MAX_HARMLESS_LENGTH).is_none() && text.len() <= MAX_NUMBER_LENGTH
}

fn quoted_if(is_harmless: bool, text: &str) -> String {
    match is_harmless {
        true => format!("{text:?}"),
        false => REDACTED.to_owned(),
    }
}

/// A URL, a list of URLs, or a host, quoted: without a possible password (before an `@`) or token
/// (in a query), or redacted entirely if its format is unknown.
pub(super) fn server_address(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    // In the whole list: a comma in a password would split it. `%2540` is `%40` escaped.
    let hides_user = lower.contains('@') || (lower.contains('%') && lower.contains("40"));
    let shown: Vec<_> = match hides_user {
        true => vec![format!("{}{REDACTED}", scheme(text).0)],
        false => text.split(',').map(without_secrets).collect(),
    };
    match shown.iter().all(|part| part == REDACTED) {
        true => REDACTED.to_owned(),
        false => format!("{:?}", shown.join(",")),
    }
}

fn without_secrets(text: &str) -> String {
    let (scheme, rest) = scheme(text);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.trim();
    // `hunter2` could be a host, but without a scheme or a port it may be a credential.
    let is_known = !scheme.is_empty() || host.contains(':') || ["", "localhost"].contains(&host);
    match is_known && is_authority(host) {
        true => format!("{scheme}{host}{}", shown_path(path)),
        false => format!("{scheme}{REDACTED}"),
    }
}

/// Splits a scheme, such as `http://`, off.
fn scheme(text: &str) -> (&str, &str) {
    const SCHEMES: [&str; 8] = [
        "http://", "https://", "unix://", "unix:", "tcp://", "udp://", "ftp://", "ws://",
    ];
    let begin = text.len() - text.trim_start().len();
    let starts = |scheme: &&&str| {
        let start = text.get(begin..begin + scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let end = SCHEMES
        .iter()
        .find(starts)
        .map_or(0, |scheme| begin + scheme.len());
    text.split_at(end)
}

/// Whether the text is a host with or without a port, or empty.
fn is_authority(text: &str) -> bool {
    if text.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    // In an IPv6 address, the colon before a port follows the brackets.
    let (host, port) = match text
        .rfind(':')
        .filter(|colon| !text[*colon..].contains(']'))
    {
        Some(colon) => (&text[..colon], &text[colon + 1..]),
        None => (text, ""),
    };
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        label.len() <= MAX_LABEL_LENGTH && label.bytes().all(is_part)
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    is_host && is_port
}

/// The path, with segments that are no plain names redacted.
fn shown_path(path: &str) -> String {
    let is_plain = |segment: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        segment.len() <= MAX_SEGMENT_LENGTH && segment.bytes().all(is_part)
    };
    let end = path.find(['?', '#', '\\']).unwrap_or(path.len());
    let segments = path[..end].split('/');
    let segments = segments.map(|segment| if is_plain(segment) { segment } else { REDACTED });
    let mut shown = segments.collect::<Vec<_>>().join("/");
    if end < path.len() {
        shown.push_str(&path[end..=end]);
        shown.push_str(REDACTED);
    }
    shown
}

/// The path of a file, quoted: if it begins like one, and without segments that may be a
/// credential.
pub(super) fn file(path: &std::path::Path) -> String {
    let text = path.to_string_lossy();
    match text.starts_with(['/', '.']) || cfg!(windows) && text.contains('\\') {
        true => format!("{:?}", shown_path(&text)),
        false => REDACTED.to_owned(),
    }
}

/// A folder, without segments that look like a token.
pub(crate) fn folder(path: &Path) -> String {
    let text = path.to_string_lossy();
    let parts = text.split('/').map(name);
    parts.collect::<Vec<_>>().join("/")
}

/// A user, an organisation or the like, for `Debug`: redacted if it looks like a token that was
/// meant for another setting.
pub(super) fn name(text: &str) -> &str {
    let is_part = |char: char| char.is_alphanumeric() || "+/=_-.".contains(char);
    let mut words = text.split(|char| !is_part(char));
    match text.contains([':', '@']) || words.any(is_token) {
        true => REDACTED,
        false => text,
    }
}

/// Whether the text is long and mixed, as random texts are, or looks like a known kind of token:
/// InfluxDB 3, JWT, base64.
fn is_token(word: &str) -> bool {
    let has = |is: fn(&char) -> bool| word.chars().any(|char| is(&char));
    let is_mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    (is_mixed && word.len() >= 24)
        || word.starts_with("apiv3_")
        || word.starts_with("eyJ")
        || word.ends_with('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_shown_if_it_is_nearly_one_that_is_meant() {
        let words = ["true", "false", "drop_newest"];
        for (text, shown) in [
            ("tru", r#""tru""#),
            ("True!", r#""True!""#),
            ("drop-newest", r#""drop-newest""#),
            ("y", r#""y""#),
            ("v4", r#""v4""#),
            ("hunter2", "[redacted]"),
            ("secret", "[redacted]"),
            ("http://user:secret@h", "[redacted]"),
            ("\u{202e}\n", "\"\\u{202e}\\n\""),
        ] {
            assert_eq!(word(text, &words), shown, "{text}");
        }
    }

    #[test]
    fn a_number_is_shown_with_what_is_attached_to_it() {
        for text in [
            "10s",
            "1.5",
            "-1",
            "4 MB",
            "1e6",
            "60%",
            "NaN",
            "99999999999999999999",
        ] {
            assert_eq!(number(text), format!("{text:?}"));
        }
        for text in [
            "many",
            "hunter2",
            "s3cr3t",
            "5f4dcc3b5aa765d61d8327de",
            "1:23",
            "a1@b",
        ] {
            assert_eq!(number(text), "[redacted]", "{text}");
        }
    }

    #[test]
    fn a_place_is_shown_without_what_could_be_a_credential() {
        for (text, shown) in [
            ("localhost:8086", r#""localhost:8086""#),
            ("localhost", r#""localhost""#),
            ("http://db.example/influx", r#""http://db.example/influx""#),
            ("HTTPS://[::1]:8086/", r#""HTTPS://[::1]:8086/""#),
            ("tcp://10.0.0.1:8086", r#""tcp://10.0.0.1:8086""#),
            ("unix:/var/run/x.sock", r#""unix:/var/run/x.sock""#),
            ("http://a:1,http://b:2/x", r#""http://a:1,http://b:2/x""#),
            ("http://a:65536", r#""http://a:65536""#),
            ("http://", r#""http://""#),
            ("", r#""""#),
            ("http://db?p=hunter2", r#""http://db?[redacted]""#),
            (
                "http://db/write?p=hunter2#x",
                r#""http://db/write?[redacted]""#,
            ),
            ("http://a,b:hunter2", r#""http://a,[redacted]""#),
            ("http://a:hunter2", r#""http://[redacted]""#),
            ("http://admin:hunter2@db", r#""http://[redacted]""#),
            ("http://admin%3Ahunter2%40db", r#""http://[redacted]""#),
            ("http://admin%253Ahunter2%2540db", r#""http://[redacted]""#),
            ("http://ok,admin:hunter2@db", r#""http://[redacted]""#),
            // A comma in a password makes a list of it.
            ("http://admin:12,34%40db", r#""http://[redacted]""#),
            ("http://db/;p=hunter2/x", r#""http://db/[redacted]/x""#),
            ("http://db＠hunter2", r#""http://[redacted]""#),
            ("hunter2", "[redacted]"),
            ("admin:hunter2", "[redacted]"),
            ("hunter2/x", "[redacted]"),
            ("http:admin:hunter2", "[redacted]"),
            (r"http:\\admin:hunter2", r#""http:\\[redacted]""#),
        ] {
            assert_eq!(server_address(text), shown, "{text}");
        }
    }

    #[test]
    fn a_folder_is_shown_but_for_parts_that_look_like_a_token() {
        for (path, shown) in [
            (
                "/var/lib/shop-2/influx-spool",
                "/var/lib/shop-2/influx-spool",
            ),
            ("spool", "spool"),
            ("/var/a1b2c3d4e5f6a7b8c9d0e1f2/x", "/var/[redacted]/x"),
            ("apiv3_x", "[redacted]"),
        ] {
            assert_eq!(folder(Path::new(path)), shown);
        }
    }

    #[test]
    fn a_name_is_shown_unless_it_looks_like_a_token() {
        for text in [
            "acme",
            "Ærø & co",
            "0f5a1b2c3d4e5f60",
            "eu-west-1",
            "a-long-name-of-a-team",
        ] {
            assert_eq!(name(text), text);
        }
        for text in [
            "apiv3_x",
            " apiv3_x\n",
            "Token c2VjcmV0==",
            "\u{202e}eyJhbGciOi\0",
            "eyJhbGciOi",
            "c2VjcmV0==",
            "user:secret",
            "a1b2c3d4e5f6a7b8c9d0e1f2",
        ] {
            assert_eq!(name(text), "[redacted]", "{text}");
        }
    }
}
