//! Makes untrusted text printable in logs and errors: bounded, on one line, and without
//! characters that a terminal or a viewer would act on.
//!
//! Strangers can choose the names of databases and the responses of a server. CWE-117 (forged log
//! lines), CWE-150 (escape sequences), CVE-2021-42574 (bidirectional overrides).

use std::borrow::Cow;

/// Maximum length of a name, reason or body in the log, in characters.
pub(crate) const LIMIT: usize = 500;

/// Stands for an HTML page without a title.
const A_WEB_PAGE: &str = "a web page";

/// Where a page's title is searched, in bytes from the beginning.
const HEAD_OF_A_PAGE: usize = 64 << 10;

/// The text on one line of at most `limit` characters, including escapes; ends with `…` if it was
/// cut. Costs no more than the shown part.
pub(crate) fn printable(text: &str, limit: usize) -> Cow<'_, str> {
    let is_short = text.chars().nth(limit).is_none();
    if is_short && !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let (mut length, mut before_ellipsis) = (0, 0);
    for char in text.chars() {
        let begin = shown.len();
        match is_unprintable(char) {
            true => shown.extend(char.escape_default()),
            false => shown.push(char),
        }
        length += match is_unprintable(char) {
            // An escape is ASCII.
            true => shown.len() - begin,
            false => 1,
        };
        if length > limit {
            shown.truncate(before_ellipsis);
            if limit > 0 {
                shown.push('…');
            }
            break;
        }
        if length < limit {
            before_ellipsis = shown.len();
        }
    }
    Cow::Owned(shown)
}

/// The first `bytes` bytes of a text, or fewer to end between characters.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    let mut cuts = (0..=bytes.min(text.len())).rev();
    let cut = cuts.find(|at| text.is_char_boundary(*at));
    &text[..cut.unwrap_or_default()]
}

/// The last `bytes` bytes of a text, or fewer to begin between characters.
pub(crate) fn tail(text: &str, bytes: usize) -> &str {
    let mut cuts = text.len().saturating_sub(bytes)..=text.len();
    let cut = cuts.find(|at| text.is_char_boundary(*at));
    &text[cut.unwrap_or_default()..]
}

/// A name in quotes, on one line and bounded.
pub(crate) fn quoted(name: &str) -> String {
    /// In characters; longer names are not intended.
    const MAX_NAME: usize = 200;
    format!("\"{}\"", printable(name, MAX_NAME))
}

/// Whether the character moves the cursor, ends the line, changes the writing direction, or is invisible.
fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero-width space, directional marks; but not the joiners, which are in words.
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Line and paragraph separator, embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators, isolates, deprecated format characters.
            | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotations, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The title of an HTML page, possibly truncated, or [`A_WEB_PAGE`]; `None` for other text. Not
/// bounded or escaped like [`printable`].
pub(crate) fn html_title(body: &str) -> Option<Cow<'static, str>> {
    let head = head(body, HEAD_OF_A_PAGE);
    let page = head.trim_start_matches(|char: char| char.is_whitespace() || char == '\u{feff}');
    if !is_html(page) {
        return None;
    }
    let title = title(page).unwrap_or_default();
    let words: Vec<_> = title.split_whitespace().collect();
    Some(match words.is_empty() {
        true => Cow::Borrowed(A_WEB_PAGE),
        false => Cow::Owned(words.join(" ")),
    })
}

/// Elements with which pages and fragments of pages begin.
const FIRST_TAGS: [&str; 18] = [
    "!doctype html",
    "html",
    "head",
    "title",
    "meta",
    "link",
    "style",
    "script",
    "body",
    "center",
    "div",
    "h1",
    "h2",
    "h3",
    "p",
    "pre",
    "table",
    "b",
];

fn is_html(page: &str) -> bool {
    let mut page = page;
    // An XML declaration and comments may precede the page.
    loop {
        let prologue = [("<?", "?>"), ("<!--", "-->")];
        let Some((_, end)) = prologue.iter().find(|(begin, _)| page.starts_with(begin)) else {
            break;
        };
        let Some(at) = page.find(end) else {
            return page.starts_with("<!--");
        };
        page = page[at + end.len()..].trim_start();
    }
    FIRST_TAGS.iter().any(|tag| after_tag(page, tag).is_some())
}

/// The text after `<tag`, if it begins so.
fn after_tag<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let rest = text.strip_prefix('<')?;
    let name = rest.get(..tag.len())?;
    let rest = &rest[tag.len()..];
    let ends = rest.starts_with(|char: char| char.is_ascii_whitespace() || "/>".contains(char));
    (name.eq_ignore_ascii_case(tag) && (ends || rest.is_empty())).then_some(rest)
}

