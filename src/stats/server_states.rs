//! State of each endpoint and database, for [`Stats`](crate::Stats) and [`Health`](crate::Health).
//! Updated by the buffer actor.

use std::{cmp::Reverse, time::SystemTime};

use foldhash::HashMap;
use parking_lot::Mutex;

use crate::{
    BreakerState, Database, DatabaseStats, EndpointStats, Failure, LastFailure, Outage, Rejection,
    ServerInfo,
    stats::{
        health::{DatabaseOutage, EndpointOutage, ServersSummary},
        ledger::DispositionKind,
    },
};

/// Above this number, databases without pending lines are forgotten.
const MAX_DATABASES: usize = 10_000;

/// Maximum number of databases in a snapshot, which holds up delivery.
const MAX_SHOWN: usize = 1_000;

/// Maximum number of databases that are down in a health report; further ones are counted.
const MAX_DOWN: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct ServerStates(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    endpoints: Vec<EndpointStats>,
    databases: HashMap<Database, DatabaseStats>,
    /// Time of the last successful POST, to any endpoint.
    last_success: Option<SystemTime>,
    /// Since when the oldest pending measurement has been waiting.
    pending_since: Option<SystemTime>,
}

impl Contents {
    fn of(&mut self, database: &Database) -> &mut DatabaseStats {
        // Not `entry`, which would copy the name each time.
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
                last_rejection: None,
                outage: None,
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

impl ServerStates {
    /// Replaces the endpoints; all breakers are closed. Outages last until they are shown to be
    /// over, unless the URLs have changed.
    pub(crate) fn set_endpoints(&self, urls: impl Iterator<Item = String>) {
        let mut states = self.0.lock();
        let Contents {
            endpoints,
            databases,
            ..
        } = &mut *states;
        let endpoint = |url| EndpointStats {
            url,
            state: BreakerState::Closed,
            server: None,
            last_success: None,
            last_failure: None,
            outage: None,
        };
        let new: Vec<_> = urls.map(endpoint).collect();
        let is_same = new.len() == endpoints.len()
            && new.iter().zip(&*endpoints).all(|(a, b)| a.url == b.url);
        match is_same {
            true => {
                let states = endpoints.iter_mut().map(|endpoint| &mut endpoint.state);
                states.for_each(|state| *state = BreakerState::Closed);
            }
            false => {
                *endpoints = new;
                databases.values_mut().for_each(|own| own.outage = None);
            }
        }
        let states = databases.values_mut().map(|own| &mut own.state);
        states.for_each(|state| *state = BreakerState::Closed);
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

    pub(crate) fn settled(&self, database: &Database, lines: usize, kind: DispositionKind) {
        let mut states = self.0.lock();
        let (own, lines) = (states.of(database), lines as u64);
        own.pending -= lines;
        match kind {
            DispositionKind::Written => own.written += lines,
            DispositionKind::Rejected => own.rejected += lines,
            DispositionKind::Dropped(_) => own.dropped += lines,
        }
        states.forget_if_idle(database);
    }

    pub(crate) fn rejected(&self, database: &Database, reason: &Rejection) {
        self.0.lock().of(database).last_rejection = Some(reason.clone());
    }

    pub(crate) fn written(&self, endpoint: usize, database: &Database) {
        let now = Some(SystemTime::now());
        let mut states = self.0.lock();
        if let Some(endpoint) = states.endpoints.get_mut(endpoint) {
            endpoint.last_success = now;
        }
        states.of(database).last_success = now;
        states.last_success = now;
    }

    pub(crate) fn failed(&self, endpoint: usize, database: &Database, reason: Failure) {
        let failure = LastFailure {
            at: SystemTime::now(),
            reason,
        };
        let mut states = self.0.lock();
        if let Some(endpoint) = states.endpoints.get_mut(endpoint) {
            endpoint.last_failure = Some(failure.clone());
        }
        states.of(database).last_failure = Some(failure);
    }

    pub(crate) fn set_states(
        &self,
        (endpoint, endpoint_state): (usize, BreakerState),
        database: &Database,
        state: BreakerState,
    ) {
        let mut states = self.0.lock();
        if let Some(endpoint) = states.endpoints.get_mut(endpoint) {
            endpoint.state = endpoint_state;
        }
        states.of(database).state = state;
        states.forget_if_idle(database);
    }

    /// Begins or continues the outage of an endpoint.
    pub(crate) fn endpoint_is_down(&self, endpoint: usize, reason: Failure) {
        if let Some(endpoint) = self.0.lock().endpoints.get_mut(endpoint) {
            begin_or_continue(&mut endpoint.outage, reason);
        }
    }

    /// Begins or continues the outage of a database.
    pub(crate) fn database_is_down(&self, database: &Database, reason: Failure) {
        begin_or_continue(&mut self.0.lock().of(database).outage, reason);
    }

    pub(crate) fn endpoint_is_up(&self, endpoint: usize) {
        if let Some(endpoint) = self.0.lock().endpoints.get_mut(endpoint) {
            endpoint.outage = None;
        }
    }

    pub(crate) fn database_is_up(&self, database: &Database) {
        if let Some(own) = self.0.lock().databases.get_mut(database) {
            own.outage = None;
        }
    }

    /// Ends the outage of a database without pending lines in the backlog, as its breaker is
    /// forgotten.
    pub(crate) fn database_is_idle(&self, database: &Database) {
        if let Some(own) = self.0.lock().databases.get_mut(database) {
            own.state = BreakerState::Closed;
            own.outage = None;
        }
    }

    /// Sets since when the oldest pending measurement has been waiting.
    pub(crate) fn set_pending_since(&self, since: Option<SystemTime>) {
        self.0.lock().pending_since = since;
    }

    /// The endpoints, in the order of the setting.
    pub(crate) fn endpoints(&self) -> Vec<EndpointStats> {
        self.0.lock().endpoints.clone()
    }

    /// The inputs of [`Health`](crate::Health).
    pub(crate) fn servers(&self) -> ServersSummary {
        let states = self.0.lock();
        let is_down = |own: &&DatabaseStats| own.outage.is_some();
        let mut down: Vec<_> = states.databases.values().filter(is_down).collect();
        let databases_down = down.len();
        // A database without a success is not proven to work.
        let any_database_works = (states.databases.values())
            .any(|own| own.outage.is_none() && own.last_success.is_some());
        let most_first = |a: &&DatabaseStats, b: &&DatabaseStats| {
            let by_pending = b.pending.cmp(&a.pending);
            by_pending.then_with(|| a.database.cmp(&b.database))
        };
        if down.len() > MAX_DOWN {
            down.select_nth_unstable_by(MAX_DOWN, most_first);
            down.truncate(MAX_DOWN);
        }
        down.sort_unstable_by(most_first);
        let database = |own: &DatabaseStats| {
            Some(DatabaseOutage {
                database: own.database.clone(),
                pending: own.pending,
                outage: own.outage.clone()?,
            })
        };
        let endpoint = |endpoint: &EndpointStats| {
            Some(EndpointOutage {
                url: endpoint.url.clone(),
                outage: endpoint.outage.clone()?,
            })
        };
        ServersSummary {
            last_success: states.last_success,
            pending_since: states.pending_since,
            endpoints: states.endpoints.len(),
            endpoints_down: states.endpoints.iter().filter_map(endpoint).collect(),
            any_database_works,
            databases_down,
            largest_databases_down: down.into_iter().filter_map(database).collect(),
        }
    }

    /// The last failure without a success since, with its endpoint's URL.
    pub(crate) fn last_failure(&self) -> Option<(String, LastFailure)> {
        let states = self.0.lock();
        let failures = states.endpoints.iter().filter_map(|endpoint| {
            let failure = endpoint.last_failure.clone()?;
            // A failure before the last success is over.
            let is_over = endpoint.last_success.is_some_and(|at| at >= failure.at);
            (!is_over).then(|| (endpoint.url.clone(), failure))
        });
        failures.max_by_key(|(_, failure)| failure.at)
    }

    /// The endpoints in the order of the setting, and the databases by name.
    pub(crate) fn snapshot(&self) -> (Vec<EndpointStats>, Vec<DatabaseStats>) {
        let states = self.0.lock();
        let mut shown: Vec<_> = states.databases.values().collect();
        if shown.len() > MAX_SHOWN {
            shown.select_nth_unstable_by_key(MAX_SHOWN, |own| Reverse(own.pending));
            shown.truncate(MAX_SHOWN);
        }
        let mut databases: Vec<_> = shown.into_iter().cloned().collect();
        let endpoints = states.endpoints.clone();
        drop(states);
        databases.sort_by(|a, b| a.database.cmp(&b.database));
        (endpoints, databases)
    }
}

/// Begins an outage, or updates its reason.
fn begin_or_continue(outage: &mut Option<Outage>, reason: Failure) {
    match outage {
        Some(outage) => outage.reason = reason,
        None => {
            let since = SystemTime::now();
            *outage = Some(Outage { since, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, stats::reason::LossReason};

    #[test]
    fn each_endpoint_and_database_has_its_own_figures() {
        let health = ServerStates::default();
        health.set_endpoints(["http://a".to_owned(), "http://b".to_owned()].into_iter());
        health.admitted(&"x".into(), 5);
        health.settled(&"x".into(), 2, DispositionKind::Written);
        health.settled(
            &"x".into(),
            1,
            DispositionKind::Dropped(LossReason::Expired),
        );
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
        let health = ServerStates::default();
        for number in 0..MAX_DATABASES + 10 {
            let database = Database::new(number.to_string());
            health.admitted(&database, 1);
            health.settled(&database, 1, DispositionKind::Written);
        }
        assert_eq!(health.0.lock().databases.len(), MAX_DATABASES);
    }

    #[test]
    fn of_very_many_databases_those_with_the_most_pending_are_shown() {
        let health = ServerStates::default();
        for number in 1..=2 * MAX_SHOWN {
            health.admitted(&Database::new(number.to_string()), number);
        }
        let (_, shown) = health.snapshot();
        assert_eq!(shown.len(), MAX_SHOWN);
        assert!(shown.iter().all(|own| own.pending > MAX_SHOWN as u64));
    }
}
