//! Lines of which the series part (name and tags) is known already: it is written once per series,
//! and copied into every line.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Encoder, Part, push_escaped, push_integer};
use crate::{Measurement, RecordError, Timestamp};

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
    pub(crate) fn encode_series(
        &self,
        measurement: &mut Measurement,
    ) -> Result<Vec<u8>, RecordError> {
        let mut out = Vec::new();
        super::push_name(&mut out, measurement)?;
        self.push_tags(&mut out, measurement)?;
        Ok(out)
    }

    /// Begins a line with a series part that this encoder has made.
    #[inline]
    pub(crate) fn begin<'a>(&self, series: &[u8], out: &'a mut Vec<u8>) -> KnownLine<'_, 'a> {
        out.extend_from_slice(series);
        KnownLine {
            encoder: self,
            out,
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
    out: &'a mut Vec<u8>,
    separator: u8,
}

impl KnownLine<'_, '_> {
    #[inline]
    fn key(&mut self, key: &'static str) {
        debug_assert!(!key.is_empty() && super::classes(key) == 0, "{key:?}");
        self.out.push(self.separator);
        self.separator = b',';
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'=');
    }

    /// It has to be finite.
    #[inline]
    pub(crate) fn float(&mut self, key: &'static str, value: f64) {
        debug_assert!(value.is_finite());
        self.key(key);
        let mut digits = zmij::Buffer::new();
        self.out
            .extend_from_slice(digits.format_finite(value).as_bytes());
    }

    #[inline]
    pub(crate) fn unsigned(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.encoder.push_unsigned(self.out, value);
    }

    #[inline]
    pub(crate) fn string(&mut self, key: &'static str, value: &str) {
        self.key(key);
        self.out.push(b'"');
        push_escaped(self.out, value, Part::String);
        self.out.push(b'"');
    }

    #[inline]
    pub(crate) fn end(self, timestamp: Timestamp) {
        debug_assert!(self.separator == b',', "a line needs a field");
        self.out.push(b' ');
        push_integer(self.out, self.encoder.precision.from_nanos(timestamp.0));
        self.out.push(b'\n');
    }
}
