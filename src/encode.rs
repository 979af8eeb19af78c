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

mod digits;
#[cfg(feature = "middleware")]
pub(crate) mod known;
mod line_buffer;
pub(crate) mod text;

use smallvec::SmallVec;

pub(crate) use self::line_buffer::{LineBuffer, ROOM};
use crate::{
    FieldValue, Measurement, NameKind, Precision, RecordError, StringNewlines,
    encode::text::Part,
    point::measurement::{Contents, Key},
};

/// What every line of a pipeline shares.
#[derive(Debug)]
pub(crate) struct Encoder {
    #[cfg(feature = "middleware")]
    id: known::EncoderId,
    /// Sorted by key.
    base_tags: Vec<BaseTag>,
    precision: Precision,
    unsigned: bool,
    /// What a string field escapes.
    string: Part,
}

#[derive(Debug)]
struct BaseTag {
    key: Key,
    /// `,key=value`, escaped.
    encoded: Vec<u8>,
}

impl Encoder {
    /// `base_tags` go on every line whose measurement does not set them itself.
    pub(crate) fn new<'a>(
        base_tags: impl IntoIterator<Item = (&'a str, &'a str)>,
        precision: Precision,
        unsigned: bool,
    ) -> Self {
        let mut base_tags: Vec<_> = base_tags
            .into_iter()
            .filter_map(|(key, value)| {
                let key = Key::new(key.to_owned().into());
                let mut encoded = LineBuffer::default();
                push_tag(&mut encoded, &key, value);
                (encoded.line_len() > 0).then(|| BaseTag {
                    key,
                    encoded: encoded.into_bytes(),
                })
            })
            .collect();
        // Keys that become one by replacement would stand twice.
        base_tags.sort_by(|a, b| a.key.cmp(&b.key));
        base_tags.dedup_by(|a, b| a.key == b.key);
        Self {
            #[cfg(feature = "middleware")]
            id: known::EncoderId::new(),
            base_tags,
            precision,
            unsigned,
            string: Part::String,
        }
    }

    /// Whether newlines in string fields go out as they are.
    pub(crate) fn string_newlines(self, newlines: StringNewlines) -> Self {
        let string = match newlines {
            StringNewlines::Escape => Part::String,
            StringNewlines::Raw => Part::RawString,
        };
        Self { string, ..self }
    }

    /// Writes the measurement's line. Returns how many bytes of it name its series: all before the
    /// first blank that is not escaped.
    pub(crate) fn encode(
        &self,
        measurement: &Measurement,
        line: &mut LineBuffer,
    ) -> Result<usize, RecordError> {
        let point = &*measurement.0;
        line.take_back();
        line.reserve(0);
        if point.database.name.is_empty() {
            return Err(invalid(NameKind::Database, point, "", NOT_EMPTY));
        }
        push_name(line, point)?;
        self.push_tags(line, point)?;
        let series = line.line_len();
        self.finish(line, point)?;
        Ok(series)
    }

    /// Appends all that follows the name and the tags.
    #[inline]
    pub(crate) fn finish(
        &self,
        line: &mut LineBuffer,
        point: &Contents,
    ) -> Result<(), RecordError> {
        self.push_fields(line, point)?;
        if !self.precision.stores(point.timestamp) {
            return Err(RecordError::InvalidTimestamp {
                timestamp: point.timestamp,
                measurement: point.name.clone().into_owned(),
            });
        }
        line.push_end(self.precision.from_nanos(point.timestamp.0));
        Ok(())
    }

    /// The measurement's tags and the base tags, merged, sorted by key, each key once.
    fn push_tags(&self, line: &mut LineBuffer, point: &Contents) -> Result<(), RecordError> {
        let mut tags: SmallVec<[_; 8]> = point.tags.iter().collect();
        tags.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut base_tags = &*self.base_tags;
        for (key, value) in tags {
            while let [base, rest @ ..] = base_tags
                && base.key <= *key
            {
                base_tags = rest;
                if base.key != *key {
                    line.push_bytes(&base.encoded);
                }
            }
            if key.is_time() {
                return Err(invalid(NameKind::TagKey, point, key.as_str(), NOT_TIME));
            }
            push_tag(line, key, value);
        }
        for base in base_tags {
            line.push_bytes(&base.encoded);
        }
        Ok(())
    }

    #[inline]
    fn push_fields(&self, line: &mut LineBuffer, point: &Contents) -> Result<(), RecordError> {
        let mut separator = b' ';
        for (key, value) in &*point.fields {
            if key.is_empty() || key.is_time() {
                let key = key.as_str();
                return Err(invalid(NameKind::FieldKey, point, key, NOT_EMPTY_NOT_TIME));
            }
            if matches!(value, FieldValue::Float(float) if !float.is_finite()) {
                continue;
            }
            push_key(line, separator, key);
            self.push_value(line, value);
            separator = b',';
        }
        match separator {
            b',' => Ok(()),
            _ => Err(RecordError::NoFields {
                measurement: point.name.clone().into_owned(),
            }),
        }
    }

    #[inline]
    fn push_value(&self, line: &mut LineBuffer, value: &FieldValue) {
        match *value {
            FieldValue::Float(value) => line.push_float(value),
            FieldValue::Integer(value) => line.push_integer(value, b'i'),
            FieldValue::Unsigned(value) => self.push_unsigned(line, value),
            FieldValue::Boolean(true) => line.push_bytes(b"true"),
            FieldValue::Boolean(false) => line.push_bytes(b"false"),
            FieldValue::String(ref value) => {
                line.push(b'"');
                line.push_text(value.as_bytes(), self.string);
                line.push(b'"');
            }
        }
    }

    #[inline]
    fn push_unsigned(&self, line: &mut LineBuffer, value: u64) {
        if self.unsigned {
            line.push_unsigned(value, b'u');
        } else {
            line.push_unsigned(value.min(i64::MAX as u64), b'i');
        }
    }
}

