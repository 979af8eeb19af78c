//! Notifies the log of each change of state, once, and subscribers of everything.

use std::time::Instant;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};

use super::{
    BufferActor,
    advice::advice,
    outages::{News, OutageEnd, REMIND_EVERY},
};
use crate::{
    Database, Delivery, Event,
    batch::Lines,
    delivery::{
        breaker::Recovery,
        breakers::{Closed, Opened, State},
        dispatcher::Outcome,
        verdict::Retry,
    },
    logging,
    printable::{LIMIT, printable},
};

impl BufferActor {
    /// Logs the first delivery, unless the end of an outage or of delivery says so.
    pub(super) fn log_arrival(&mut self, endpoint: usize, database: &Database, outcome: &Outcome) {
        let is_said = self.outages.any() || self.reports.is_shutting_down();
        if std::mem::replace(&mut self.has_arrived, true) || is_said {
            return;
        }
        let count: usize = outcome.settled.iter().map(|it| it.batch.lines.len()).sum();
        logging::info!(
            "measurements arrive: {} has stored the first {count}, of database {}",
            self.endpoints[endpoint],
            shown(database)
        );
    }

    /// Logs and publishes that an endpoint or a database works again.
    pub(super) fn notify_recovery(
        &mut self,
        endpoint: usize,
        database: &Database,
        closed: &Closed,
        is_success: bool,
        context: &mut Context<Self>,
    ) {
        let now = self.now();
        // After an update of credentials, breakers are new and don't need closing.
        let breakers = self.dispatcher.breakers();
        let endpoint_works = is_success && breakers.endpoint_outage(endpoint).is_none();
        let database_works = is_success && breakers.state(database) == State::Ready;
        let attempts = |recovery: &Option<Recovery>| recovery.map_or(1, |closed| closed.attempts);
        if (closed.endpoint.is_some() || endpoint_works)
            && let Some(end) = self.outages.endpoint_works(endpoint, now)
        {
            self.shared.health.endpoint_is_up(endpoint);
            let attempts = attempts(&closed.endpoint);
            let url = self.endpoints[endpoint].to_string();
            if end.is_logged {
                logging::info!(
                    "{url} accepts measurements again, after {:.1?} and {attempts} failed attempts",
                    end.after
                );
            }
            self.subscribers.push(Event::EndpointUp {
                url: url.clone(),
                after: end.after,
                attempts,
            });
            self.notify_mended(url, None, &end);
        }
        if (closed.database.is_some() || database_works)
            && let Some(end) = self.outages.database_works(database, now)
        {
            self.shared.health.database_is_up(database);
            let attempts = attempts(&closed.database);
            let url = self.endpoints[endpoint].to_string();
            if end.is_logged {
                logging::info!(
                    "{url} accepts measurements of database {} again, after {:.1?} and {attempts} \
                     failed attempts",
                    shown(database),
                    end.after
                );
            }
            self.notify_mended(url, Some(database.clone()), &end);
        }
        self.arm_reminder(context);
    }

    fn notify_mended(&mut self, url: String, database: Option<Database>, end: &OutageEnd) {
        if end.was_misconfigured {
            self.subscribers.push(Event::ConfigurationMended {
                url,
                database,
                after: end.after,
            });
        }
    }

    /// Logs and publishes a failure that counts against the endpoint or the database.
    pub(super) fn notify_failure(
        &mut self,
        endpoint: usize,
        database: &Database,
        retry: &Retry,
        opened: Opened,
        context: &mut Context<Self>,
    ) {
        let (now, reason) = (self.now(), &retry.reason);
        let is_misconfigured = retry.is_misconfigured();
        let is_new = match opened.is_endpoints {
            true => opened.endpoint,
            false => opened.database,
        };
        let is_down = match opened.is_endpoints {
            true => self
                .dispatcher
                .breakers()
                .endpoint_outage(endpoint)
                .is_some(),
            false => opened.counts,
        };
        let health = &self.shared.health;
        let news = match (is_down, opened.is_endpoints) {
            (false, _) => News::None,
            (_, true) => {
                health.endpoint_is_down(endpoint, retry.failure());
                self.outages
                    .endpoint_failed(endpoint, reason, is_misconfigured, now)
            }
            (_, false) => {
                health.database_is_down(database, retry.failure());
                self.outages
                    .database_failed(database, reason, is_misconfigured, now)
            }
        };
        let there = &self.endpoints[endpoint];
        if news != News::None {
            let what = match opened.is_endpoints {
                true => String::new(),
                false => format!(" of database {}", shown(database)),
            };
            let held_back = match news {
                News::Began { held_back: 1.. } => " (this happened more often than it was logged)",
                _ => "",
            };
            let known = self.identities.get(&endpoint);
            let advice = advice(retry, there, known, &self.config);
            let level = match is_misconfigured {
                true => log::Level::Error,
                false => log::Level::Warn,
            };
            logging::log_at!(
                level,
                "{there} does not accept measurements{what}, they are kept: {reason}{advice}{held_back}"
            );
        }
        let url = there.to_string();
        if opened.is_endpoints && is_new {
            self.subscribers.push(Event::EndpointDown {
                url: url.clone(),
                reason: retry.failure(),
            });
        }
        if is_misconfigured && (is_new || news == News::Worse) {
            self.subscribers.push(Event::ConfigurationFault {
                url,
                database: (!opened.is_endpoints).then(|| database.clone()),
                reason: retry.failure(),
            });
        }
        self.arm_reminder(context);
    }

