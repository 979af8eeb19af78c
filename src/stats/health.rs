//! Health of each endpoint and each database, a part of [`Stats`](crate::Stats). The buffer actor keeps it
//! up to date.

use std::{cmp::Reverse, time::SystemTime};

use foldhash::HashMap;
use parking_lot::Mutex;

use crate::{Database, Failure, ServerInfo, stats::ledger::Settlement};

/// Health of an endpoint: one of the base URLs that measurements are sent to.
///
/// ```
/// # fn show(stats: &actix_influxdb::Stats) {
/// for endpoint in &stats.endpoints {
///     println!("{} is {}", endpoint.url, endpoint.state);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Base URL, without credentials.
    pub url: String,
    /// Whether the endpoint is in service.
    pub state: BreakerState,
    /// Which server it is, as far as its answers tell; none before the first of them.
    pub server: Option<ServerInfo>,
    /// Time of the last POST that was written there.
    pub last_success: Option<SystemTime>,
    /// The last POST there that failed, if any.
    pub last_failure: Option<LastFailure>,
}

/// Health of a database, and what became of its measurements.
///
/// [`Stats`](crate::Stats) has at most 1,000 databases, those with the most pending measurements. Beyond
/// 10,000 databases, one that has nothing pending is forgotten.
///
/// ```
/// # fn show(stats: &actix_influxdb::Stats) {
/// for database in &stats.databases {
///     println!("{}: {} pending", database.database, database.pending);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseStats {
    /// The database.
    pub database: Database,
    /// Whether the database is in service.
    pub state: BreakerState,
    /// Number of measurements that the server has stored.
    pub written: u64,
    /// Number of measurements that the server has rejected.
    pub rejected: u64,
    /// Number of measurements that were pending and dropped.
    pub dropped: u64,
    /// Number of pending measurements, without those in thread buffers. (The latter are in
    /// [`Stats::pending`](crate::Stats::pending) only.)
    pub pending: u64,
    /// Time of the last POST of the database that was written.
    pub last_success: Option<SystemTime>,
    /// The last POST of the database that failed, if any.
    pub last_failure: Option<LastFailure>,
}

/// The last POST that was not written, of an endpoint or a database.
///
/// ```
/// # use actix_influxdb::{EndpointStats, FailureKind};
/// fn is_locked_out(endpoint: &EndpointStats) -> bool {
///     let failure = endpoint.last_failure.as_ref();
///     failure.is_some_and(|failure| failure.reason.kind == FailureKind::Unauthorized)
/// }
/// # let _ = is_locked_out;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastFailure {
    /// Time of the failure.
    pub at: SystemTime,
    /// What went wrong.
    pub reason: Failure,
}

/// Whether an endpoint or a database is in service.
///
/// ```
/// # use actix_influxdb::{BreakerState, Stats};
/// fn is_healthy(stats: &Stats) -> bool {
///     stats.endpoints.iter().any(|endpoint| endpoint.state == BreakerState::Closed)
/// }
/// # let _ = is_healthy;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum BreakerState {
    /// In service: no failure since the last success.
    #[default]
    #[display("closed")]
    Closed,
    /// Out of service: tried again with backoff.
    #[display("open")]
    Open,
}

/// More databases than this are forgotten once they have nothing pending.
const MAX_DATABASES: usize = 10_000;

/// So many are in a snapshot: whoever asks must not hold up delivery.
const MAX_SHOWN: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    endpoints: Vec<EndpointStats>,
    databases: HashMap<Database, DatabaseStats>,
}

impl Books {
    fn of(&mut self, database: &Database) -> &mut DatabaseStats {
        // Not by `entry`: that would copy a name each time.
        if !self.databases.contains_key(database) {
            let new = DatabaseStats {
                database: database.clone(),
                state: BreakerState::Closed,
                written: 0,
                rejected: 0,
                dropped: 0,
                pending: 0,
                last_success: None,
                last_failure: None,
            };
            self.databases.insert(database.clone(), new);
        }
        self.databases
            .get_mut(database)
            .expect("it is there, or was just put there")
    }

    fn forget_if_idle(&mut self, database: &Database) {
        let is_idle = |own: &DatabaseStats| own.pending == 0;
        if self.databases.len() > MAX_DATABASES && self.databases.get(database).is_some_and(is_idle)
        {
            self.databases.remove(database);
        }
    }
}

impl Health {
    /// Replaces the endpoints.
    pub(crate) fn set_endpoints(&self, urls: impl Iterator<Item = String>) {
        let endpoint = |url| EndpointStats {
            url,
            state: BreakerState::Closed,
            server: None,
            last_success: None,
            last_failure: None,
        };
        self.0.lock().endpoints = urls.map(endpoint).collect();
    }

    /// Notes which server an endpoint is.
    pub(crate) fn is_server(&self, endpoint: usize, server: ServerInfo) {
        if let Some(endpoint) = self.0.lock().endpoints.get_mut(endpoint) {
            endpoint.server = Some(server);
        }
    }

