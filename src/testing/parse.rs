//! Parses a body of line protocol to points, and to the reasons for bad lines.

use std::{borrow::Cow, collections::BTreeMap};

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines, split_lines};

use super::{
    point::{Point, Value},
    precision::Precision,
    scan::{Refusal, is_blank, scan},
};

/// Parsed lines of a body, before the database checks them.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) points: Vec<Point>,
    /// `unable to parse '…': …`, one per bad line.
    pub(super) refused: Vec<String>,
}

/// A line that is neither blank nor a comment.
#[derive(Debug)]
pub(super) struct ReadLine {
    /// Without leading blanks and line end.
    pub(super) text: String,
    pub(super) point: Result<Point, Refusal>,
}

/// How to parse the lines of a request.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) precision: Precision,
    /// Whether `7u` is valid. Not on 1.6.7.
    pub(super) unsigned: bool,
    pub(super) retention_policy: Option<String>,
}

impl Reading {
    pub(super) fn parse(&self, body: &[u8]) -> Parsed {
        let mut parsed = Parsed::default();
        self.each(body, |line| match self.point(line) {
            Ok(point) => parsed.points.push(point),
            Err(why) => parsed
                .refused
                .push(format!("unable to parse '{line}': {why}")),
        });
        parsed
    }

    /// All lines in order, with the reasons of InfluxDB 1.x and 2.x.
    pub(super) fn lines(&self, body: &[u8]) -> Vec<ReadLine> {
        self.read(body, |line| self.point(line))
    }

    /// All lines in order, as parsed by InfluxDB 3, which accepts a repeated tag.
    pub(super) fn lines_of_v3(&self, body: &[u8]) -> Vec<ReadLine> {
        self.read(body, |line| self.point_of_v3(line))
    }

    fn read(&self, body: &[u8], point: impl Fn(&str) -> Result<Point, Refusal>) -> Vec<ReadLine> {
        let mut lines = Vec::new();
        self.each(body, |line| {
            lines.push(ReadLine {
                text: line.to_owned(),
                point: point(line),
            });
        });
        lines
    }

    fn each(&self, body: &[u8], mut take: impl FnMut(&str)) {
        let text = String::from_utf8_lossy(body);
        for line in split_lines(&text) {
            // Only an unclosed string extends to a line break at the end of the body.
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.trim_start_matches(|c: char| c.is_ascii() && is_blank(c as u8));
            // Seen on 1.6.7: a comment is ignored, with status 204.
            if !line.is_empty() && !line.starts_with('#') {
                take(line);
            }
        }
    }

    fn point_of_v3(&self, line: &str) -> Result<Point, Refusal> {
        let parsed = match parse_lines(line).next() {
            Some(Ok(parsed)) => parsed,
            Some(Err(error)) => return Err(error.to_string().into()),
            None => return Err("No fields were provided".into()),
        };
        let mut keys: Vec<_> = parsed
            .field_set
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            let why = format!(
                "invalid line protocol - multiple instances of '{}' field found",
                pair[0]
            );
            return Err(why.into());
        }
        let nanoseconds = |raw| self.precision.nanoseconds(raw);
        let timestamp = parsed.timestamp.map(nanoseconds).transpose()?;
        Ok(self.to_point(line, parsed, timestamp))
    }

    fn point(&self, line: &str) -> Result<Point, Refusal> {
        let scanned = scan(line.as_bytes(), self.unsigned)?;
        let timestamp = scanned
            .timestamp
            .map(|raw| self.precision.nanoseconds(raw))
            .transpose()?;
        let readable = double_literal_backslashes(line.trim_end_matches(' '));
        let mut lines = parse_lines(&readable);
        let parsed = match (lines.next(), lines.next()) {
            (Some(Ok(parsed)), None) => parsed,
            (Some(Err(error)), _) => return Err(error.to_string().into()),
            _ => return Err("an escaped line break in a name".into()),
        };
        Ok(self.to_point(line, parsed, timestamp))
    }

    fn to_point(&self, line: &str, parsed: ParsedLine<'_>, timestamp: Option<i64>) -> Point {
        let tags = parsed.series.tag_set.unwrap_or_default();
        let fields = parsed.field_set.into_iter();
        Point {
            measurement: parsed.series.measurement.into(),
            tags: tags
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            fields: fields
                .map(|(key, value)| (key.into(), value.into()))
                .collect::<BTreeMap<String, Value>>(),
            timestamp,
            retention_policy: self.retention_policy.clone(),
            line: line.to_owned(),
        }
    }
}

impl From<FieldValue<'_>> for Value {
    fn from(value: FieldValue<'_>) -> Self {
        match value {
            FieldValue::F64(value) => Self::Float(value),
            FieldValue::I64(value) => Self::Integer(value),
            FieldValue::U64(value) => Self::Unsigned(value),
            FieldValue::Boolean(value) => Self::Boolean(value),
            FieldValue::String(value) => Self::String(value.into()),
        }
    }
}

