//! A part of a server's text that fits into a line of a log.

/// In characters.
const MAX: usize = 500;

/// The text on one line and without control characters, of at most 500 characters; of HTML, the title.
pub(super) fn excerpt(text: &str) -> String {
    let text = title(text).unwrap_or(text);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * MAX {
            break;
        }
    }
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The title of a page, or what stands for it.
pub(super) fn title(text: &str) -> Option<&str> {
    if !is_html(text) {
        return None;
    }
    let title = || {
        let lower = text.to_ascii_lowercase();
        let tag = lower.find("<title")?;
        let start = tag + lower[tag..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        Some(&text[start..end])
    };
    Some(title().unwrap_or("a page in HTML"))
}

pub(super) fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(14).collect();
    let start = start.to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body", "<title"]
        .iter()
        .any(|tag| start.starts_with(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(" a\r\n\tb\u{1}c \n"), "a b c");
        assert_eq!(excerpt(""), "");
        let long = excerpt(&"ä ".repeat(100_000));
        assert_eq!(long.chars().count(), MAX + 1);
    }

    #[test]
    fn of_a_page_there_is_its_title() {
        let page = "<!DOCTYPE html>\n<html><head><TITLE lang=en>404 Not\nFound</title>";
        assert_eq!(excerpt(page), "404 Not Found");
        assert_eq!(excerpt("<html>ſ<title>ſ"), "a page in HTML");
        assert_eq!(excerpt("{\"error\":\"<html>\"}"), "{\"error\":\"<html>\"}");
    }
}
