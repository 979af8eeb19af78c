use std::{
    borrow::Cow,
    cell::RefCell,
    ops::{Deref, DerefMut},
};

use super::{FieldFormat, LineBuffer, fields};
use crate::{FieldValue, RecordError, point::measurement::Key};

/// The fields of one line, encoded as they are set. A field that is set twice keeps the last
/// value.
#[derive(Debug, Default)]
pub(crate) struct FieldBuffer {
    /// ` key=value,key=value`
    text: LineBuffer,
    fields: Vec<Field>,
    /// The first key that can't be written.
    invalid: Option<Box<str>>,
}

/// Where a field is in the text, and its key's [rank](Key::rank).
#[derive(Clone, Copy, Debug)]
struct Field {
    rank: u64,
    start: u32,
    /// Of the separator, the key and the equals sign.
    key_len: u32,
}

/// All fields together are no longer: offsets are 32 bits wide, as is a batch's offset of a line.
const MAX_LEN: usize = crate::batch::MAX_LINE_BYTES;

impl FieldBuffer {
    #[inline(always)]
    pub(crate) fn set(
        &mut self,
        format: FieldFormat,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<FieldValue>,
    ) {
        let (key, value) = (key.into(), value.into());
        let key = Key::plain(key).unwrap_or_else(Key::odd);
        if !self.begin(&key) || !value.is_writable() {
            return;
        }
        self.push_key(&key);
        format.push_value(&mut self.text, &value);
    }

    /// Removes the field of this key. May one be written, with this key and after what is there?
    #[inline(always)]
    fn begin(&mut self, key: &Key) -> bool {
        if self.fields.iter().any(|field| field.rank == key.rank()) {
            self.remove(key);
        }
        if !fields::is_writable(key) {
            self.note_invalid(key);
            return false;
        }
        // What is so long is refused whatever comes after it.
        self.text.line_len() < MAX_LEN
    }

    #[inline(always)]
    fn push_key(&mut self, key: &Key) {
        let start = self.text.line_len();
        let separator = if start == 0 { b' ' } else { b',' };
        fields::push_key(&mut self.text, separator, key);
        self.fields.push(Field {
            rank: key.rank(),
            start: start as u32,
            key_len: (self.text.line_len() - start) as u32,
        });
    }

    #[cold]
    fn note_invalid(&mut self, key: &Key) {
        self.invalid.get_or_insert_with(|| key.as_str().into());
    }

    /// Removes the field of this key, if there is one.
    #[cold]
    fn remove(&mut self, key: &Key) {
        let mut encoded = LineBuffer::default();
        fields::push_key(&mut encoded, b',', key);
        let line = self.text.line();
        let is_it = |field: &Field| {
            let (start, len) = (field.start as usize, field.key_len as usize);
            line[start + 1..start + len] == encoded.line()[1..]
        };
        let Some(at) = self.fields.iter().position(is_it) else {
            return;
        };
        let start = self.fields.remove(at).start;
        let end = self.fields.get(at).map(|next| next.start);
        let end = end.unwrap_or(line.len() as u32);
        self.text.remove(start as usize..end as usize);
        for later in &mut self.fields[at..] {
            later.start -= end - start;
        }
        // The first one may be another now.
        self.text.set_first(b' ');
    }

    /// The fields, and the blank before them.
    #[inline]
    pub(crate) fn text(&self, measurement: &str) -> Result<&[u8], RecordError> {
        match &self.invalid {
            None if self.fields.is_empty() => Err(fields::no_fields(measurement)),
            None => Ok(self.text.line()),
            Some(key) => Err(fields::invalid_key(measurement, key)),
        }
    }

    fn clear(&mut self) {
        self.text.truncate(0);
        self.fields.clear();
        self.invalid = None;
    }

    fn capacity(&self) -> usize {
        self.text.capacity() + self.fields.capacity() * size_of::<Field>()
    }
}

/// A [`FieldBuffer`] whose memory comes from a pool of its thread, and goes to that of the thread
/// that drops it.
#[derive(Debug)]
// Boxed, because it is handed on by value from call to call.
pub(crate) struct PooledFields(Option<Box<FieldBuffer>>);

/// So many buffers are kept by a thread, of at most so many bytes.
const MAX_BUFFERS: usize = 32;
const MAX_BYTES: usize = 4 << 10;

type Memory = Box<FieldBuffer>;