const NOT_EMPTY: &str = "it must not be empty";
const NOT_TIME: &str = "`time` is the timestamp's own name";
const NOT_EMPTY_NOT_TIME: &str = "it must not be empty, nor `time`, the timestamp's own name";
const NOT_EMPTY_NOT_COMMENT: &str =
    "it must not be empty, nor start with `#` (the server would discard the line as a comment)";

#[cold]
fn invalid(kind: NameKind, point: &Contents, name: &str, allowed: &'static str) -> RecordError {
    RecordError::InvalidName {
        kind,
        name: name.to_owned(),
        measurement: point.name.clone().into_owned(),
        allowed,
    }
}

#[inline]
fn push_name(line: &mut LineBuffer, point: &Contents) -> Result<(), RecordError> {
    line.push_replaced(&point.name, Part::Name);
    match line.line().first() {
        None | Some(b'#') => {
            let name = &point.name;
            Err(invalid(
                NameKind::Measurement,
                point,
                name,
                NOT_EMPTY_NOT_COMMENT,
            ))
        }
        Some(_) => Ok(()),
    }
}

/// `,key=value`; nothing if either is empty.
#[inline]
fn push_tag(line: &mut LineBuffer, key: &Key, value: &str) {
    if key.is_empty() {
        return;
    }
    let start = line.line_len();
    push_key(line, b',', key);
    let before = line.line_len();
    line.push_replaced(value, Part::Key);
    if line.line_len() == before {
        line.truncate(start);
    }
}

/// The key, and an equals sign.
#[inline]
fn push_key(line: &mut LineBuffer, separator: u8, key: &Key) {
    if key.is_plain() {
        line.push_key(separator, key.as_str().as_bytes(), key.first_bytes());
    } else {
        line.push(separator);
        line.push_text(key.as_str().as_bytes(), Part::Key);
        line.push(b'=');
    }
}

#[cfg(test)]
mod tests;
