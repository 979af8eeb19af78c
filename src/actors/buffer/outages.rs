//! Which endpoints and databases are out of service, and when the log says so: a line when an outage
//! begins and one when it ends, reminders while it lasts, and a limit where it comes and goes. Pure:
//! the time is an argument.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use foldhash::HashMap;

use crate::{Database, actors::log_limit::LogLimit, delivery::backlog::Backlog};

/// Maximum number of outages of one endpoint or database that are logged in [`TOLD_WINDOW`].
const TOLD: u32 = 3;
const TOLD_WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of databases whose outages are logged one by one in [`DATABASES_WINDOW`].
const DATABASES: u32 = 10;
const DATABASES_WINDOW: Duration = Duration::from_secs(60);

/// Time between two log lines of an outage that lasts.
pub(super) const REMIND_EVERY: Duration = Duration::from_secs(180);

/// Number of databases beyond which those that work again are forgotten.
const MAX_REMEMBERED: usize = 1_000;

#[derive(Debug)]
pub(super) struct Outages {
    endpoints: BTreeMap<usize, Outage>,
    databases: HashMap<Database, Outage>,
    /// How many of these last.
    lasting: usize,
    /// With so many, those that are over are looked for.
    prune_at: usize,
    told_databases: LogLimit,
}

#[derive(Debug)]
struct Outage {
    /// `Some` while the outage lasts.
    lasts: Option<Lasting>,
    told: LogLimit,
}

#[derive(Debug)]
struct Lasting {
    since: Instant,
    reason: String,
    is_misconfigured: bool,
    /// Whether its beginning was logged.
    is_told: bool,
}

/// What to log of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing: it was logged before, or the limit is reached.
    None,
    /// An outage has begun; `held_back` others were not logged since the last line.
    Began { held_back: u64 },
    /// The outage has turned out to be a fault of the configuration.
    Worse,
}

/// The end of an outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) is_told: bool,
    pub(super) was_misconfigured: bool,
    pub(super) after: Duration,
}

/// An outage that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reminder {
    pub(super) since: Instant,
    pub(super) reason: String,
    pub(super) is_misconfigured: bool,
}

impl Default for Outages {
    fn default() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            databases: HashMap::default(),
            lasting: 0,
            prune_at: MAX_REMEMBERED,
            told_databases: LogLimit::new(DATABASES, DATABASES_WINDOW),
        }
    }
}

impl Outage {
    fn new() -> Self {
        Self {
            lasts: None,
            told: LogLimit::new(TOLD, TOLD_WINDOW),
        }
    }

    fn fail(
        &mut self,
        reason: &str,
        is_misconfigured: bool,
        now: Instant,
        others: Option<&mut LogLimit>,
    ) -> News {
        if let Some(lasting) = &mut self.lasts {
            let is_worse = is_misconfigured && !lasting.is_misconfigured;
            lasting.is_misconfigured |= is_misconfigured;
            reason.clone_into(&mut lasting.reason);
            if !is_worse {
                return News::None;
            }
            lasting.is_told = true;
            return News::Worse;
        }
        let shown = self.told.ask(now).and_then(|own| match others {
            None => Some(own.held_back),
            Some(others) => others.ask(now).map(|all| own.held_back + all.held_back),
        });
        self.lasts = Some(Lasting {
            since: now,
            reason: reason.to_owned(),
            is_misconfigured,
            is_told: shown.is_some(),
        });
        match shown {
            Some(held_back) => News::Began { held_back },
            None => News::None,
        }
    }

    fn end(&mut self, now: Instant) -> Option<End> {
        let lasting = self.lasts.take()?;
        Some(End {
            is_told: lasting.is_told,
            was_misconfigured: lasting.is_misconfigured,
            after: now.saturating_duration_since(lasting.since),
        })
    }
}

impl Outages {
    pub(super) fn endpoint_failed(
        &mut self,
        endpoint: usize,
        reason: &str,
        is_misconfigured: bool,
        now: Instant,
    ) -> News {
        let outage = self.endpoints.entry(endpoint).or_insert_with(Outage::new);
        outage.fail(reason, is_misconfigured, now, None)
    }

