//! Lines of which the series part (name and tags) is known already: it is written once per series,
//! and copied into every line.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Encoder, LineBuffer};
use crate::{
    Measurement, RecordError, Timestamp,
    text::{Part, first_word, is_plain},
};

/// Tells an encoder from every other one of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncoderId(u64);

impl EncoderId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Encoder {
    /// Which one it is: a series part fits only the encoder that has made it.
    pub(crate) fn id(&self) -> EncoderId {
        self.id
    }

    /// The series part of the measurement's line.
    pub(crate) fn encode_series(&self, measurement: &Measurement) -> Result<Vec<u8>, RecordError> {
        let mut line = LineBuffer::default();
        super::push_name(&mut line, &measurement.0)?;
        self.push_tags(&mut line, &measurement.0)?;
        Ok(line.into_bytes())
    }

    /// Begins a line with a series part that this encoder has made.
    #[inline]
    pub(crate) fn begin<'a>(&self, series: &[u8], line: &'a mut LineBuffer) -> KnownLine<'_, 'a> {
        line.push_all(series);
        KnownLine {
            encoder: self,
            line,
            separator: b' ',
        }
    }
}

/// A line whose series part is written. It needs a field, and ends with [`end`](Self::end).
///
/// Keys are the crate's own, so they hold nothing to be escaped.
#[derive(Debug)]
pub(crate) struct KnownLine<'e, 'a> {
    encoder: &'e Encoder,
    line: &'a mut LineBuffer,
    separator: u8,
}

impl KnownLine<'_, '_> {
    #[inline]
    fn key(&mut self, key: &'static str) {
        debug_assert!(!key.is_empty() && is_plain(key, Part::Key), "{key:?}");
        let first = first_word(key.as_bytes()).to_le_bytes();
        self.line.push_key(self.separator, key.as_bytes(), first);
        self.separator = b',';
    }

    /// It has to be finite.
    #[inline]
    pub(crate) fn float(&mut self, key: &'static str, value: f64) {
        debug_assert!(value.is_finite());
        self.key(key);
        self.line.push_float(value);
    }

    #[inline]
    pub(crate) fn unsigned(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.encoder.push_unsigned(self.line, value);
    }

    #[inline]
    pub(crate) fn string(&mut self, key: &'static str, value: &str) {
        self.key(key);
        self.line.push(b'"');
        self.line.push_text(value, Part::String);
        self.line.push(b'"');
    }

    #[inline]
    pub(crate) fn end(self, timestamp: Timestamp) {
        debug_assert!(self.separator == b',', "a line needs a field");
        self.line
            .push_end(self.encoder.precision.from_nanos(timestamp.0));
    }
}
