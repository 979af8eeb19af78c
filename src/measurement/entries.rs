use std::{borrow::Cow, mem, ops::Deref};

use super::Key;
use crate::FieldValue;

/// Values by key, each key once.
///
/// Its memory is there before it is needed, so that a value is written straight to its place: what
/// a caller sets is handed on by one function after another, and all that moving would cost more
/// than the rest.
#[derive(Debug)]
pub(crate) struct Entries<V> {
    /// Those in use, and empty ones.
    slots: Vec<(Key, V)>,
    len: usize,
}

/// More slots than this are not kept for the next measurement.
const KEPT: usize = 64;

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

    pub(crate) fn with_capacity(slots: usize) -> Self {
        Self {
            slots: vec![Self::EMPTY; slots],
            len: 0,
        }
    }

    /// Sets the value of a key. Where that is a literal, the compiler has looked at it.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: Cow<'static, str>, value: V) {
        match Key::plain(key) {
            Ok(key) => {
                if self.iter().any(|(known, _)| known.rank() == key.rank()) {
                    self.remove(key.as_str());
                }
                match self.slots.get_mut(self.len) {
                    Some(slot) => {
                        // What is in a slot that is not in use needs no drop.
                        mem::forget(mem::replace(slot, (key, value)));
                        self.len += 1;
                    }
                    None => self.push_slowly(key, value),
                }
            }
            Err(key) => self.put(Key::odd(&key), value),
        }
    }

    /// Sets the value of a key that has been looked at.
    #[cold]
    pub(crate) fn put(&mut self, key: Key, value: V) {
        self.remove(key.as_str());
        self.push_slowly(key, value);
    }

    #[cold]
    fn push_slowly(&mut self, key: Key, value: V) {
        if self.len == self.slots.len() {
            let slots = (2 * self.len).max(4);
            self.slots.resize(slots, Self::EMPTY);
        }
        self.slots[self.len] = (key, value);
        self.len += 1;
    }

    #[cold]
    fn remove(&mut self, key: &str) {
        let Some(at) = self.iter().position(|(known, _)| known.as_str() == key) else {
            return;
        };
        self.slots[at..self.len].rotate_left(1);
        self.len -= 1;
        self.slots[self.len] = Self::EMPTY;
    }

    #[inline]
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&Key, &mut V)> {
        let used = self.slots[..self.len].iter_mut();
        used.map(|(key, value)| (&*key, value))
    }

    /// Makes it empty. What is left in its slots is no memory of its own.
    #[inline]
    pub(crate) fn clear(&mut self) {
        for slot in &mut self.slots[..self.len] {
            if slot.0.is_owned() || slot.1.is_owned() {
                *slot = Self::EMPTY;
            }
        }
        self.len = 0;
        if self.slots.len() > KEPT {
            self.slots.truncate(KEPT);
            self.slots.shrink_to_fit();
        }
    }
}

/// Those in use, as they were set.
impl<V> Deref for Entries<V> {
    type Target = [(Key, V)];

    #[inline]
    fn deref(&self) -> &[(Key, V)] {
        &self.slots[..self.len]
    }
}

impl<V: Value> Default for Entries<V> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<V: Value> Clone for Entries<V> {
    fn clone(&self) -> Self {
        Self {
            slots: self.to_vec(),
            len: self.len,
        }
    }
}

impl<V: PartialEq> PartialEq for Entries<V> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &Entries<Cow<'static, str>>) -> Vec<String> {
        let text = |(key, value): &(Key, _)| format!("{}={value}", key.as_str());
        entries.iter().map(text).collect()
    }

    #[test]
    fn what_is_set_again_stands_last_with_its_last_value() {
        let mut entries = Entries::default();
        for (key, value) in [
            ("a", "1"),
            ("abcdefgh", "2"),
            ("abcdefghi", "3"),
            ("abcdefgh", "4"),
            ("a\\", "5"),
            ("b", "6"),
        ] {
            entries.set(key.into(), value.into());
        }
        let expected = ["abcdefghi=3", "abcdefgh=4", "a=5", "b=6"];
        assert_eq!(texts(&entries), expected);
    }

    #[test]
    fn those_that_have_been_cleared_keep_nothing_but_some_slots() {
        let mut entries = Entries::default();
        for number in 0..1_000 {
            entries.set(number.to_string().into(), Cow::Owned("x".repeat(number)));
        }
        assert_eq!(entries.len(), 1_000);
        entries.clear();
        assert!(entries.is_empty());
        assert!(entries.slots.capacity() <= KEPT);
        assert!(
            entries
                .slots
                .iter()
                .all(|(key, value)| !key.is_owned() && !value.is_owned())
        );
    }

    #[test]
    fn what_is_not_in_use_makes_no_difference() {
        let mut one = Entries::with_capacity(3);
        one.set("a".into(), "1".into());
        one.clear();
        assert_eq!(one, Entries::<Cow<'static, str>>::default());
        one.set("b".into(), "2".into());
        assert_eq!(one.clone(), one);
        assert_eq!(one.clone().len(), 1);
    }
}