fn title(page: &str) -> Option<&str> {
    let mut tags = page.match_indices('<').map(|(at, _)| &page[at..]);
    let attributes = tags.find_map(|text| after_tag(text, "title"))?;
    let text = &attributes[attributes.find('>')? + 1..];
    // A title only ends at its own end tag (HTML §13.2.5.2): a `<` in it is text.
    let is_end = |tail: &str| {
        let end = "</title";
        let there = tail.len().min(end.len());
        let start = tail.get(..there).unwrap_or_default();
        start.eq_ignore_ascii_case(&end[..there])
    };
    let mut ends = text.match_indices('<').map(|(at, _)| at);
    let end = ends.find(|at| is_end(&text[*at..])).unwrap_or(text.len());
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ordinary_text_is_shown_as_it_is_and_not_copied() {
        for text in [
            "",
            "db",
            r#"unable to parse 'm "x" \': no"#,
            "Zoë 日本語 🦀 می‌خواهم",
        ] {
            assert!(matches!(printable(text, LIMIT), Cow::Borrowed(shown) if shown == text));
        }
    }

    #[test]
    fn what_would_not_be_shown_is_escaped() {
        for (text, shown) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\0\u{7}\u{7f}", r"\u{0}\u{7}\u{7f}"),
            (
                "\u{1b}[31mred\u{1b}]0;title\u{7}",
                r"\u{1b}[31mred\u{1b}]0;title\u{7}",
            ),
            ("\u{85}\u{9b}31m", r"\u{85}\u{9b}31m"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            (
                "\u{202a}\u{202e}\u{2066}\u{2069}",
                r"\u{202a}\u{202e}\u{2066}\u{2069}",
            ),
            (
                "\u{feff}\u{200b}\u{200f}\u{61c}",
                r"\u{feff}\u{200b}\u{200f}\u{61c}",
            ),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(printable(text, LIMIT), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_escapes_and_says_so() {
        for (text, limit, shown) in [
            ("abcd", 4, "abcd"),
            ("abcde", 4, "abc…"),
            ("äöüßä", 4, "äöü…"),
            ("ab\n", 4, r"ab\n"),
            ("abc\n", 4, "abc…"),
            ("ab\ncd", 5, r"ab\n…"),
            ("ab\ncd", 4, "ab…"),
            ("a\u{202e}", 3, "a…"),
            ("ab", 1, "…"),
            ("\n", 1, "…"),
            ("ab", 0, ""),
            ("", 0, ""),
        ] {
            assert_eq!(printable(text, limit), shown, "{text:?} to {limit}");
        }
    }

    #[test]
    fn the_cost_is_that_of_what_is_shown() {
        let huge = "\n".repeat(64 << 20);
        let plain = "<".repeat(64 << 20);
        let began = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(printable(&huge, LIMIT).chars().count(), LIMIT - 1);
            assert_eq!(printable(&plain, LIMIT).chars().count(), LIMIT);
        }
        assert_eq!(html_title(&plain), None);
        let page = format!("<html>{plain}");
        assert_eq!(html_title(&page).as_deref(), Some(A_WEB_PAGE));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(
            [head("aäb", 2), head("aäb", 3), head("a", 9)],
            ["a", "aä", "a"]
        );
        assert_eq!(
            [tail("aäb", 2), tail("aäb", 3), tail("a", 9)],
            ["b", "äb", "a"]
        );
    }

    #[test]
    fn a_page_is_reduced_to_its_title() {
        for (body, title) in [
            (
                "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>…",
                "502 Bad Gateway",
            ),
            (
                "\n<!DOCTYPE HTML>\n<HTML lang=\"en\"><HEAD><TITLE id='a'\n>\n Not\n\t Found </TITLE >",
                "Not Found",
            ),
            (
                "<?xml version=\"1.0\"?>\n<!-- hello --><!doctype html PUBLIC><title>A &amp; B &lt;</title>",
                "A &amp; B &lt;",
            ),
            ("\u{feff}<title>a < b <i></title>", "a < b <i>"),
            ("<html><head><title>cut off he", "cut off he"),
            ("<html><head><title>cut off here</ti", "cut off here"),
            ("<html><head><title>日本</TITLE>", "日本"),
            ("<html><titles>x</titles><title/>y", "y"),
            ("<html><head><title></title>", A_WEB_PAGE),
            ("<html><head><title id=\"cut", A_WEB_PAGE),
            ("<html><head><titl", A_WEB_PAGE),
            ("<h1>Server Error (500)</h1>", A_WEB_PAGE),
            ("<!doctype html>", A_WEB_PAGE),
            ("<html", A_WEB_PAGE),
            (&format!("<html>{}", "ä".repeat(HEAD_OF_A_PAGE)), A_WEB_PAGE),
            (
                &format!("<html> {}", "ä".repeat(HEAD_OF_A_PAGE)),
                A_WEB_PAGE,
            ),
        ] {
            assert_eq!(html_title(body).as_deref(), Some(title), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_page_has_no_title() {
        for body in [
            "",
            " ",
            "<",
            "{\"error\":\"<html><title>x</title>\"}",
            "unable to parse '<html>': missing fields",
            "<Error><Code>AccessDenied</Code></Error>",
            "<?xml version=\"1.0\"?><Error><title>x</title></Error>",
            "<htmlx>",
            "<é",
        ] {
            assert_eq!(html_title(body), None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_bounded_line(text in any::<String>(), limit in 0..40_usize) {
            let shown = printable(&text, limit);
            prop_assert!(shown.chars().count() <= limit);
            prop_assert!(!shown.contains(is_unprintable));
            prop_assert!(shown.lines().count() <= 1);
            _ = html_title(&text);
            _ = html_title(&format!("<html><title {text}"));
        }
    }
}
