//! Outages of endpoints and databases, and when to log them: their beginning, their end, and
//! reminders in between, with a limit for frequent ones. Pure: the time is an argument.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use foldhash::HashMap;

use crate::{Database, actors::log_limit::LogLimit, delivery::backlog::Backlog};

/// Maximum number of outages of one endpoint or database logged per [`LOG_WINDOW`].
const MAX_LOGGED: u32 = 3;
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of databases whose outages are logged individually per [`DATABASES_WINDOW`].
const DATABASES: u32 = 10;
const DATABASES_WINDOW: Duration = Duration::from_secs(60);

/// Time between reminders of an outage.
pub(super) const REMIND_EVERY: Duration = Duration::from_secs(180);

/// Above this number of databases, those without an outage are forgotten.
const MAX_REMEMBERED: usize = 1_000;

#[derive(Debug)]
pub(super) struct Outages {
    endpoints: BTreeMap<usize, Outage>,
    databases: HashMap<Database, Outage>,
    /// Number of databases with an outage.
    ongoing: usize,
    /// Number of databases at which those without an outage are removed.
    prune_at: usize,
    database_log_limit: LogLimit,
}

#[derive(Debug)]
struct Outage {
    /// `None` between outages.
    ongoing: Option<Ongoing>,
    log_limit: LogLimit,
}

#[derive(Debug)]
struct Ongoing {
    since: Instant,
    reason: String,
    is_misconfigured: bool,
    /// Whether the beginning was logged.
    is_logged: bool,
}

/// What to log about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Log nothing: the failure was logged already, or the limit is reached.
    None,
    /// An outage began; `held_back` others were not logged since the last line.
    Began { held_back: u64 },
    /// The outage turned out to be a configuration fault.
    Worse,
}

/// The end of an outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutageEnd {
    pub(super) is_logged: bool,
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
            ongoing: 0,
            prune_at: MAX_REMEMBERED,
            database_log_limit: LogLimit::new(DATABASES, DATABASES_WINDOW),
        }
    }
}

impl Outage {
    fn new() -> Self {
        Self {
            ongoing: None,
            log_limit: LogLimit::new(MAX_LOGGED, LOG_WINDOW),
        }
    }

    fn fail(
        &mut self,
        reason: &str,
        is_misconfigured: bool,
        now: Instant,
        others: Option<&mut LogLimit>,
    ) -> News {
        if let Some(ongoing) = &mut self.ongoing {
            let is_worse = is_misconfigured && !ongoing.is_misconfigured;
            ongoing.is_misconfigured |= is_misconfigured;
            reason.clone_into(&mut ongoing.reason);
            if !is_worse {
                return News::None;
            }
            ongoing.is_logged = true;
            return News::Worse;
        }
        let shown = self.log_limit.ask(now).and_then(|own| match others {
            None => Some(own.held_back),
            Some(others) => others.ask(now).map(|all| own.held_back + all.held_back),
        });
        self.ongoing = Some(Ongoing {
            since: now,
            reason: reason.to_owned(),
            is_misconfigured,
            is_logged: shown.is_some(),
        });
        match shown {
            Some(held_back) => News::Began { held_back },
            None => News::None,
        }
    }

    fn end(&mut self, now: Instant) -> Option<OutageEnd> {
        let ongoing = self.ongoing.take()?;
        Some(OutageEnd {
            is_logged: ongoing.is_logged,
            was_misconfigured: ongoing.is_misconfigured,
            after: now.saturating_duration_since(ongoing.since),
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
            self.databases.retain(|_, outage| outage.ongoing.is_some());
            self.prune_at = MAX_REMEMBERED.max(2 * self.databases.len());
        }
        let outage = self
            .databases
            .entry(database.clone())
            .or_insert_with(Outage::new);
        let others = Some(&mut self.database_log_limit);
        self.ongoing += usize::from(outage.ongoing.is_none());
        outage.fail(reason, is_misconfigured, now, others)
    }

    pub(super) fn endpoint_works(&mut self, endpoint: usize, now: Instant) -> Option<OutageEnd> {
        self.endpoints.get_mut(&endpoint)?.end(now)
    }

    pub(super) fn database_works(
        &mut self,
        database: &Database,
        now: Instant,
    ) -> Option<OutageEnd> {
        let end = self.databases.get_mut(database)?.end(now)?;
        self.ongoing -= 1;
        Some(end)
    }

    /// Ends the outage of a database without pending lines. Returns whether there was one.
    pub(super) fn forget_if_idle(&mut self, database: &Database, backlog: &Backlog) -> bool {
        if backlog.has_unsettled(database) {
            return false;
        }
        let outage = self.databases.get_mut(database);
        // The log limit is kept.
        let has_ended = outage.is_some_and(|outage| outage.ongoing.take().is_some());
        self.ongoing -= usize::from(has_ended);
        has_ended
    }

    /// Forgets all outages, for other endpoints or credentials.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn any(&self) -> bool {
        let ongoing = |outage: &Outage| outage.ongoing.is_some();
        self.ongoing > 0 || self.endpoints.values().any(ongoing)
    }

    /// The endpoints with outages, by index.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (usize, Reminder)> {
        let all = self.endpoints.iter();
        all.filter_map(|(endpoint, outage)| Some((*endpoint, outage.reminder()?)))
    }

    /// The number of databases with outages, and the one that `weighs` most.
    pub(super) fn databases(
        &self,
        weighs: impl Fn(&Database) -> usize,
    ) -> Option<(usize, &Database, Reminder)> {
        let ongoing = || {
            self.databases
                .iter()
                .filter(|(_, outage)| outage.ongoing.is_some())
        };
        let (database, outage) = ongoing().max_by_key(|(database, _)| weighs(database))?;
        Some((ongoing().count(), database, outage.reminder()?))
    }
}

impl Outage {
    fn reminder(&self) -> Option<Reminder> {
        let ongoing = self.ongoing.as_ref()?;
        Some(Reminder {
            since: ongoing.since,
            reason: ongoing.reason.clone(),
            is_misconfigured: ongoing.is_misconfigured,
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
        let end = outages.endpoint_works(0, now + LOG_WINDOW).unwrap();
        assert_eq!(
            (end.is_logged, end.was_misconfigured, end.after),
            (true, true, LOG_WINDOW)
        );
        assert_eq!(outages.endpoint_works(0, now), None);
    }

    #[test]
    fn what_comes_and_goes_is_told_three_times_a_minute() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        let mut log_limit = 0;
        for _ in 0..100 {
            let news = outages.endpoint_failed(0, "r", false, now);
            let end = outages.endpoint_works(0, now).unwrap();
            assert_eq!(
                end.is_logged,
                news != News::None,
                "an end that had no beginning"
            );
            log_limit += u32::from(end.is_logged);
        }
        assert_eq!(log_limit, MAX_LOGGED);
        let news = outages.endpoint_failed(0, "r", false, now + LOG_WINDOW);
        assert_eq!(news, News::Began { held_back: 97 });
    }

    #[test]
    fn of_a_thousand_databases_ten_are_told_of_one_by_one() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        let log_limit = (0..1_000).filter(|number| {
            let database = Database::new(number.to_string());
            outages.database_failed(&database, "r", true, now) != News::None
        });
        assert_eq!(log_limit.count(), 10);
        let (count, database, _) = outages.databases(|database| database.name().len()).unwrap();
        assert_eq!((count, database.name().len()), (1_000, 3));
    }
}
