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
//! [reference]: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/

#[cfg(feature = "middleware")]
pub(crate) mod known;

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::{FieldValue, Measurement, Precision, RecordError};

/// What every line of a pipeline shares.
#[derive(Debug)]
pub(crate) struct Encoder {
    #[cfg(feature = "middleware")]
    id: known::EncoderId,
    /// Sorted by key.
    base_tags: Vec<BaseTag>,
    precision: Precision,
    unsigned: bool,
}

#[derive(Debug)]
struct BaseTag {
    key: String,
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
                let mut encoded = Vec::new();
                let key = replaced(key).into_owned();
                push_tag(&mut encoded, &key, value);
                (!encoded.is_empty()).then_some(BaseTag { key, encoded })
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
        }
    }

    /// Appends the measurement's line to `out`, or leaves `out` as it was. Returns how many bytes of
    /// the line name its series: all before the first blank that is not escaped.
    #[inline]
    pub(crate) fn encode(
        &self,
        measurement: &mut Measurement,
        out: &mut Vec<u8>,
    ) -> Result<usize, RecordError> {
        let start = out.len();
        let result = self.push_line(measurement, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn push_line(
        &self,
        measurement: &mut Measurement,
        out: &mut Vec<u8>,
    ) -> Result<usize, RecordError> {
        if measurement.database.name.is_empty() {
            return Err(invalid("database", measurement, "", NOT_EMPTY));
        }
        let start = out.len();
        push_name(out, measurement)?;
        self.push_tags(out, measurement)?;
        let series = out.len() - start;
        self.push_fields(out, measurement)?;
        let timestamp = measurement.timestamp;
        if !timestamp.is_storable() {
            return Err(RecordError::InvalidTimestamp {
                timestamp: timestamp.0,
                measurement: measurement.name.clone().into_owned(),
            });
        }
        out.push(b' ');
        push_integer(out, self.precision.from_nanos(timestamp.0));
        out.push(b'\n');
        Ok(series)
    }

    /// The measurement's tags and the base tags, merged, sorted by key, each key once.
    fn push_tags(
        &self,
        out: &mut Vec<u8>,
        measurement: &mut Measurement,
    ) -> Result<(), RecordError> {
        replace_in_keys(&mut measurement.tags);
        if !measurement.tags.is_sorted_by(|(a, _), (b, _)| a <= b) {
            measurement.tags.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut base_tags = self.base_tags.iter().peekable();
        for (key, value) in &measurement.tags {
            while let Some(base) = base_tags.next_if(|base| *base.key < **key) {
                out.extend_from_slice(&base.encoded);
            }
            base_tags.next_if(|base| *base.key == **key);
            if key == "time" {
                return Err(invalid("tag key", measurement, key, NOT_TIME));
            }
            push_tag(out, key, value);
        }
        for base in base_tags {
            out.extend_from_slice(&base.encoded);
        }
        Ok(())
    }

    fn push_fields(
        &self,
        out: &mut Vec<u8>,
        measurement: &mut Measurement,
    ) -> Result<(), RecordError> {
        replace_in_keys(&mut measurement.fields);
        let mut separator = b' ';
        for (key, value) in &measurement.fields {
            if key.is_empty() || key == "time" {
                return Err(invalid("field key", measurement, key, NOT_EMPTY_NOT_TIME));
            }
            if matches!(value, FieldValue::Float(float) if !float.is_finite()) {
                continue;
            }
            out.push(separator);
            push_escaped(out, key, Part::Key);
            out.push(b'=');
            self.push_value(out, value);
            separator = b',';
        }
        match separator {
            b',' => Ok(()),
            _ => Err(RecordError::NoFields {
                measurement: measurement.name.clone().into_owned(),
            }),
        }
    }

    fn push_value(&self, out: &mut Vec<u8>, value: &FieldValue) {
        match *value {
            FieldValue::Float(value) => {
                out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
            }
            FieldValue::Integer(value) => {
                push_integer(out, value);
                out.push(b'i');
            }
            FieldValue::Unsigned(value) => self.push_unsigned(out, value),
            FieldValue::Boolean(true) => out.extend_from_slice(b"true"),
            FieldValue::Boolean(false) => out.extend_from_slice(b"false"),
            FieldValue::String(ref value) => {
                out.push(b'"');
                push_escaped(out, value, Part::String);
                out.push(b'"');
            }
        }
    }

    fn push_unsigned(&self, out: &mut Vec<u8>, value: u64) {
        if self.unsigned {
            push_integer(out, value);
            out.push(b'u');
        } else {
            push_integer(out, value.min(i64::MAX as u64));
            out.push(b'i');
        }
    }
}

const NOT_EMPTY: &str = "it must not be empty";
const NOT_TIME: &str = "`time` is the timestamp's own name";
const NOT_EMPTY_NOT_TIME: &str = "it must not be empty, nor `time`, the timestamp's own name";
const NOT_EMPTY_NOT_COMMENT: &str =
    "it must not be empty, nor start with `#` (the server would discard the line as a comment)";

#[cold]
fn invalid(
    kind: &'static str,
    measurement: &Measurement,
    name: &str,
    allowed: &'static str,
) -> RecordError {
    RecordError::InvalidName {
        kind,
        name: name.to_owned(),
        measurement: measurement.name.clone().into_owned(),
        allowed,
    }
}

/// Which characters a part of a line escapes with a backslash.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Part {
    /// Blank and comma.
    Name = 1,
    /// Blank, comma and equals sign; a tag's value too.
    Key = 2,
    /// Quote and backslash.
    String = 4,
}

/// In names, keys and tag values: a character that is replaced, or a backslash.
const REPLACED: u8 = 8;

/// For each byte, the parts that escape it, and [`REPLACED`].
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b' ' as usize] = Part::Name as u8 | Part::Key as u8;
    classes[b',' as usize] = Part::Name as u8 | Part::Key as u8;
    classes[b'=' as usize] = Part::Key as u8;
    classes[b'"' as usize] = Part::String as u8;
    classes[b'\\' as usize] = Part::String as u8 | REPLACED;
    classes[b'\n' as usize] = REPLACED;
    classes[b'\r' as usize] = REPLACED;
    classes[b'\t' as usize] = REPLACED;
    classes[b'\0' as usize] = REPLACED;
    classes
};