    pub(super) fn database_failed(
        &mut self,
        database: &Database,
        reason: &str,
        is_misconfigured: bool,
        now: Instant,
    ) -> News {
        if self.databases.len() >= self.prune_at {
            self.databases.retain(|_, outage| outage.lasts.is_some());
            self.prune_at = MAX_REMEMBERED.max(2 * self.databases.len());
        }
        let outage = self
            .databases
            .entry(database.clone())
            .or_insert_with(Outage::new);
        let others = Some(&mut self.told_databases);
        self.lasting += usize::from(outage.lasts.is_none());
        outage.fail(reason, is_misconfigured, now, others)
    }

    pub(super) fn endpoint_works(&mut self, endpoint: usize, now: Instant) -> Option<End> {
        self.endpoints.get_mut(&endpoint)?.end(now)
    }

    pub(super) fn database_works(&mut self, database: &Database, now: Instant) -> Option<End> {
        let end = self.databases.get_mut(database)?.end(now)?;
        self.lasting -= 1;
        Some(end)
    }

    /// Ends the outage of a database that has nothing pending any more. Returns whether there was one.
    pub(super) fn forget_if_idle(&mut self, database: &Database, backlog: &Backlog) -> bool {
        if backlog.has(database) {
            return false;
        }
        let outage = self.databases.get_mut(database);
        // The limit of the log is kept.
        let has_ended = outage.is_some_and(|outage| outage.lasts.take().is_some());
        self.lasting -= usize::from(has_ended);
        has_ended
    }

    /// Forgets all outages: there are other endpoints or other credentials.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn any(&self) -> bool {
        let lasts = |outage: &Outage| outage.lasts.is_some();
        self.lasting > 0 || self.endpoints.values().any(lasts)
    }

    /// Returns the endpoints that are out of service, by number.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (usize, Reminder)> {
        let all = self.endpoints.iter();
        all.filter_map(|(endpoint, outage)| Some((*endpoint, outage.reminder()?)))
    }

    /// Returns how many databases are out of service, and the one that `weighs` most.
    pub(super) fn databases(
        &self,
        weighs: impl Fn(&Database) -> usize,
    ) -> Option<(usize, &Database, Reminder)> {
        let lasting = || {
            self.databases
                .iter()
                .filter(|(_, outage)| outage.lasts.is_some())
        };
        let (database, outage) = lasting().max_by_key(|(database, _)| weighs(database))?;
        Some((lasting().count(), database, outage.reminder()?))
    }
}

impl Outage {
    fn reminder(&self) -> Option<Reminder> {
        let lasting = self.lasts.as_ref()?;
        Some(Reminder {
            since: lasting.since,
            reason: lasting.reason.clone(),
            is_misconfigured: lasting.is_misconfigured,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_when_it_begins_and_when_it_is_a_fault_of_configuration() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        let mut fail = |is_misconfigured| outages.endpoint_failed(0, "r", is_misconfigured, now);
        assert_eq!(fail(false), News::Began { held_back: 0 });
        assert_eq!(fail(false), News::None);
        assert_eq!(fail(true), News::Worse);
        assert_eq!(fail(true), News::None);
        let end = outages.endpoint_works(0, now + TOLD_WINDOW).unwrap();
        assert_eq!(
            (end.is_told, end.was_misconfigured, end.after),
            (true, true, TOLD_WINDOW)
        );
        assert_eq!(outages.endpoint_works(0, now), None);
    }

    #[test]
    fn what_comes_and_goes_is_told_three_times_a_minute() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        let mut told = 0;
        for _ in 0..100 {
            let news = outages.endpoint_failed(0, "r", false, now);
            let end = outages.endpoint_works(0, now).unwrap();
            assert_eq!(
                end.is_told,
                news != News::None,
                "an end that had no beginning"
            );
            told += u32::from(end.is_told);
        }
        assert_eq!(told, TOLD);
        let news = outages.endpoint_failed(0, "r", false, now + TOLD_WINDOW);
        assert_eq!(news, News::Began { held_back: 97 });
    }

    #[test]
    fn of_a_thousand_databases_ten_are_told_of_one_by_one() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        let told = (0..1_000).filter(|number| {
            let database = Database::new(number.to_string());
            outages.database_failed(&database, "r", true, now) != News::None
        });
        assert_eq!(told.count(), 10);
        let (count, database, _) = outages.databases(|database| database.name().len()).unwrap();
        assert_eq!((count, database.name().len()), (1_000, 3));
    }
}
