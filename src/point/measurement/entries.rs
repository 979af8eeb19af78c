use std::{borrow::Cow, mem};

use super::Key;
use crate::{FieldValue, encode::words::mix};

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
    /// May one of `first` keep memory of its own? If not, they need not be looked through to be removed: 100
    /// instructions less of 6 tags and 2 fields.
    is_owned: bool,
    /// A bit for each key. While a new key's bit is not set, the key is not looked for, as most are never set
    /// twice: 60 instructions less of 6 tags and 2 fields.
    bits: u64,
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
                if self.bits & bit(&key) != 0 {
                    return self.put(key, value);
                }
                self.bits |= bit(&key);
                self.is_owned |= key.is_owned() || value.is_owned();
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
        if self.bits & bit(&key) != 0 {
            self.remove(&key);
        }
        self.bits |= bit(&key);
        if self.used < PLACES {
            self.is_owned = true;
            self.first[self.used] = (key, value);
            self.used += 1;
        } else {
            self.rest.push((key, value));
        }
    }

    #[cold]
    fn remove(&mut self, key: &Key) {
        let Some(at) = self.iter().position(|(known, _)| known == key) else {
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
            self.is_owned = true;
        }
    }

    #[inline]
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&Key, &mut V)> {
        self.is_owned = true;
        let all = self.first[..self.used].iter_mut().chain(&mut self.rest);
        all.map(|(key, value)| (&*key, value))
    }

    /// Makes it empty. Much memory is not kept.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.is_owned {
            self.first[..self.used].fill_with(|| Self::EMPTY);
            self.is_owned = false;
        }
        (self.used, self.bits) = (0, 0);
        if self.rest.capacity() > 0 {
            self.clear_rest();
        }
    }

    #[cold]
    fn clear_rest(&mut self) {
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

    /// The entry of this index, which is less than their number.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &(Key, V) {
        match self.first.get(index) {
            Some(entry) => entry,
            None => &self.rest[index - PLACES],
        }
    }

    /// Are the keys these, set in this order?
    #[inline]
    pub(crate) fn are_of(&self, keys: &[Key]) -> bool {
        let is_same = |(entry, key): (&(Key, V), &Key)| entry.0 == *key;
        match keys.split_at_checked(self.used) {
            Some((first, rest)) => {
                self.rest.len() == rest.len()
                    && self.first.iter().zip(first).all(is_same)
                    && self.rest.iter().zip(rest).all(is_same)
            }
            None => false,
        }
    }

    /// All of them, in two parts.
    #[inline]
    pub(crate) fn parts(&self) -> [&[(Key, V)]; 2] {
        [&self.first[..self.used], &self.rest]
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

#[inline(always)]
fn bit(key: &Key) -> u64 {
    1 << (mix(0, key.rank()) >> 58)
}

impl<V: Value> Default for Entries<V> {
    fn default() -> Self {
        Self {
            first: [Self::EMPTY; PLACES],
            used: 0,
            rest: Vec::new(),
            is_owned: false,
            bits: 0,
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
    fn what_has_been_cleared_keeps_no_memory_of_keys_and_values() {
        let owned = |text: &str| Cow::<'static, str>::Owned(text.to_owned());
        let mut fields = Fields::default();
        fields.set("a".into(), FieldValue::String(owned("text")));
        fields.set(owned("b"), FieldValue::Boolean(true));
        fields.clear();
        let nothing = FieldValue::EMPTY;
        assert!(fields.first.iter().all(|(_, value)| *value == nothing));
        assert_eq!(fields.first[1].0.as_str(), "");
        let mut tags = Entries::<Cow<'static, str>>::default();
        tags.set("a".into(), owned("text"));
        tags.clear();
        assert_eq!(tags.first[0].1, "");
    }

    #[test]
    fn those_are_equal_that_hold_the_same() {
        assert_eq!(fields(3), fields(3));
        assert_ne!(fields(3), fields(4));
        let mut other = fields(3);
        other.set("2".into(), FieldValue::from(7));
        assert_ne!(fields(3), other);
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
    fn keys_are_compared_in_the_order_in_which_they_were_set() {
        let keys =
            |fields: &Fields| -> Vec<Key> { fields.iter().map(|(key, _)| key.clone()).collect() };
        for count in [0, 1, 3, PLACES, PLACES + 1, PLACES + 5] {
            let fields = fields(count);
            let same = keys(&fields);
            assert!(fields.are_of(&same), "{count}");
            for other in [count + 1, count.saturating_sub(1)] {
                assert_eq!(fields.are_of(&keys(&self::fields(other))), other == count);
            }
            for at in 0..count {
                let mut other = same.clone();
                other[at] = Key::new("other".into());
                assert!(!fields.are_of(&other), "{count}, {at}");
                other[at] = same[at].clone();
                other.swap(at, 0);
                assert_eq!(fields.are_of(&other), at == 0, "{count}, {at}");
            }
        }
    }

    #[test]
    fn each_is_found_by_its_index() {
        let fields = fields(PLACES + 3);
        for (at, entry) in fields.iter().enumerate() {
            assert_eq!(fields.at(at), entry);
        }
        assert_eq!(fields.len(), PLACES + 3);
    }
}