/// All classes that occur in `text`.
#[inline]
fn classes(text: &str) -> u8 {
    text.bytes()
        .fold(0, |classes, byte| classes | CLASSES[usize::from(byte)])
}

#[inline]
fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline]
fn push_name(out: &mut Vec<u8>, measurement: &Measurement) -> Result<(), RecordError> {
    let name = replaced(&measurement.name);
    if name.is_empty() || name.starts_with('#') {
        let raw = &measurement.name;
        return Err(invalid(
            "measurement",
            measurement,
            raw,
            NOT_EMPTY_NOT_COMMENT,
        ));
    }
    push_escaped(out, &name, Part::Name);
    Ok(())
}

/// `,key=value`; nothing if either is empty. In `key` everything has been replaced already.
#[inline]
fn push_tag(out: &mut Vec<u8>, key: &str, value: &str) {
    let value = replaced(value);
    if !key.is_empty() && !value.is_empty() {
        out.push(b',');
        push_escaped(out, key, Part::Key);
        out.push(b'=');
        push_escaped(out, &value, Part::Key);
    }
}

/// `text`, with a backslash before what `part` escapes.
#[inline]
fn push_escaped(out: &mut Vec<u8>, text: &str, part: Part) {
    if classes(text) & part as u8 == 0 {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for byte in text.bytes() {
        if CLASSES[usize::from(byte)] & part as u8 != 0 {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// `text` as a name, key or tag value can carry it: see the head of this file.
#[inline]
pub(crate) fn replaced(text: &str) -> Cow<'_, str> {
    if classes(text) & REPLACED == 0 {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\\' if rest
                .peek()
                .is_none_or(|next| " ,=\"\\\n\r\t\0".contains(*next)) => {}
            char => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// Replaces what a key can't carry. Keys that become one keep the last value, as [`Measurement`]'s
/// setters do: a server refuses a tag that stands twice.
#[inline]
fn replace_in_keys<V, const N: usize>(entries: &mut SmallVec<[(Cow<'static, str>, V); N]>) {
    let is_clean = |(key, _): &(Cow<'static, str>, V)| classes(key) & REPLACED == 0;
    if !entries.iter().all(is_clean) {
        let given = std::mem::take(entries);
        for (key, value) in given {
            let key = Cow::Owned(replaced(&key).into_owned());
            entries.retain(|(known, _)| *known != key);
            entries.push((key, value));
        }
    }
}

#[cfg(test)]
mod tests;
