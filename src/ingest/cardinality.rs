//! The cardinality guard: how many distinct values a tag may have. A server keeps an index entry
//! for each of them, for ever, so a tag that strangers choose could bring it down.
//!
//! Up to a budget of values per database, measurement and tag key, values are let through and
//! remembered. From then on one that was not seen before becomes [`OTHER`]. A thread asks only for
//! a series that is new to it: see [`KnownSeries`](crate::ingest::known_series::KnownSeries).
//!
//! Names, keys and values are remembered as 64-bit hashes. Should two be the same, which among a
//! million has a chance of one in 37 million, a value more than the budget goes out or two keys
//! share one budget: nothing is mixed up, because what goes out is never read from here. The hashes
//! are seeded at random in each process, so no stranger can prepare such values.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    hash::BuildHasher as _,
    num::NonZeroUsize,
};

use foldhash::quality::RandomState;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::{
    Database, Measurement, encode::text::replaced, ingest::known_series::Prehashed,
    point::measurement::Contents,
};

/// What a value becomes that there is no budget for. It needs none itself.
pub(crate) const OTHER: &str = "_other";

/// How many tag keys of measurements are guarded. Those that come later, from a program that makes
/// up keys or names of measurements, have all their values replaced.
const MAX_KEYS: usize = 10_000;

/// How many values are remembered in all, at 9 to 18 bytes each; or as many as make
/// [`FULL_KEYS`] keys full, if that is more.
const MAX_VALUES: usize = 1_000_000;
const FULL_KEYS: usize = 100;

/// The tag values that all thread buffers of a pipeline have let through.
#[derive(Debug, Default)]
pub(crate) struct Cardinality {
    hash: RandomState,
    /// Only what changes it takes the lock for itself: no value past the budget does.
    values: RwLock<Values>,
    /// What the buffer actor hasn't logged yet.
    exceeded: Mutex<Vec<Exceeded>>,
}

/// What became of a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capped {
    /// How many of its values were replaced.
    pub(crate) values: u64,
    /// A budget was used up by it: the buffer actor is to be woken, to say so.
    pub(crate) is_news: bool,
}

/// A budget that is used up. Prints as what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Key {
        database: Database,
        measurement: String,
        key: String,
        budget: usize,
    },
    All {
        keys: usize,
        values: usize,
    },
}

#[derive(Debug, Default)]
struct Values {
    by_key: HashMap<u64, KeyValues, Prehashed>,
    /// How many in all.
    count: usize,
    told: Option<NonZeroUsize>,
}

/// Of one database, measurement and tag key.
#[derive(Debug, Default)]
struct KeyValues {
    seen: HashSet<u64, Prehashed>,
    /// The budget whose end has been told of.
    told: Option<NonZeroUsize>,
}

/// A tag, hashed: the key together with its database and measurement.
#[derive(Clone, Copy)]
struct Tag {
    key: u64,
    value: u64,
}

/// Why a value is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    Key,
    All,
}

enum Admission {
    Admitted,
    Refused,
    /// The first one since the budget was used up.
    FirstRefused(Limit),
}

impl Cardinality {
    /// Replaces the tag values that are neither known nor within the budget. A measurement's
    /// keys are as they go out.
    #[inline(never)]
    pub(crate) fn cap(&self, measurement: &mut Measurement, budget: NonZeroUsize) -> Capped {
        let mut capped = Capped::default();
        let Contents {
            database,
            name,
            tags,
            ..
        } = &mut *measurement.0;
        let name = replaced(name);
        let of = self.hash.hash_one((&*database, &*name));
        let mut values = self.values.read();
        for (key, value) in tags.values_mut() {
            let text = replaced(value);
            if key.is_empty() || text.is_empty() || text == OTHER {
                continue;
            }
            let tag = Tag {
                key: self.hash.hash_one((of, key.as_str())),
                value: self.hash.hash_one(&*text),
            };
            let admission = values.look_up(tag, budget).unwrap_or_else(|| {
                RwLockReadGuard::unlocked(&mut values, || self.values.write().admit(tag, budget))
            });
            match admission {
                Admission::Admitted => continue,
                Admission::Refused => {}
                Admission::FirstRefused(limit) => {
                    capped.is_news = true;
                    self.exceeded.lock().push(match limit {
                        Limit::Key => Exceeded::Key {
                            database: database.clone(),
                            measurement: name.to_string(),
                            key: key.as_str().to_owned(),
                            budget: budget.get(),
                        },
                        Limit::All => Exceeded::All {
                            keys: MAX_KEYS,
                            values: max_values(budget),
                        },
                    });
                }
            }
            *value = Cow::Borrowed(OTHER);
            capped.values += 1;
        }
        capped
    }

    /// The budgets that were used up since the last call.
    pub(crate) fn take_exceeded(&self) -> Vec<Exceeded> {
        std::mem::take(&mut self.exceeded.lock())
    }
}

fn max_values(budget: NonZeroUsize) -> usize {
    MAX_VALUES.max(budget.get().saturating_mul(FULL_KEYS))
}

impl Values {
    /// The answer, unless it changes something.
    fn look_up(&self, tag: Tag, budget: NonZeroUsize) -> Option<Admission> {
        let values = self.by_key.get(&tag.key);
        if values.is_some_and(|values| values.seen.contains(&tag.value)) {
            return Some(Admission::Admitted);
        }
        let told = match self.limit(values, budget)? {
            Limit::Key => values.and_then(|values| values.told),
            Limit::All => self.told,
        };
        (told == Some(budget)).then_some(Admission::Refused)
    }

    fn admit(&mut self, tag: Tag, budget: NonZeroUsize) -> Admission {
        // Another thread may have been faster.
        if let Some(answer) = self.look_up(tag, budget) {
            return answer;
        }
        let Some(limit) = self.limit(self.by_key.get(&tag.key), budget) else {
            let values = self.by_key.entry(tag.key).or_default();
            values.seen.insert(tag.value);
            self.count += 1;
            return Admission::Admitted;
        };
        let told = match limit {
            Limit::Key => &mut self.by_key.entry(tag.key).or_default().told,
            Limit::All => &mut self.told,
        };
        *told = Some(budget);
        Admission::FirstRefused(limit)
    }

    /// What keeps a value of a key out, given the key's values if there are any.
    fn limit(&self, values: Option<&KeyValues>, budget: NonZeroUsize) -> Option<Limit> {
        let is_key_full = values.is_some_and(|values| values.seen.len() >= budget.get());
        let has_no_key = values.is_none() && self.by_key.len() >= MAX_KEYS;
        if is_key_full {
            Some(Limit::Key)
        } else if has_no_key || self.count >= max_values(budget) {
            Some(Limit::All)
        } else {
            None
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key {
                database,
                measurement,
                key,
                budget,
            } => write!(
                f,
                "the tag {key:?} of the measurement {measurement:?} in the database {:?} has used \
                 up its {budget} values (max_tag_values): a new one becomes {OTHER}",
                database.to_string()
            ),
            Self::All { keys, values } => write!(
                f,
                "too many tags: at most {values} values of at most {keys} tag keys of measurements \
                 are told apart: a new one becomes {OTHER}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