    pub(crate) fn admitted(&self, database: &Database, lines: usize) {
        self.0.lock().of(database).pending += lines as u64;
    }

    pub(crate) fn settled(&self, database: &Database, lines: usize, settlement: Settlement) {
        let mut books = self.0.lock();
        let (own, lines) = (books.of(database), lines as u64);
        own.pending -= lines;
        match settlement {
            Settlement::Written => own.written += lines,
            Settlement::Rejected => own.rejected += lines,
            Settlement::Dropped(_) => own.dropped += lines,
        }
        books.forget_if_idle(database);
    }

    pub(crate) fn written(&self, endpoint: usize, database: &Database) {
        let now = Some(SystemTime::now());
        let mut books = self.0.lock();
        if let Some(endpoint) = books.endpoints.get_mut(endpoint) {
            endpoint.last_success = now;
        }
        books.of(database).last_success = now;
    }

    pub(crate) fn failed(&self, endpoint: usize, database: &Database, reason: Failure) {
        let failure = LastFailure {
            at: SystemTime::now(),
            reason,
        };
        let mut books = self.0.lock();
        if let Some(endpoint) = books.endpoints.get_mut(endpoint) {
            endpoint.last_failure = Some(failure.clone());
        }
        books.of(database).last_failure = Some(failure);
    }

    pub(crate) fn set_states(
        &self,
        (endpoint, endpoint_state): (usize, BreakerState),
        database: &Database,
        state: BreakerState,
    ) {
        let mut books = self.0.lock();
        if let Some(endpoint) = books.endpoints.get_mut(endpoint) {
            endpoint.state = endpoint_state;
        }
        books.of(database).state = state;
        books.forget_if_idle(database);
    }

    /// The last failure without a success since, with the URL of its endpoint.
    pub(crate) fn last_failure(&self) -> Option<(String, LastFailure)> {
        let books = self.0.lock();
        let failures = books.endpoints.iter().filter_map(|endpoint| {
            let failure = endpoint.last_failure.clone()?;
            // What went well since is no reason any more.
            let is_over = endpoint.last_success.is_some_and(|at| at >= failure.at);
            (!is_over).then(|| (endpoint.url.clone(), failure))
        });
        failures.max_by_key(|(_, failure)| failure.at)
    }

    /// The endpoints in the order of the setting; the databases by name.
    pub(crate) fn snapshot(&self) -> (Vec<EndpointStats>, Vec<DatabaseStats>) {
        let books = self.0.lock();
        let mut shown: Vec<_> = books.databases.values().collect();
        if shown.len() > MAX_SHOWN {
            shown.select_nth_unstable_by_key(MAX_SHOWN, |own| Reverse(own.pending));
            shown.truncate(MAX_SHOWN);
        }
        let mut databases: Vec<_> = shown.into_iter().cloned().collect();
        let endpoints = books.endpoints.clone();
        drop(books);
        databases.sort_by(|a, b| a.database.cmp(&b.database));
        (endpoints, databases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, stats::reason::GivenUp};

    #[test]
    fn each_endpoint_and_database_has_its_own_figures() {
        let health = Health::default();
        health.set_endpoints(["http://a".to_owned(), "http://b".to_owned()].into_iter());
        health.admitted(&"x".into(), 5);
        health.settled(&"x".into(), 2, Settlement::Written);
        health.settled(&"x".into(), 1, Settlement::Dropped(GivenUp::Expired));
        health.written(1, &"x".into());
        let why = Failure {
            kind: FailureKind::TimedOut,
            status: None,
            message: "why".to_owned(),
        };
        health.failed(0, &"y".into(), why.clone());
        health.set_states((0, BreakerState::Open), &"y".into(), BreakerState::Open);
        let (endpoints, databases) = health.snapshot();
        assert!(endpoints[0].last_success.is_none() && endpoints[1].last_success.is_some());
        assert_eq!(endpoints[0].state, BreakerState::Open);
        let x = &databases[0];
        assert_eq!((x.written, x.dropped, x.pending), (2, 1, 2));
        let y = &databases[1];
        assert_eq!(y.last_failure.as_ref().unwrap().reason, why);
        assert_eq!(health.last_failure().unwrap().0, "http://a");
    }

    #[test]
    fn databases_without_anything_pending_are_kept_up_to_a_number() {
        let health = Health::default();
        for number in 0..MAX_DATABASES + 10 {
            let database = Database::new(number.to_string());
            health.admitted(&database, 1);
            health.settled(&database, 1, Settlement::Written);
        }
        assert_eq!(health.0.lock().databases.len(), MAX_DATABASES);
    }

    #[test]
    fn of_very_many_databases_those_with_the_most_pending_are_shown() {
        let health = Health::default();
        for number in 1..=2 * MAX_SHOWN {
            health.admitted(&Database::new(number.to_string()), number);
        }
        let (_, shown) = health.snapshot();
        assert_eq!(shown.len(), MAX_SHOWN);
        assert!(shown.iter().all(|own| own.pending > MAX_SHOWN as u64));
    }
}
