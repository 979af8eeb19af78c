//! Whose turn it is among the databases that have something to send. Pure.
//!
//! Databases that have not failed take turns. Those that have failed and may be tried again come
//! after them, the one with the latest success first. The cost doesn't depend on the number of
//! databases.

use std::{cmp::Reverse, collections::BTreeMap, time::Instant};

use foldhash::HashMap;

use crate::Database;

#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    positions: HashMap<Database, Position>,
    /// Ready, without any success so far.
    unproven: BTreeMap<u64, Database>,
    /// Ready, with a success before.
    proven: BTreeMap<u64, Database>,
    probes: BTreeMap<ProbeKey, Database>,
    waiting: BTreeMap<(Instant, u64), Database>,
    next_turn: u64,
    /// The latest time passed to [`advance`](Self::advance).
    now: Option<Instant>,
    /// Number of batches in flight, per database.
    in_flight: HashMap<Database, usize>,
}

/// The latest success first, then the longest wait.
type ProbeKey = (Reverse<u64>, u64);

#[derive(Clone, Copy, Debug)]
enum Position {
    Ready {
        turn: u64,
        is_proven: bool,
    },
    Probe(ProbeKey),
    Waiting {
        at: Instant,
        turn: u64,
        then: AfterWait,
    },
}

/// What a waiting database becomes when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterWait {
    Ready { is_proven: bool },
    Probe { written: u64 },
}

/// Whether a database can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Can be sent to; `is_proven` says that it has been written before.
    Ready { is_proven: bool },
    /// Has failed, and may be tried again from `at` on. `written` orders by the last success.
    Probe { at: Instant, written: u64 },
    /// Has something to send from `at` on.
    Later { at: Instant, is_proven: bool },
}

impl RoundRobin {
    /// Sets the standing of a database; `None` if it has nothing to send. A ready one keeps its
    /// turn.
    pub(crate) fn set(&mut self, database: &Database, standing: Option<Standing>) {
        let position = self.positions.get(database).copied();
        if let (
            Some(Standing::Ready { is_proven }),
            Some(Position::Ready {
                turn,
                is_proven: was,
            }),
        ) = (standing, position)
        {
            if is_proven != was {
                self.remove(database);
                self.put_ready(database, turn, is_proven);
            }
            return;
        }
        // A probe keeps its turn if its time is the same, or has come.
        let is_same = match (standing, position) {
            (Some(Standing::Probe { at, written }), Some(Position::Probe((Reverse(was), _)))) => {
                written == was && self.now.is_some_and(|now| at <= now)
            }
            (
                Some(Standing::Probe { at, written }),
                Some(Position::Waiting {
                    at: was_at, then, ..
                }),
            ) => at == was_at && then == AfterWait::Probe { written },
            _ => false,
        };
        if is_same {
            return;
        }
        self.remove(database);
        let Some(standing) = standing else { return };
        let turn = self.next_turn;
        self.next_turn += 1;
        let (at, then) = match standing {
            Standing::Ready { is_proven } => return self.put_ready(database, turn, is_proven),
            Standing::Probe { at, written } => (at, AfterWait::Probe { written }),
            Standing::Later { at, is_proven } => (at, AfterWait::Ready { is_proven }),
        };
        self.waiting.insert((at, turn), database.clone());
        self.positions
            .insert(database.clone(), Position::Waiting { at, turn, then });
    }

    fn put_ready(&mut self, database: &Database, turn: u64, is_proven: bool) {
        self.list(is_proven).insert(turn, database.clone());
        self.positions
            .insert(database.clone(), Position::Ready { turn, is_proven });
    }

    fn list(&mut self, is_proven: bool) -> &mut BTreeMap<u64, Database> {
        match is_proven {
            true => &mut self.proven,
            false => &mut self.unproven,
        }
    }

    fn remove(&mut self, database: &Database) {
        match self.positions.remove(database) {
            None => None,
            Some(Position::Ready { turn, is_proven }) => self.list(is_proven).remove(&turn),
            Some(Position::Probe(key)) => self.probes.remove(&key),
            Some(Position::Waiting { at, turn, .. }) => self.waiting.remove(&(at, turn)),
        };
    }

