//! The parsed body of a response: the server's text, wherever its dialect puts it.

use serde_json::Value;

use super::{
    Answer, is_server_fault,
    normalize::unquoted,
    subject::{Subject, subject},
};
use crate::printable::{LIMIT, html_title, printable};

/// Number of closing braces that are tried as the end of a truncated list's last complete item.
const MAX_TRIED: usize = 20;

pub(super) struct Body<'a> {
    /// Text of the error, or the whole body.
    text: &'a str,
    pub(super) json: Option<&'a Value>,
    /// Title of a web page.
    title: Option<String>,
}

/// Parses the body as JSON, also if it is truncated.
pub(super) fn json(body: &str) -> Option<Value> {
    let body = body.trim();
    if !body.starts_with('{') {
        return None;
    }
    let whole = serde_json::from_str(body).ok();
    let read = |start: &str, end: &str| serde_json::from_str(&format!("{start}{end}")).ok();
    // Truncated in its last string, perhaps in an escape.
    let in_string = || {
        let ends = (0..=6).filter_map(|cut| body.get(..body.len().checked_sub(cut)?));
        ends.filter_map(|start| read(start, "\"}")).next()
    };
    // Truncated in a list: its complete items count. The last brace may be part of a quoted line.
    let in_list = || {
        let ends = body.rmatch_indices('}').take(MAX_TRIED);
        let mut lists = ends.filter_map(|(at, _)| read(&body[..=at], "]}"));
        lists.next()
    };
    whole.or_else(in_string).or_else(in_list)
}

impl<'a> Body<'a> {
    /// `json` is the result of [`json`] for the same body.
    pub(super) fn new(answer: &'a Answer, json: Option<&'a Value>) -> Self {
        let body = match (answer.body.trim(), &answer.error) {
            ("", Some(error)) => error.as_str(),
            (body, _) => body,
        };
        // `error` of v1 and v3, `message` of v2 and Cloud, `err` of Telegraf.
        let texts = ["error", "message", "err"];
        let text = json.and_then(|json| {
            let mut texts = texts.iter().filter_map(|key| json.get(key)?.as_str());
            texts.find(|text| !text.is_empty())
        });
        let is_html = || {
            let kind = answer.content_type.as_deref().unwrap_or_default();
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        };
        let title = match json {
            Some(_) => None,
            None => html_title(body).map(|title| title.into_owned()),
        };
        Self {
            text: text.unwrap_or(body),
            json,
            title: title.or_else(|| is_html().then(|| "a web page".to_owned())),
        }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn is_web_page(&self) -> bool {
        self.title.is_some()
    }

    /// The text without quoted parts.
    pub(super) fn unquoted(&self) -> String {
        unquoted(self.title.as_deref().unwrap_or(self.text))
    }

    pub(super) fn subject(&self, unquoted: &str) -> Option<Subject> {
        match subject(unquoted) {
            // A page's title is no evidence against lines.
            Some(Subject::Lines) if self.is_web_page() => None,
            Some(Subject::Lines) if self.lists_server_faults() => Some(Subject::Server),
            subject => subject,
        }
    }

    /// Whether InfluxDB 3 lists lines, but each with a fault of the server.
    fn lists_server_faults(&self) -> bool {
        let items = self.json.and_then(|json| json.get("data")?.as_array());
        let is_trouble = |item: &Value| {
            let text = item.get("error_message").and_then(Value::as_str);
            text.is_some_and(is_server_fault)
        };
        items.is_some_and(|items| !items.is_empty() && items.iter().all(is_trouble))
    }

    /// Status and text, on one line, bounded.
    pub(super) fn reason(&self, status: u16) -> String {
        match &self.title {
            Some(title) if title == "a web page" => format!("status {status}: {title}"),
            Some(title) => {
                format!(
                    "status {status}: a web page, \"{}\"",
                    printable(title, LIMIT)
                )
            }
            None if self.text.is_empty() => format!("status {status}"),
            None => format!("status {status}: {}", printable(self.text, LIMIT)),
        }
    }
}
