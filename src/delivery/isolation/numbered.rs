use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    batch::Lines,
    delivery::verdict::is_server_fault,
    printable::{LIMIT, printable},
};

/// Text before the number of a line, at the start of a line of the response.
const CLOUD_PREFIXES: [&str; 2] = ["error parsing line ", "error writing line "];
const QUESTDB_PREFIX: &str = "error in line ";

/// The lines that the response numbers as bad, by index, with their reasons: InfluxDB 3 in a list
/// (all of them) or an object (the first), Cloud in its text, QuestDB in its text and in `line`.
/// All of them count from 1.
///
/// Numbers are used only if each names a line of this batch, and no line contains a newline, which
/// some servers count.
pub(super) fn numbered_lines(
    lines: &Lines,
    text: &str,
    json: Option<&Value>,
) -> BTreeMap<usize, String> {
    let mut numbers = BTreeMap::new();
    let data = json.and_then(|json| json.get("data"));
    match data {
        Some(Value::Array(items)) => numbers.extend(items.iter().filter_map(item)),
        Some(data) => numbers.extend(item(data)),
        None => {}
    }
    if numbers.is_empty() {
        numbers.extend(text.lines().filter_map(numbered_in_text));
    }
    if numbers.is_empty() {
        let first = json.and_then(|json| json.get("line")?.as_u64());
        numbers.extend(
            first
                .filter(|line| *line > 0)
                .map(|line| numbered(line, text)),
        );
    }
    let can_be_trusted = numbers
        .keys()
        .all(|number| (1..=lines.len() as u64).contains(number))
        && lines.body().iter().filter(|byte| **byte == b'\n').count() == lines.len();
    if !can_be_trusted {
        return BTreeMap::new();
    }
    let bad = numbers.into_iter();
    bad.filter_map(|(number, reason)| Some((number as usize - 1, reason?)))
        .collect()
}

/// The number of a line and the reason; no reason if it is the server's own fault, not the line's.
type Numbered = (u64, Option<String>);

fn numbered(number: u64, reason: &str) -> Numbered {
    let is_about_the_line = !is_server_fault(reason);
    (number, is_about_the_line.then(|| shown(reason)))
}

fn item(item: &Value) -> Option<Numbered> {
    let number = item.get("line_number")?.as_u64()?;
    Some(numbered(number, item.get("error_message")?.as_str()?))
}

/// Parses `error parsing line 2 (1-based): why` and `error in line 2: why`.
fn numbered_in_text(line: &str) -> Option<Numbered> {
    let line = line.trim_start();
    let is_cloud = CLOUD_PREFIXES
        .iter()
        .find_map(|before| line.strip_prefix(before));
    let (rest, is_questdb) = match (is_cloud, line.strip_prefix(QUESTDB_PREFIX)) {
        (Some(rest), _) => (rest, false),
        (None, rest) => (rest?, true),
    };
    let (number, why) = rest.split_once(':')?;
    let number = number.strip_suffix(" (1-based)").unwrap_or(number);
    let (number, why) = (number.parse().ok()?, why.trim());
    // QuestDB repeats names and values unquoted, and reports its own faults elsewhere.
    Some(match is_questdb {
        true => (number, Some(shown(why))),
        false => numbered(number, why),
    })
}

fn shown(reason: &str) -> String {
    printable(reason, LIMIT).into_owned()
}