thread_local! {
    static POOL: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

impl PooledFields {
    #[inline]
    pub(crate) fn take() -> Self {
        // A thread that is ending has no pool any more.
        let pooled = POOL.try_with(|pool| pool.borrow_mut().pop());
        Self(Some(pooled.ok().flatten().unwrap_or_default()))
    }
}

impl Drop for PooledFields {
    #[inline]
    fn drop(&mut self) {
        let Some(mut buffer) = self.0.take() else {
            return;
        };
        if buffer.capacity() > MAX_BYTES {
            return;
        }
        buffer.clear();
        _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < MAX_BUFFERS {
                pool.push(buffer);
            }
        });
    }
}

const HELD: &str = "taken out by the drop only";

impl Deref for PooledFields {
    type Target = FieldBuffer;

    #[inline(always)]
    fn deref(&self) -> &FieldBuffer {
        self.0.as_deref().expect(HELD)
    }
}

impl DerefMut for PooledFields {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut FieldBuffer {
        self.0.as_deref_mut().expect(HELD)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Measurement, Precision, encode::Encoder};

    fn encoder() -> Encoder {
        Encoder::new([], Precision::Nanoseconds, false)
    }

    fn value() -> impl Strategy<Value = FieldValue> {
        prop_oneof![
            prop_oneof![any::<f64>(), Just(f64::NAN), Just(0.5)].prop_map(FieldValue::Float),
            any::<i64>().prop_map(FieldValue::Integer),
            any::<u64>().prop_map(FieldValue::Unsigned),
            any::<bool>().prop_map(FieldValue::Boolean),
            "[a\n\"\\\\,= ]{0,12}".prop_map(|text| FieldValue::String(text.into())),
        ]
    }

    proptest! {
        #[test]
        fn fields_are_those_that_a_measurement_has(
            set in prop::collection::vec(("[ab]{1,2}|abcdefgh[ij]?|a[ =,\\\\]b|time|", value()), 0..12)
        ) {
            let mut buffer = FieldBuffer::default();
            let mut measurement = Measurement::new("db", "m");
            for (key, value) in set {
                buffer.set(encoder().format(), key.clone(), value.clone());
                measurement.set_field(key, value);
            }
            let mut expected = LineBuffer::default();
            let result = encoder().format().push_fields(&measurement.0, &mut expected);
            match (result, buffer.text("m")) {
                (Ok(()), text) => prop_assert_eq!(text, Ok(expected.line())),
                (Err(error), text) => prop_assert_eq!(
                    std::mem::discriminant(&error),
                    std::mem::discriminant(&text.unwrap_err())
                ),
            }
        }
    }

    #[test]
    fn a_field_that_is_set_again_leaves_the_others_in_their_places() {
        let format = encoder().format();
        let mut buffer = FieldBuffer::default();
        for (key, value) in [("a", 1), ("bb", 22), ("ccc", 333), ("dddd", 4_444)] {
            buffer.set(format, key, value);
        }
        for (key, text) in [
            ("bb", " a=1i,ccc=333i,dddd=4444i,bb=0i"),
            ("dddd", " a=1i,ccc=333i,bb=0i,dddd=0i"),
            ("a", " ccc=333i,bb=0i,dddd=0i,a=0i"),
            ("bb", " ccc=333i,dddd=0i,a=0i,bb=0i"),
        ] {
            buffer.set(format, key, 0);
            assert_eq!(buffer.text("m"), Ok(text.as_bytes()));
        }
        buffer.set(format, "a", f64::NAN);
        let left = b" ccc=333i,dddd=0i,bb=0i";
        assert_eq!(buffer.text("m"), Ok(&left[..]));
    }

    #[test]
    fn a_thread_keeps_few_buffers_and_none_that_has_had_many_fields() {
        let mut many = PooledFields::take();
        for key in 0..200 {
            many.set(encoder().format(), key.to_string(), true);
        }
        assert!(many.text.capacity() < MAX_BYTES - 300);
        drop(many);
        POOL.with_borrow(|pool| assert_eq!(pool.len(), 0));

        let taken: Vec<_> = (0..2 * MAX_BUFFERS).map(|_| PooledFields::take()).collect();
        drop(taken);
        POOL.with_borrow(|pool| assert_eq!(pool.len(), MAX_BUFFERS));
    }

    #[test]
    fn a_buffer_from_the_pool_holds_nothing_and_long_ones_are_not_kept() {
        let format = encoder().format();
        let mut fields = PooledFields::take();
        fields.set(format, "a", 1);
        fields.set(format, "", 1);
        drop(fields);
        let again = PooledFields::take();
        assert!(again.capacity() > 0);
        assert!(matches!(again.text("m"), Err(RecordError::NoFields { .. })));
        drop(again);
        let mut long = PooledFields::take();
        long.set(format, "a", "x".repeat(MAX_BYTES));
        drop(long);
        POOL.with_borrow(|pool| {
            assert!(pool.iter().all(|buffer| buffer.capacity() <= MAX_BYTES));
        });
    }
}
