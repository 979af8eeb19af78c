use std::{borrow::Cow, mem};

use super::Key;
use crate::FieldValue;

/// Values by key, each key once, in the order in which they were set.
///
/// The places of the first are there before they are needed, so that a value is written straight to
/// its place: what a caller sets is handed on by one function after another, and all that moving
/// would cost more than the rest.
#[derive(Clone, Debug)]
pub(crate) struct Entries<V> {
    /// Those beyond `used` are empty.
    first: [(Key, V); PLACES],
    used: usize,
    /// Those that `first` has no place for.
    rest: Vec<(Key, V)>,
}

const PLACES: usize = 8;

/// For so many entries beyond the first ones, memory is kept for the next measurement.
const KEPT: usize = 32;

pub(crate) trait Value: Clone {
    const EMPTY: Self;

    /// Does it keep memory of its own?
    fn is_owned(&self) -> bool;
}

impl Value for Cow<'static, str> {
    const EMPTY: Self = Cow::Borrowed("");

    #[inline]
    fn is_owned(&self) -> bool {
        matches!(self, Cow::Owned(_))
    }
}

impl Value for FieldValue {
    const EMPTY: Self = Self::Boolean(false);

    #[inline]
    fn is_owned(&self) -> bool {
        matches!(self, Self::String(Cow::Owned(_)))
    }
}

impl<V: Value> Entries<V> {
    const EMPTY: (Key, V) = (Key::EMPTY, V::EMPTY);

    /// Sets the value of a key. Where that is a literal, the compiler has looked at it.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: Cow<'static, str>, value: V) {
        match Key::plain(key) {
            Ok(key) if self.used < PLACES => {
                let used = &self.first[..self.used];
                if used.iter().any(|(known, _)| known.rank() == key.rank()) {
                    self.remove(key.as_str());
                }
                let place = &mut self.first[self.used];
                // What is in an empty place needs no drop.
                mem::forget(mem::replace(place, (key, value)));
                self.used += 1;
            }
            Ok(key) => self.put(key, value),
            Err(key) => self.put(Key::odd(key), value),
        }
    }

    /// Sets the value of a key that has been looked at.
    #[inline(never)]
    pub(crate) fn put(&mut self, key: Key, value: V) {
        // Texts are compared only where ranks are the same.
        let is_alike = |entries: &[(Key, V)]| {
            let mut entries = entries.iter();
            entries.any(|(known, _)| known.rank() == key.rank())
        };
        if is_alike(&self.first[..self.used]) || is_alike(&self.rest) {
            self.remove(key.as_str());
        }
        if self.used < PLACES {
            self.first[self.used] = (key, value);
            self.used += 1;
        } else {
            self.rest.push((key, value));
        }
    }

    #[cold]
    fn remove(&mut self, key: &str) {
        let Some(at) = self.iter().position(|(known, _)| known.as_str() == key) else {
            return;
        };
        if at >= self.used {
            self.rest.remove(at - self.used);
            return;
        }
        self.first[at..self.used].rotate_left(1);
        let free = &mut self.first[self.used - 1];
        if self.rest.is_empty() {
            *free = Self::EMPTY;
            self.used -= 1;
        } else {
            *free = self.rest.remove(0);
        }
    }

    #[inline]
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&Key, &mut V)> {
        let all = self.first[..self.used].iter_mut().chain(&mut self.rest);
        all.map(|(key, value)| (&*key, value))
    }

    /// Makes it empty. Much memory is not kept.
    #[inline]
    pub(crate) fn clear(&mut self) {
        for place in &mut self.first[..self.used] {
            if place.0.is_owned() || place.1.is_owned() {
                *place = Self::EMPTY;
            }
        }
        self.used = 0;
        self.rest.clear();
        if self.rest.capacity() > KEPT {
            self.rest = Vec::new();
        }
    }
}

impl<V> Entries<V> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.used + self.rest.len()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&(Key, V)> {
        match self.first[..self.used].get(index) {
            None => self.rest.get(index - self.used),
            entry => entry,
        }
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, V)> + Clone {
        self.first[..self.used].iter().chain(&self.rest)
    }

    /// With keys as texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &V)> + Clone {
        self.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<V: Value> Default for Entries<V> {
    fn default() -> Self {
        Self {
            first: [Self::EMPTY; PLACES],
            used: 0,
            rest: Vec::new(),
        }
    }
}

impl<V: PartialEq> PartialEq for Entries<V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Entries<FieldValue>;

    fn fields(count: usize) -> Fields {
        let mut fields = Fields::default();
        for number in 0..count {
            fields.set(number.to_string().into(), FieldValue::from(number));
        }
        fields
    }

    fn texts(fields: &Fields) -> Vec<String> {
        let texts = fields.texts();
        texts
            .map(|(key, value)| format!("{key}={value:?}"))
            .collect()
    }

    #[test]
    fn what_is_set_again_stands_last_with_its_last_value_wherever_it_was() {
        for before in 0..2 * PLACES {
            let mut fields = fields(before);
            for (key, value) in [
                ("a", 1),
                ("abcdefgh", 2),
                ("abcdefghi", 3),
                ("abcdefgh", 4),
                ("a\\", 5),
                ("b", 6),
            ] {
                fields.set(key.into(), FieldValue::Integer(value));
            }
            let expected = [("abcdefghi", 3), ("abcdefgh", 4), ("a", 5), ("b", 6)];
            let expected = expected.map(|(key, value)| format!("{key}=Integer({value})"));
            assert_eq!(texts(&fields)[before..], expected, "after {before}");
            assert_eq!(texts(&fields)[..before], texts(&self::fields(before)));
            assert_eq!(fields.clone(), fields);
        }
    }

    #[test]
    fn those_that_have_been_cleared_hold_nothing_and_can_be_used_again() {
        for count in [0, 1, PLACES, PLACES + 1, 1_000] {
            let mut fields = fields(count);
            for round in 0..2 {
                assert_eq!(fields.iter().count(), count, "round {round}");
                fields.clear();
                assert_eq!(fields, Fields::default());
                assert!(fields.rest.capacity() <= KEPT);
                assert!(!fields.first.iter().any(|(key, _)| key.is_owned()));
                for number in 0..count {
                    let text = "x".repeat(number);
                    fields.set(number.to_string().into(), text.into());
                }
            }
        }
    }

    #[test]
    fn values_can_be_changed() {
        for count in [2, PLACES + 5] {
            let mut fields = fields(count);
            fields
                .values_mut()
                .for_each(|(_, value)| *value = FieldValue::Boolean(true));
            assert!(
                texts(&fields)
                    .iter()
                    .all(|it| it.ends_with("=Boolean(true)"))
            );
            assert_eq!(texts(&fields).len(), count);
        }
    }

    #[test]
    fn each_is_found_by_its_index() {
        let fields = fields(PLACES + 3);
        for (at, entry) in fields.iter().enumerate() {
            assert_eq!(fields.get(at), Some(entry));
        }
        assert_eq!((fields.len(), fields.get(PLACES + 3)), (PLACES + 3, None));
    }
}
