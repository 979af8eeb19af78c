//! Tells the log and the subscribers: the log once per change, the subscribers everything.

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};

use super::BufferActor;
use crate::{
    Api, Database, Event,
    batch::Lines,
    delivery::backlog::{Fate, LoanId},
    delivery::breaker::Recovery,
    delivery::gate::{Closed, Opened},
    delivery::verdict::{Retry, Scope},
    logging,
};

impl BufferActor {
    /// A breaker has closed.
    pub(super) fn tell_recovery(&mut self, url: String, database: &Database, closed: Closed) {
        if let Some(Recovery { after, attempts }) = closed.endpoint {
            logging::info!(
                "{url} takes measurements again, after {after:.1?} and {attempts} failed attempts"
            );
            self.subscribers.push(Event::EndpointUp {
                url: url.clone(),
                after,
                attempts,
            });
        }
        if let Some(Recovery { after, attempts }) = closed.database {
            logging::info!(
                "{url} takes measurements of database {database} again, after {after:.1?} and \
                 {attempts} failed attempts"
            );
        }
        self.alarms.misconfigured = false;
    }

    pub(super) fn tell_failure(
        &mut self,
        url: String,
        database: &Database,
        loan: LoanId,
        retry: &Retry,
        opened: Opened,
    ) {
        let reason = shortened(&retry.reason);
        // A configuration fault waits for somebody to mend it: that is worth more than a warning,
        // also if it follows on another fault.
        let is_news = retry.is_misconfigured && !self.alarms.misconfigured;
        self.alarms.misconfigured |= retry.is_misconfigured;
        let level = match retry.is_misconfigured {
            true => log::Level::Error,
            false => log::Level::Warn,
        };
        if opened.endpoint || (is_news && retry.scope == Scope::Endpoint) {
            logging::log_at!(
                level,
                "{url} does not take measurements, they are kept: {reason}"
            );
        } else if opened.database || is_news {
            logging::log_at!(
                level,
                "{url} does not take measurements of database {database}, they are kept: \
                 {reason}{}",
                self.remedy(retry)
            );
        }
        if opened.endpoint {
            self.subscribers.push(Event::EndpointDown {
                url,
                reason: reason.clone(),
            });
        }
        let measurements = self.backlog.lines(loan).map_or(0, Lines::len);
        self.subscribers.push(Event::Retrying {
            database: database.clone(),
            measurements,
            reason,
        });
    }

    fn remedy(&self, retry: &Retry) -> &'static str {
        let is_missing = retry.is_misconfigured && retry.scope == Scope::Database;
        match (is_missing, self.config.api, self.config.create_database) {
            (true, Api::V1, false) => " (create it, or set create_database)",
            (true, Api::V2 | Api::V3, _) => " (create it)",
            _ => "",
        }
    }

    pub(super) fn tell_end(&mut self, database: Database, lines: &Lines, fate: Fate) {
        if self.subscribers.is_empty() {
            return;
        }
        let measurements = lines.len();
        match fate {
            Fate::Written => self.subscribers.push(Event::Written {
                database,
                measurements,
            }),
            Fate::Rejected { reason } => {
                for line in lines.iter() {
                    let line = String::from_utf8_lossy(line);
                    self.subscribers.push(Event::Rejected {
                        database: database.clone(),
                        line: line.trim_end_matches('\n').to_owned(),
                        reason: reason.clone(),
                    });
                }
            }
            Fate::Dropped(reason) => self.subscribers.push(Event::Dropped {
                database,
                measurements,
                reason,
            }),
            Fate::Unknown | Fate::Remains => {}
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

/// A reason for the log, on one line: some servers answer with whole pages.
fn shortened(reason: &str) -> String {
    const MOST: usize = 500;
    let one_line = |char: char| if char.is_control() { ' ' } else { char };
    let mut short: String = reason.chars().take(MOST).map(one_line).collect();
    if short.len() < reason.len() {
        short.push('…');
    }
    short
}
