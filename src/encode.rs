//! Measurement to line. The one file that escapes, and a security boundary: tags and fields carry
//! what strangers send, so *one measurement is one line, whatever its strings*.
//!
//! Rules: the [reference], and what servers do where it is silent. A backslash before a blank,
//! comma, equals sign or backslash has no reading that they share: InfluxDB 1.x and 2.x take the
//! second character as escaped whatever stands before the backslash, the parser of 3.x and
//! VictoriaMetrics read two backslashes as one and what follows as unescaped. So a line of ours
//! never holds two in a row, nor one at the end of a name, key or tag (1.x refuses the point), nor
//! one before a quote (1.6.7 drops it from names and field keys, and keeps it in tags).
//! A NUL counts as white space between the parts of a line (seen on 1.6.7).
//!
//! In a string field a newline is the one character that splits a line, and only for some servers
//! (VictoriaMetrics 1.79; asked were it and InfluxDB 1.6.7, for all control characters and the
//! separators of Unicode). So it goes out as what the string `\n`, in letters, would.
//!
//! [reference]: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/

mod field_buffer;
mod fields;
mod line_buffer;
mod schema;
pub(crate) mod text;
pub(crate) mod words;

pub(crate) use self::{
    field_buffer::PooledFields,
    fields::FieldFormat,
    line_buffer::{LineBuffer, ROOM},
    schema::{Schema, SchemaCache},
};
use crate::{
    NameKind, Precision, RecordError, StringNewlines, Timestamp,
    encode::text::Part,
    point::measurement::{Contents, Key},
};

/// What every line of a pipeline shares.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Sorted by key.
    base_tags: Vec<BaseTag>,
    /// `,key=value` of each, one after the other.
    base_text: LineBuffer,
    precision: Precision,
    /// What a timestamp in that precision is multiplied by, to be written in another one.
    scale: i64,
    format: FieldFormat,
}

#[derive(Debug)]
struct BaseTag {
    key: Key,
    /// Where it ends in the text of all.
    end: usize,
}

impl Encoder {
    /// `base_tags` go on every line whose measurement does not set them itself.
    pub(crate) fn new<'a>(
        base_tags: impl IntoIterator<Item = (&'a str, &'a str)>,
        precision: Precision,
        unsigned: bool,
    ) -> Self {
        let key_of = |(key, value): (&'a str, &'a str)| (Key::new(key.to_owned().into()), value);
        let mut pairs: Vec<_> = base_tags.into_iter().map(key_of).collect();
        // Keys that become one by replacement would stand twice.
        pairs.sort_by(|(key, _), (other, _)| key.cmp(other));
        pairs.dedup_by(|(key, _), (other, _)| key == other);
        let mut base_text = LineBuffer::default();
        let base_tags = pairs.into_iter().map(|(key, value)| {
            push_base_tag(&mut base_text, &key, value);
            let end = base_text.line_len();
            BaseTag { key, end }
        });
        Self {
            base_tags: base_tags.collect(),
            base_text,
            precision,
            scale: 1,
            format: FieldFormat {
                unsigned,
                string: Part::String,
            },
        }
    }

    /// Whether newlines in string fields go out as they are.
    pub(crate) fn string_newlines(mut self, newlines: StringNewlines) -> Self {
        self.format.string = match newlines {
            StringNewlines::Escape => Part::String,
            StringNewlines::Raw => Part::RawString,
        };
        self
    }

    /// Whether microseconds are written as nanoseconds.
    pub(crate) fn microseconds_as_nanoseconds(mut self, is_so: bool) -> Self {
        self.scale = match is_so && self.precision == Precision::Microseconds {
            true => 1_000,
            false => 1,
        };
        self
    }

    /// How field values are written.
    pub(crate) fn format(&self) -> FieldFormat {
        self.format
    }

    /// Appends a whole line.
    #[cfg(any(test, feature = "middleware"))]
    pub(crate) fn encode(
        &self,
        point: &Contents,
        line: &mut LineBuffer,
    ) -> Result<(), RecordError> {
        self.push_series(point, line)?;
        self.push_rest(point, line)
    }

    /// Appends what comes after the series part.
    pub(crate) fn push_rest(
        &self,
        point: &Contents,
        line: &mut LineBuffer,
    ) -> Result<(), RecordError> {
        self.format.push_fields(point, line)?;
        match self.push_end(point.timestamp, line) {
            true => Ok(()),
            false => Err(invalid_timestamp(point.timestamp, &point.name)),
        }
    }

    /// Appends the series part: the name and the tags, all before the first blank of a line that
    /// is not escaped.
    pub(crate) fn push_series(
        &self,
        point: &Contents,
        line: &mut LineBuffer,
    ) -> Result<(), RecordError> {
        let mut schema = Schema::default();
        schema.fill(self, point)?;
        schema.push(point, 0, line).map(drop)
    }

    /// Appends the timestamp, and ends the line; or does nothing and says no, if the timestamp
    /// can't be stored.
    #[inline]
    #[must_use]
    pub(crate) fn push_end(&self, timestamp: Timestamp, line: &mut LineBuffer) -> bool {
        match self.precision.stored(timestamp) {
            Some(timestamp) => {
                // It is in the range of nanoseconds.
                line.push_end(timestamp * self.scale);
                true
            }
            None => false,
        }
    }
}

const NOT_EMPTY: &str = "it must not be empty";
const NOT_TIME: &str = "`time` is the timestamp's own name";
const NOT_EMPTY_NOT_COMMENT: &str =
    "it must not be empty, nor start with `#` (the server would discard the line as a comment)";

/// The error of a timestamp that InfluxDB does not store.
#[cold]
pub(crate) fn invalid_timestamp(timestamp: Timestamp, measurement: &str) -> RecordError {
    RecordError::InvalidTimestamp {
        timestamp,
        measurement: measurement.to_owned(),
    }
}

#[cold]
fn invalid(kind: NameKind, measurement: &str, name: &str, allowed: &'static str) -> RecordError {
    RecordError::InvalidName {
        kind,
        name: name.to_owned(),
        measurement: measurement.to_owned(),
        allowed,
    }
}

/// `,key=value`; nothing if either is empty.
fn push_base_tag(line: &mut LineBuffer, key: &Key, value: &str) {
    let start = line.line_len();
    if key.is_empty() {
        return;
    }
    fields::push_key(line, b',', key);
    line.push_tag_value(value, start);
}

#[cfg(test)]
mod tests;