    /// Ends the wait of databases whose time has come.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = Some(now);
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((_, turn), database) = entry.remove_entry();
            let Some(Position::Waiting { then, .. }) = self.positions.get(&database) else {
                continue;
            };
            match *then {
                AfterWait::Ready { is_proven } => self.put_ready(&database, turn, is_proven),
                AfterWait::Probe { written } => {
                    let key = (Reverse(written), turn);
                    self.positions
                        .insert(database.clone(), Position::Probe(key));
                    self.probes.insert(key, database);
                }
            }
        }
    }

    /// When the next wait ends.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Databases that have not failed, in order.
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Database> {
        let (mut new, mut proven) = (
            self.unproven.iter().peekable(),
            self.proven.iter().peekable(),
        );
        std::iter::from_fn(move || {
            let is_unproven_next = match (new.peek(), proven.peek()) {
                (Some((a, _)), Some((b, _))) => a < b,
                (new, _) => new.is_some(),
            };
            let next = if is_unproven_next {
                new.next()
            } else {
                proven.next()
            };
            next.map(|(_, database)| database)
        })
    }

    /// The ready databases that have been written before, in order.
    pub(crate) fn ready_and_proven(&self) -> impl Iterator<Item = &Database> {
        self.proven.values()
    }

    /// Databases that have failed and may be tried again, in order.
    pub(crate) fn probes(&self) -> impl Iterator<Item = &Database> {
        self.probes.values()
    }

    /// Maximum number of writers for one database: those that can use writers share them equally.
    /// If some databases fail, only proven ones count.
    pub(crate) fn share(&self, writers: usize, some_fail: bool) -> usize {
        let is_ready = |database: &&Database| {
            matches!(self.positions.get(*database), Some(Position::Ready { .. }))
        };
        let busy = self
            .in_flight
            .keys()
            .filter(|database| !is_ready(database))
            .count();
        let new = if some_fail { 0 } else { self.unproven.len() };
        (writers / (new + self.proven.len() + busy).max(1)).max(1)
    }

    pub(crate) fn in_flight(&self, database: &Database) -> usize {
        self.in_flight.get(database).copied().unwrap_or_default()
    }

    /// Notes that a batch is sent; the database goes to the end of the order.
    pub(crate) fn sent(&mut self, database: &Database) {
        *self.in_flight.entry(database.clone()).or_default() += 1;
        if let Some(Position::Ready { turn, is_proven }) = self.positions.get(database).copied() {
            self.list(is_proven).remove(&turn);
            let last = self.next_turn;
            self.next_turn += 1;
            self.put_ready(database, last, is_proven);
        }
    }

    /// Notes that a batch is no longer in flight.
    pub(crate) fn returned(&mut self, database: &Database) {
        if let Some(count) = self.in_flight.get_mut(database) {
            *count -= 1;
            if *count == 0 {
                self.in_flight.remove(database);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn names<'a>(databases: impl Iterator<Item = &'a Database>) -> Vec<&'a str> {
        databases.map(Database::name).collect()
    }

    fn ready(order: &mut RoundRobin, databases: &[&'static str]) {
        for database in databases {
            order.set(
                &(*database).into(),
                Some(Standing::Ready { is_proven: false }),
            );
        }
    }

    #[test]
    fn databases_that_have_not_failed_take_turns() {
        let mut order = RoundRobin::default();
        ready(&mut order, &["a", "b", "c"]);
        order.sent(&"a".into());
        assert_eq!(names(order.ready()), ["b", "c", "a"]);
        ready(&mut order, &["b"]);
        assert_eq!(names(order.ready()), ["b", "c", "a"], "it keeps its turn");
        order.set(&"b".into(), None);
        assert_eq!(names(order.ready()), ["c", "a"]);
    }

    #[test]
    fn those_that_have_been_written_can_be_told_from_new_ones() {
        let mut order = RoundRobin::default();
        ready(&mut order, &["a", "b", "c"]);
        order.set(&"b".into(), Some(Standing::Ready { is_proven: true }));
        assert_eq!(names(order.ready()), ["a", "b", "c"], "it keeps its turn");
        assert_eq!(names(order.ready_and_proven()), ["b"]);
    }

    #[test]
    fn of_those_that_have_failed_the_one_that_was_written_last_comes_first_when_its_time_comes() {
        let (mut order, now) = (RoundRobin::default(), Instant::now());
        for (database, after, written) in [("never", 1, 0), ("long ago", 2, 3), ("late", 2, 9)] {
            let at = now + after * SECOND;
            order.set(&database.into(), Some(Standing::Probe { at, written }));
        }
        order.advance(now);
        assert_eq!(order.probes().count(), 0);
        assert_eq!(order.next_at(), Some(now + SECOND));
        order.advance(now + SECOND);
        assert_eq!(names(order.probes()), ["never"]);
        order.advance(now + 2 * SECOND);
        assert_eq!(names(order.probes()), ["late", "long ago", "never"]);
        assert_eq!(order.next_at(), None);
    }

    #[test]
    fn a_probe_keeps_its_turn_when_more_comes_for_its_database() {
        let (mut order, now) = (RoundRobin::default(), Instant::now());
        let probe = Some(Standing::Probe {
            at: now,
            written: 0,
        });
        for database in ["a", "b"] {
            order.set(&database.into(), probe);
        }
        order.set(&"a".into(), probe);
        order.advance(now);
        order.set(&"a".into(), probe);
        assert_eq!(names(order.probes()), ["a", "b"]);
    }

    #[test]
    fn a_probe_whose_time_is_put_off_waits_until_then() {
        let start = Instant::now();
        let probe = |seconds: u32, written| Standing::Probe {
            at: start + seconds * SECOND,
            written,
        };
        // Before its time, and when it has come.
        for is_due in [false, true] {
            for written in [0, 1] {
                let mut order = RoundRobin::default();
                order.set(&"a".into(), Some(probe(1, 0)));
                if is_due {
                    order.advance(start + SECOND);
                    assert_eq!(names(order.probes()), ["a"]);
                }
                order.set(&"a".into(), Some(probe(2, written)));
                assert_eq!(order.next_at(), Some(start + 2 * SECOND));
                assert_eq!(order.probes().count(), 0);
            }
        }
        let mut order = RoundRobin::default();
        order.set(&"a".into(), Some(probe(1, 0)));
        order.set(&"b".into(), Some(probe(1, 1)));
        order.set(&"a".into(), Some(probe(1, 2)));
        order.advance(start + SECOND);
        assert_eq!(names(order.probes()), ["a", "b"], "it was written since");
        order.set(&"b".into(), Some(probe(1, 3)));
        order.advance(start + SECOND);
        assert_eq!(names(order.probes()), ["b", "a"]);
    }

    #[test]
    fn what_is_cleared_has_nothing_to_send_and_nothing_out() {
        let mut order = RoundRobin::default();
        ready(&mut order, &["a", "b"]);
        order.sent(&"a".into());
        assert_eq!(
            (order.in_flight(&"a".into()), order.ready().count()),
            (1, 2)
        );
        order.clear();
        assert_eq!(
            (order.in_flight(&"a".into()), order.ready().count()),
            (0, 0)
        );
    }

    #[test]
    fn what_has_something_later_is_ready_then() {
        let (mut order, now) = (RoundRobin::default(), Instant::now());
        order.set(
            &"a".into(),
            Some(Standing::Later {
                at: now + SECOND,
                is_proven: true,
            }),
        );
        order.advance(now);
        assert_eq!(order.ready().count(), 0);
        order.advance(now + SECOND);
        assert_eq!(names(order.ready()), ["a"]);
    }

    #[test]
    fn writers_are_shared_by_those_that_can_use_them() {
        let mut order = RoundRobin::default();
        ready(&mut order, &["a", "b"]);
        assert_eq!(order.share(10, false), 5);
        order.sent(&"a".into());
        order.set(&"a".into(), None);
        assert_eq!(order.share(10, false), 5, "it has one still");
        order.returned(&"a".into());
        assert_eq!(
            (order.share(10, false), order.in_flight(&"a".into())),
            (10, 0)
        );
        ready(&mut order, &["c", "d"]);
        assert_eq!(order.share(2, false), 1);
        assert_eq!(order.share(2, true), 2, "of those nothing is known");
    }

    proptest::proptest! {
        #[test]
        fn each_database_is_in_one_place_at_most(
            steps in proptest::collection::vec((0..5_u8, 0..4_u8, 0..9_u64), 0..200),
        ) {
            let (mut order, mut now) = (RoundRobin::default(), Instant::now());
            for (database, what, number) in steps {
                let name = Database::new(format!("{database}"));
                let at = now + Duration::from_millis(number);
                match what {
                    0 => order.set(&name, Some(Standing::Ready { is_proven: false })),
                    1 => order.set(&name, Some(Standing::Probe { at, written: number })),
                    2 => order.set(&name, Some(Standing::Later { at, is_proven: number > 4 })),
                    _ => order.set(&name, None),
                }
                now += Duration::from_millis(number / 2);
                order.advance(now);
                let positions = order.unproven.len() + order.proven.len() + order.probes.len() + order.waiting.len();
                proptest::prop_assert_eq!(positions, order.positions.len());
            }
        }
    }
}