/// Rewrites names so that the parser reads them as 1.6.7 does.
///
/// To the parser, `\\` in a name is one backslash. 1.6.7 has no such escape (seen: the tag value
/// `a\\b` is returned unchanged): there a backslash only escapes a comma, a blank, an equals sign,
/// and outside of tags a quote, and is literal before anything else.
fn double_literal_backslashes(line: &str) -> Cow<'_, str> {
    #[derive(PartialEq)]
    enum Part {
        Measurement,
        Tags,
        Fields,
    }
    if !line.contains('\\') {
        return Cow::Borrowed(line);
    }
    let mut part = Part::Measurement;
    let (mut quoted, mut equals, mut commas) = (false, 0, 0);
    let mut out = String::with_capacity(line.len() + 8);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if quoted => {
                out.push(c);
                out.extend(rest.next());
                continue;
            }
            '\\' => {
                match (&part, rest.peek()) {
                    (Part::Measurement, Some('=' | '"')) | (Part::Fields, Some('"')) => {}
                    (_, Some(',' | ' ' | '=')) => out.push(c),
                    _ => {
                        out.push_str("\\\\");
                        continue;
                    }
                }
                out.extend(rest.next());
                continue;
            }
            ',' if part == Part::Measurement => part = Part::Tags,
            ' ' if part != Part::Fields => part = Part::Fields,
            '"' if part == Part::Fields && equals > commas => quoted = !quoted,
            '=' if part == Part::Fields && !quoted => equals += 1,
            ',' if part == Part::Fields && !quoted => commas += 1,
            _ => {}
        }
        out.push(c);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Parsed {
        let reading = Reading {
            precision: Precision::Nanoseconds,
            unsigned: false,
            retention_policy: None,
        };
        reading.parse(body.as_bytes())
    }

    #[test]
    fn a_string_field_may_hold_line_breaks_and_quotes() {
        let parsed = parse("m s=\"a\nb \\\"c\\\" \\\\ \\n\" 1\nm s=\"x\" 2\n");
        assert_eq!(parsed.refused, [""; 0]);
        assert_eq!(parsed.points.len(), 2);
        assert_eq!(
            parsed.points[0].field("s"),
            Some(&Value::from("a\nb \"c\" \\ \\n"))
        );
        assert_eq!(parsed.points[1].timestamp, Some(2));
    }

    // Queried back from 1.6.7: series `b\\a,t\\k=a\\b,u=a\\,b,w=c\d`, where `u` is `a\,b`, and the
    // fields `f\\k`, `g"h`, `i=j`, `k,l`.
    #[test]
    fn a_backslash_before_an_ordinary_character_is_one() {
        let line = r#"b\\a,t\\k=a\\b,u=a\\,b,w=c\d f\\k="a\\b\c\"d",g\"h=1,i\=j=2,k\,l=3 1"#;
        let parsed = parse(line);
        assert_eq!(parsed.refused, [""; 0]);
        let point = &parsed.points[0];
        assert_eq!(point.measurement, r"b\\a");
        assert_eq!(point.tag(r"t\\k"), Some(r"a\\b"));
        assert_eq!(point.tag("u"), Some(r"a\,b"));
        assert_eq!(point.tag("w"), Some(r"c\d"));
        assert_eq!(point.field(r"f\\k"), Some(&Value::from(r#"a\b\c"d"#)));
        let keys: Vec<_> = point.fields.keys().collect();
        assert_eq!(keys, [r"f\\k", "g\"h", "i=j", "k,l"]);
        assert_eq!(point.line, line);
    }

    #[test]
    fn escaped_commas_blanks_and_equals_signs_belong_to_names() {
        let point = parse(r"m\ x\,y\=z,a\ \=b=c\,d\ e v\ w=1 1")
            .points
            .remove(0);
        assert_eq!(point.measurement, "m x,y=z");
        assert_eq!(point.tag("a =b"), Some("c,d e"));
        assert_eq!(point.field("v w"), Some(&Value::Float(1.0)));
    }

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        let parsed = parse("# a\n\n  \n \t#b\n  m v=1 1\n");
        assert_eq!((parsed.points.len(), parsed.refused.len()), (1, 0));
    }

    // Seen on 1.6.7, except that a string right before `\r\n`, and nothing else, is taken there.
    #[test]
    fn lines_that_end_with_a_carriage_return_are_refused() {
        let refused = parse("m v=1\r\nm v=2 2\r\nm s=\"a\"\r\n").refused;
        assert_eq!(refused[0], "unable to parse 'm v=1\r': invalid number");
        assert_eq!(refused[1], "unable to parse 'm v=2 2\r': bad timestamp");
        assert_eq!(refused.len(), 3);
    }

    #[test]
    fn a_bad_line_is_quoted_without_the_blanks_before_it() {
        assert_eq!(
            parse(" \tbad line ").refused,
            ["unable to parse 'bad line ': invalid field format"]
        );
    }

    // Seen on 1.6.7.
    #[test]
    fn a_string_that_is_not_closed_takes_the_following_lines_with_it() {
        assert_eq!(
            parse("s s=\"a 1\nm v=1 1\n").refused,
            ["unable to parse 's s=\"a 1\nm v=1 1': unbalanced quotes"]
        );
    }

    #[test]
    fn of_a_field_named_twice_the_last_value_counts() {
        assert_eq!(
            parse("m a=1,a=2 1").points[0].field("a"),
            Some(&Value::Float(2.0))
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        let reading = Reading {
            precision: Precision::Seconds,
            unsigned: true,
            retention_policy: None,
        };
        let parsed = reading.parse(b"n\xff v=7u 1\nn\xff bad");
        assert_eq!(parsed.points[0].measurement, "n\u{fffd}");
        assert_eq!(parsed.points[0].timestamp, Some(1_000_000_000));
        assert_eq!(
            parsed.refused,
            ["unable to parse 'n\u{fffd} bad': invalid field format"]
        );
    }
}
