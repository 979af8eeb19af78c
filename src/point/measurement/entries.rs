use std::{borrow::Cow, mem, ops::Deref};

use super::Key;
use crate::FieldValue;

/// Values by key, each key once.
///
/// The places of the first are there before they are needed, so that a value is written straight to
/// its place: what a caller sets is handed on by one function after another, and all that moving
/// would cost more than the rest. And they lie together, for another thread to read.
#[derive(Debug)]
pub(crate) struct Entries<V, const N: usize> {
    /// Those beyond `used` are empty.
    first: [(Key, V); N],
    used: usize,
    /// All, if there are too many for `first`.
    all: Vec<(Key, V)>,
}

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

impl<V: Value, const N: usize> Entries<V, N> {
    const EMPTY: (Key, V) = (Key::EMPTY, V::EMPTY);

    /// Sets the value of a key. Where that is a literal, the compiler has looked at it.
    #[inline(always)]
    pub(crate) fn set(&mut self, key: Cow<'static, str>, value: V) {
        match Key::plain(key) {
            Ok(key) if self.used < N => {
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
        if self.iter().any(|(known, _)| known.rank() == key.rank()) {
            self.remove(key.as_str());
        }
        if self.used < N {
            self.first[self.used] = (key, value);
            self.used += 1;
            return;
        }
        if self.all.is_empty() {
            self.all = self
                .first
                .iter_mut()
                .map(|it| mem::replace(it, Self::EMPTY))
                .collect();
        }
        self.all.push((key, value));
    }

    #[cold]
    fn remove(&mut self, key: &str) {
        let Some(at) = self.iter().position(|(known, _)| known.as_str() == key) else {
            return;
        };
        if self.all.is_empty() {
            self.first[at..self.used].rotate_left(1);
            self.used -= 1;
            self.first[self.used] = Self::EMPTY;
        } else {
            // There are more than `first` has place for, or were: it stays empty.
            self.all.remove(at);
            self.used = if self.all.is_empty() { 0 } else { N };
        }
    }

    #[inline]
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&Key, &mut V)> {
        let all = match self.all.is_empty() {
            true => &mut self.first[..self.used],
            false => &mut self.all,
        };
        all.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Makes it empty. It keeps no memory but its own.
    #[inline]
    pub(crate) fn clear(&mut self) {
        for place in &mut self.first[..self.used] {
            if place.0.is_owned() || place.1.is_owned() {
                *place = Self::EMPTY;
            }
        }
        self.used = 0;
        if !self.all.is_empty() {
            self.all = Vec::new();
        }
    }
}

/// In the order in which they were set.
impl<V, const N: usize> Deref for Entries<V, N> {
    type Target = [(Key, V)];

    #[inline]
    fn deref(&self) -> &[(Key, V)] {
        match self.all.is_empty() {
            true => &self.first[..self.used],
            false => &self.all,
        }
    }
}

impl<V: Value, const N: usize> Default for Entries<V, N> {
    fn default() -> Self {
        Self {
            first: [Self::EMPTY; N],
            used: 0,
            all: Vec::new(),
        }
    }
}

impl<V: Value, const N: usize> Clone for Entries<V, N> {
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            used: self.used,
            all: self.all.clone(),
        }
    }
}

impl<V: PartialEq, const N: usize> PartialEq for Entries<V, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tags<const N: usize> = Entries<Cow<'static, str>, N>;

    fn texts<const N: usize>(entries: &Tags<N>) -> Vec<String> {
        let text = |(key, value): &(Key, _)| format!("{}={value}", key.as_str());
        entries.iter().map(text).collect()
    }

    fn sets_again<const N: usize>() {
        let mut entries = Tags::<N>::default();
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
        assert_eq!(texts(&entries), expected, "with {N} places");
        assert_eq!(entries.clone(), entries);
    }

    #[test]
    fn what_is_set_again_stands_last_with_its_last_value_however_many_places_there_are() {
        sets_again::<1>();
        sets_again::<2>();
        sets_again::<3>();
        sets_again::<4>();
        sets_again::<8>();
    }

    #[test]
    fn those_that_have_been_cleared_keep_nothing_and_can_be_used_again() {
        for count in [0, 1, 2, 3, 1_000] {
            let mut entries = Tags::<2>::default();
            for round in 0..2 {
                for number in 0..count {
                    entries.set(number.to_string().into(), "x".repeat(number).into());
                }
                assert_eq!(entries.len(), count, "round {round}");
                entries.clear();
                assert!(entries.is_empty() && entries.all.capacity() == 0);
                let is_owned =
                    |it: &(Key, Cow<'_, str>)| it.0.is_owned() || matches!(it.1, Cow::Owned(_));
                assert!(!entries.first.iter().any(is_owned));
            }
        }
    }

    #[test]
    fn what_is_not_in_use_makes_no_difference() {
        let mut one = Tags::<3>::default();
        one.set("a".into(), "1".into());
        one.clear();
        assert_eq!(one, Tags::<3>::default());
        one.set("b".into(), "2".into());
        assert_eq!(texts(&one.clone()), ["b=2"]);
    }

    #[test]
    fn values_can_be_changed() {
        for count in [2, 5] {
            let mut entries = Tags::<3>::default();
            (0..count).for_each(|number: i32| entries.set(number.to_string().into(), "x".into()));
            entries
                .values_mut()
                .for_each(|(_, value)| *value = "y".into());
            assert!(texts(&entries).iter().all(|it| it.ends_with("=y")));
        }
    }
}
