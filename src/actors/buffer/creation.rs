//! Creates missing databases, if `create_database` is set: a few at a time, and each with a log line when it is
//! created or can't be.

use std::{collections::VecDeque, time::Duration, time::Instant};

use actix::{AsyncContext as _, Context};
use foldhash::HashMap;

use super::{BufferActor, notifications::shown};
use crate::{
    Database,
    actors::{
        log_limit::{LogLimit, Shown},
        messages::internal::Created,
        reply::Reply,
    },
    endpoint::Endpoint,
    logging,
    printable::{LIMIT, printable},
};

/// Maximum number of databases that are logged one by one in [`WINDOW`].
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// Missing databases whose creation was requested.
#[derive(Debug)]
pub(super) struct Creations {
    missing: HashMap<Database, Creation>,
    waiting: VecDeque<(Endpoint, Database)>,
    in_flight: usize,
    log_limit: LogLimit,
}

#[derive(Debug, Default)]
struct Creation {
    /// Whether a request is in flight, or queued.
    is_requested: bool,
    /// Whether the last attempt succeeded.
    last: Option<bool>,
}

/// An attempt with another result than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    /// Whether to log it.
    shown: Option<Shown>,
}

impl Default for Creations {
    fn default() -> Self {
        Self {
            missing: HashMap::default(),
            waiting: VecDeque::new(),
            in_flight: 0,
            log_limit: LogLimit::new(LINES, WINDOW),
        }
    }
}

impl Creations {
    fn ask(&mut self, endpoint: Endpoint, database: Database) {
        let creation = self.missing.entry(database.clone()).or_default();
        if !std::mem::replace(&mut creation.is_requested, true) {
            self.waiting.push_back((endpoint, database));
        }
    }

    /// The next database to create, if fewer than `at_most` requests are in flight.
    fn next(&mut self, at_most: usize) -> Option<(Endpoint, Database)> {
        while self.in_flight < at_most {
            let next = self.waiting.pop_front()?;
            if self.missing.contains_key(&next.1) {
                self.in_flight += 1;
                return Some(next);
            }
        }
        None
    }

    fn answered(&mut self, database: &Database, is_created: bool, now: Instant) -> Option<Change> {
        self.in_flight -= 1;
        let creation = self.missing.get_mut(database)?;
        creation.is_requested = false;
        if creation.last.replace(is_created) == Some(is_created) {
            return None;
        }
        let shown = self.log_limit.ask(now);
        Some(Change { shown })
    }

    /// Whether nothing is known to be missing.
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// Forgets a database that exists, or has nothing pending.
    pub(super) fn forget(&mut self, database: &Database) {
        self.missing.remove(database);
    }

    /// Forgets everything, as there are other endpoints.
    pub(super) fn forget_all(&mut self) {
        self.missing.clear();
        self.waiting.clear();
    }
}

impl BufferActor {
    /// Asks the server to create the database. The database's breaker limits how often.
    pub(super) fn create(
        &mut self,
        endpoint: Endpoint,
        database: Database,
        context: &mut Context<Self>,
    ) {
        self.creations.ask(endpoint, database);
        self.create_next(context);
    }

    /// Sends requests, at most half as many at a time as there are writers, so that writes never wait for them.
    fn create_next(&mut self, context: &mut Context<Self>) {
        let at_most = (self.writers.size() / 2).max(1);
        while let Some((endpoint, database)) = self.creations.next(at_most) {
            let (http, timeout) = (self.http.clone(), self.config.request_timeout);
            let lost = Created {
                database: database.clone(),
                result: Err("the request ended without an answer".to_owned()),
            };
            let reply = Reply::new(context.address().recipient(), lost);
            actix::spawn(async move {
                let result = http.create_database(&endpoint, &database, timeout).await;
                reply.send(|lost| Created { result, ..lost });
            });
        }
    }

    pub(super) fn created(&mut self, created: Created, context: &mut Context<Self>) {
        let Created { database, result } = created;
        let now = self.now();
        let change = self.creations.answered(&database, result.is_ok(), now);
        self.create_next(context);
        // Each probe of the database is followed by the same attempt: it is logged once, even if a server
        // reports success and still lacks the database.
        let Some(change) = change else { return };
        if let Some(Shown { held_back }) = change.shown {
            let name = shown(&database);
            let others = match held_back {
                0 => String::new(),
                others => format!(" (and {others} others were not logged)"),
            };
            match &result {
                Ok(()) => {
                    logging::info!("the server reports that database {name} was created{others}");
                }
                Err(reason) => {
                    let reason = printable(reason, LIMIT);
                    logging::error!("database {name} could not be created: {reason}{others}");
                }
            }
        }
        if result.is_ok() {
            self.dispatcher.retry_database_now(&database, now);
            self.pump(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn endpoint() -> Endpoint {
        Endpoint::all(&Config::v1("http://127.0.0.1:1"))
            .unwrap()
            .remove(0)
    }

    #[test]
    fn each_change_is_told_once_and_a_new_begin_is_one() {
        let (mut creations, now) = (Creations::default(), Instant::now());
        let database = Database::from("db");
        let attempt = |creations: &mut Creations, is_created| {
            creations.ask(endpoint(), database.clone());
            assert!(creations.next(1).is_some());
            creations.answered(&database, is_created, now).is_some()
        };
        for (is_created, is_told) in [
            (false, true),
            (false, false),
            (true, true),
            (true, false),
            (false, true),
        ] {
            assert_eq!(attempt(&mut creations, is_created), is_told);
        }
        creations.forget(&database);
        assert!(attempt(&mut creations, false));
    }

    #[test]
    fn few_are_in_flight_each_once_and_none_that_is_not_missing_any_more() {
        let (mut creations, now) = (Creations::default(), Instant::now());
        for _ in 0..2 {
            for number in 0..1_000 {
                creations.ask(endpoint(), Database::new(number.to_string()));
            }
        }
        let mut next = || creations.next(2).map(|(_, database)| database);
        assert_eq!(
            [next(), next(), next()],
            [Some("0".into()), Some("1".into()), None]
        );
        creations.forget(&"2".into());
        creations.forget(&"1".into());
        assert_eq!(creations.answered(&"1".into(), false, now), None);
        let (_, database) = creations.next(2).unwrap();
        assert_eq!(database, "3".into());
        assert!(creations.next(2).is_none());
        assert_eq!(creations.waiting.len(), 996);
        creations.forget_all();
        creations.answered(&"0".into(), true, now);
        assert!(creations.next(2).is_none());
    }

    #[test]
    fn of_a_thousand_databases_ten_are_told_of() {
        let (mut creations, now) = (Creations::default(), Instant::now());
        let told = (0..1_000).filter(|number| {
            let database = Database::new(number.to_string());
            creations.ask(endpoint(), database.clone());
            creations.next(1);
            let change = creations.answered(&database, false, now);
            change.is_some_and(|change| change.shown.is_some())
        });
        assert_eq!(told.count(), LINES as usize);
    }
}