    pub(super) fn notify_retry(&mut self, database: &Database, measurements: usize, retry: &Retry) {
        if self.subscribers.is_empty() {
            return;
        }
        self.subscribers.push(Event::Retrying {
            database: database.clone(),
            measurements,
            reason: retry.failure(),
        });
    }

    /// Arms the timer that repeats an outage's log line.
    fn arm_reminder(&mut self, context: &mut Context<Self>) {
        match (self.outages.any(), self.reminder) {
            (true, None) => {
                self.reminder = Some(context.run_later(REMIND_EVERY, |buffer, context| {
                    buffer.reminder = None;
                    buffer.remind();
                    buffer.arm_reminder(context);
                }));
            }
            (false, Some(reminder)) => {
                context.cancel_future(reminder);
                self.reminder = None;
            }
            _ => {}
        }
    }

    fn remind(&mut self) {
        let now = self.now();
        let pending = self.shared.intake.quota.lines();
        let for_long = |since: Instant| now.saturating_duration_since(since);
        for (endpoint, outage) in self.outages.endpoints() {
            logging::log_at!(
                level_of(outage.is_misconfigured),
                "{} has not accepted measurements for {:.0?}; {pending} are pending: {}",
                self.endpoints[endpoint],
                for_long(outage.since),
                outage.reason
            );
        }
        let backlog = self.dispatcher.backlog();
        let weighs = |database: &Database| backlog.pending(database);
        if let Some((count, database, outage)) = self.outages.databases(weighs) {
            let others = match count - 1 {
                0 => String::new(),
                others => format!(", and {others} other databases can't be written either"),
            };
            logging::log_at!(
                level_of(outage.is_misconfigured),
                "database {} has not been written for {:.0?}; {} of its measurements are pending: \
                 {}{others}",
                shown(database),
                for_long(outage.since),
                weighs(database),
                outage.reason
            );
        }
    }

    pub(super) fn notify_settled(&mut self, database: Database, lines: &Lines, delivery: Delivery) {
        if self.subscribers.is_empty() {
            return;
        }
        let measurements = lines.len();
        match delivery {
            Delivery::Written => self.subscribers.push(Event::Written {
                database,
                measurements,
            }),
            Delivery::Rejected { reason } => {
                for line in lines.iter() {
                    let line = String::from_utf8_lossy(line);
                    self.subscribers.push(Event::Rejected {
                        database: database.clone(),
                        line: line.trim_end_matches('\n').to_owned(),
                        reason: reason.clone(),
                    });
                }
            }
            Delivery::Dropped { reason } => self.subscribers.push(Event::Dropped {
                database,
                measurements,
                reason,
            }),
            // Not the end yet.
            Delivery::Spooled => {}
        }
    }

    /// Sends subscribers their next events.
    pub(super) fn send_events(&mut self, context: &mut Context<Self>) {
        for (id, recipient, event) in self.subscribers.due() {
            let handled = recipient.send(event).into_actor(self);
            context.spawn(handled.map(move |result, buffer: &mut Self, context| {
                buffer.subscribers.handled(id, result);
                buffer.send_events(context);
            }));
        }
    }
}

fn level_of(is_misconfigured: bool) -> log::Level {
    match is_misconfigured {
        true => log::Level::Error,
        false => log::Level::Warn,
    }
}

/// A database's name for the log.
pub(super) fn shown(database: &Database) -> String {
    printable(&database.to_string(), LIMIT).into_owned()
}
