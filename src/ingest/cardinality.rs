//! The cardinality guard: how many distinct values a tag may have. A server keeps an index entry
//! for each of them, for ever, so a tag that strangers choose could bring it down.
//!
//! Up to a budget of values per database, measurement and tag key, values are let through and
//! remembered. From then on one that was not seen before becomes [`OTHER`]. A thread asks only for
//! values that are new to it: see [`KnownValues`].
//!
//! Names, keys and values are remembered as 64-bit hashes. Should two be the same, which among a
//! million has a chance of one in 37 million, a value more than the budget goes out or two keys
//! share one budget: nothing is mixed up, because what goes out is never read from here. The hashes
//! are seeded at random in each process, so no stranger can prepare such values.

mod known_values;

use std::{borrow::Cow, fmt, hash::BuildHasher as _, num::NonZeroUsize};

use foldhash::{HashMap, HashSet, quality::RandomState};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

pub(crate) use self::known_values::{KnownValues, TagSet};
use crate::{Database, encode::text::replaced, point::measurement::Contents};

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
    by_key: HashMap<u64, KeyValues>,
    /// How many in all.
    count: usize,
    told: Option<NonZeroUsize>,
}

/// Of one database, measurement and tag key.
#[derive(Debug, Default)]
struct KeyValues {
    seen: HashSet<u64>,
    /// The budget whose end has been told of.
    told: Option<NonZeroUsize>,
}

/// A tag, hashed: the key together with its database and measurement.
#[derive(Clone, Copy)]
struct Tag {
    key: u64,
    value: u64,
}

/// Where a tag stands, as text.
struct TagName<'a> {
    database: &'a Database,
    name: &'a str,
    key: &'a str,
}

/// Why a value is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    Key,
    All,
}

enum Decision {
    Admitted,
    Refused,
    /// The first one since the budget was used up.
    FirstRefused(Limit),
}

impl Cardinality {
    /// Replaces the values of these tags that are not within the budget. A point's keys are as they go
    /// out.
    pub(crate) fn cap(&self, point: &mut Contents, tags: TagSet, budget: NonZeroUsize) -> Capped {
        let mut values = self.values.read();
        let mut exceeded = Vec::new();
        let mut capped = Capped::default();
        self.each_tag(point, tags, |_, tag, name, value| {
            let decision = values.look_up(tag, budget).unwrap_or_else(|| {
                RwLockReadGuard::unlocked(&mut values, || self.values.write().admit(tag, budget))
            });
            if let Decision::FirstRefused(limit) = decision {
                exceeded.push(Exceeded::new(limit, name, budget));
            }
            if !matches!(decision, Decision::Admitted) {
                *value = Cow::Borrowed(OTHER);
                capped.values += 1;
            }
            Some(())
        });
        capped.is_news = !exceeded.is_empty();
        if capped.is_news {
            self.exceeded.lock().append(&mut exceeded);
        }
        capped
    }

    /// The same, if that changes nothing here: each value is known, or was refused before.
    pub(crate) fn cap_again(
        &self,
        point: &mut Contents,
        tags: TagSet,
        budget: NonZeroUsize,
    ) -> Option<Capped> {
        if point.tags.len() > TagSet::TOLD_APART {
            return None;
        }
        // Nothing may be replaced unless all is decided.
        let mut refused = TagSet::default();
        {
            let values = self.values.read();
            self.each_tag(point, tags, |index, tag, _, _| {
                if !matches!(values.look_up(tag, budget)?, Decision::Admitted) {
                    refused = refused.with(index);
                }
                Some(())
            })?;
        }
        for (index, (_, value)) in point.tags.values_mut().enumerate() {
            if refused.contains(index) {
                *value = Cow::Borrowed(OTHER);
            }
        }
        Some(Capped {
            values: refused.len() as u64,
            is_news: false,
        })
    }

    /// Calls `each` with those of these tags that have a budget, until it says None.
    fn each_tag(
        &self,
        point: &mut Contents,
        tags: TagSet,
        mut each: impl FnMut(usize, Tag, TagName<'_>, &mut Cow<'static, str>) -> Option<()>,
    ) -> Option<()> {
        let (database, name) = (&point.database, &*replaced(&point.name));
        let of = self.hash.hash_one((database, name));
        for (index, (key, value)) in point.tags.values_mut().enumerate() {
            if !tags.contains(index) {
                continue;
            }
            let text = replaced(value);
            if key.is_empty() || text.is_empty() || text == OTHER {
                continue;
            }
            let key = key.as_str();
            let tag = Tag {
                key: self.hash.hash_one((of, key)),
                value: self.hash.hash_one(&*text),
            };
            let name_of_tag = TagName {
                database,
                name,
                key,
            };
            each(index, tag, name_of_tag, value)?;
        }
        Some(())
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
    fn look_up(&self, tag: Tag, budget: NonZeroUsize) -> Option<Decision> {
        let values = self.by_key.get(&tag.key);
        if values.is_some_and(|values| values.seen.contains(&tag.value)) {
            return Some(Decision::Admitted);
        }
        let told = match self.limit(values, budget)? {
            Limit::Key => values.and_then(|values| values.told),
            Limit::All => self.told,
        };
        (told == Some(budget)).then_some(Decision::Refused)
    }

    fn admit(&mut self, tag: Tag, budget: NonZeroUsize) -> Decision {
        // Another thread may have been faster.
        if let Some(answer) = self.look_up(tag, budget) {
            return answer;
        }
        let Some(limit) = self.limit(self.by_key.get(&tag.key), budget) else {
            let values = self.by_key.entry(tag.key).or_default();
            values.seen.insert(tag.value);
            self.count += 1;
            return Decision::Admitted;
        };
        let told = match limit {
            Limit::Key => &mut self.by_key.entry(tag.key).or_default().told,
            Limit::All => &mut self.told,
        };
        *told = Some(budget);
        Decision::FirstRefused(limit)
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

impl Exceeded {
    fn new(limit: Limit, of: TagName<'_>, budget: NonZeroUsize) -> Self {
        match limit {
            Limit::Key => Self::Key {
                database: of.database.clone(),
                measurement: of.name.to_owned(),
                key: of.key.to_owned(),
                budget: budget.get(),
            },
            Limit::All => Self::All {
                keys: MAX_KEYS,
                values: max_values(budget),
            },
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
