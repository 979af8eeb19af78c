use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use crate::batch::Lines;

/// Text before and after each quoted line.
const BEFORE: &str = "unable to parse '";
const AFTER: &str = "': ";

/// The lines that the text quotes, by index, with their reasons: `unable to parse 'bad line':
/// invalid field format`, one after another (InfluxDB 1.x and 2.x). The list may be cut short, and
/// leaves out type conflicts.
///
/// A quoted line can contain anything, also the words around it. So the text is read from its
/// start, and only a whole line of the batch counts.
pub(super) fn quoted_lines(lines: &Lines, text: &str) -> BTreeMap<usize, String> {
    let mut found = BTreeMap::new();
    let Some(first) = text.find(BEFORE) else {
        return found;
    };
    let mut numbers: HashMap<Cow<'_, str>, Vec<usize>> = HashMap::new();
    for (number, line) in lines.iter().enumerate() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // As in the response: JSON is UTF-8, and leading blanks are left out.
        let line = match String::from_utf8_lossy(line) {
            Cow::Borrowed(line) => Cow::Borrowed(line.trim_start_matches(' ')),
            Cow::Owned(line) => Cow::Owned(line.trim_start_matches(' ').to_owned()),
        };
        numbers.entry(line).or_default().push(number);
    }
    let lengths: HashSet<_> = numbers.keys().map(|line| line.len()).collect();
    let mut rest = &text[first..];
    while let Some(quote) = rest.strip_prefix(BEFORE) {
        let ends = quote.match_indices(AFTER).map(|(end, _)| end);
        let Some(end) = ends
            .into_iter()
            .find(|end| lengths.contains(end) && numbers.contains_key(&quote[..*end]))
        else {
            break;
        };
        let after = &quote[end + AFTER.len()..];
        let next = after.find(BEFORE).unwrap_or(after.len());
        let why = after[..next].trim_end();
        let why = why.rsplit_once(" dropped=").map_or(why, |(why, _)| why);
        for number in &numbers[&quote[..end]] {
            found.insert(*number, format!("unable to parse: {why}"));
        }
        rest = &after[next..];
    }
    found
}
