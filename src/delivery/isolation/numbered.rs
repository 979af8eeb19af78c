use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    batch::Lines,
    delivery::verdict::is_about_the_server,
    printable::{LIMIT, printable},
};

/// What stands before a line's number, at the start of a line of the text: of InfluxDB Cloud and of
/// QuestDB.
const BEFORE_NUMBER: [&str; 3] = [
    "error parsing line ",
    "error writing line ",
    "error in line ",
];

/// The lines that the answer numbers as bad, with what it says of each: InfluxDB 3 in a list (all of
/// them) or in an object (the first), Cloud in its text, QuestDB in its text and in `line`. All
/// count from 1.
///
/// Numbers count only if they can be trusted: each names a line of this batch, and no line holds a
/// newline, at which some servers count on.
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
        numbers.extend(text.lines().filter_map(told_in_text));
    }
    if numbers.is_empty() {
        let first = json.and_then(|json| json.get("line")?.as_u64());
        numbers.extend(
            first
                .filter(|line| *line > 0)
                .map(|line| (line, shown(text))),
        );
    }
    let can_be_trusted = numbers
        .keys()
        .all(|number| (1..=lines.len() as u64).contains(number))
        && lines.body().iter().filter(|byte| **byte == b'\n').count() == lines.len();
    if !can_be_trusted {
        return BTreeMap::new();
    }
    let numbers = numbers.into_iter();
    // What is the server's own trouble is no fault of the line that it struck.
    let bad = numbers.filter(|(_, reason)| !is_about_the_server(reason));
    bad.map(|(number, reason)| (number as usize - 1, reason))
        .collect()
}

fn item(item: &Value) -> Option<(u64, String)> {
    let number = item.get("line_number")?.as_u64()?;
    Some((number, shown(item.get("error_message")?.as_str()?)))
}

/// `error parsing line 2 (1-based): why`, `error in line 2: why`.
fn told_in_text(line: &str) -> Option<(u64, String)> {
    let line = line.trim_start();
    let mut rests = BEFORE_NUMBER.iter().map(|before| line.strip_prefix(before));
    let (number, why) = rests.find_map(|rest| rest)?.split_once(':')?;
    let number = number.strip_suffix(" (1-based)").unwrap_or(number);
    Some((number.parse().ok()?, shown(why.trim())))
}

fn shown(reason: &str) -> String {
    printable(reason, LIMIT).into_owned()
}
