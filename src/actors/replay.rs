//! Finds the bad lines of batches that the server rejected.
//!
//! It owns no batch: [`Isolate`] lends it one, and what it finds goes back through the message's
//! [`Reply`], also if this actor dies. What is to be sent again takes its turn in the buffer
//! actor's queues, so an isolation survives everything that a batch survives.

use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};

use super::{buffer::Isolated, log_limit::LogLimit, reply::Reply};
use crate::{
    Database,
    batch::Lines,
    delivery::backlog::Fate,
    delivery::isolation::{Fault, isolate},
    logging,
};

/// Find out which of these lines are bad. The answer goes to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Isolate {
    pub(crate) database: Database,
    pub(crate) lines: Lines,
    pub(crate) fault: Fault,
    pub(crate) reply: Reply<Isolated>,
}

/// How many rejected lines are logged in [`LOG_WINDOW`].
const LOG_LINES: u32 = 10;
const LOG_WINDOW: Duration = Duration::from_secs(10);

/// How much of a rejected line is logged, in characters.
const LOG_LENGTH: usize = 300;

pub(crate) struct ReplayActor {
    limit: LogLimit,
    /// Set while lines are held back.
    summary: Option<SpawnHandle>,
}

impl Default for ReplayActor {
    fn default() -> Self {
        Self {
            limit: LogLimit::new(LOG_LINES, LOG_WINDOW),
            summary: None,
        }
    }
}

impl ReplayActor {
    fn isolate(&mut self, message: Isolate, context: &mut Context<Self>) {
        let Isolate {
            database,
            lines,
            fault,
            reply,
        } = message;
        let runs = isolate(&lines, fault);
        for (run, fate) in &runs {
            if let Fate::Rejected { reason } = fate {
                for line in run.clone() {
                    self.log(&database, lines.line(line), reason, context);
                }
            }
        }
        reply.send(|lost| Isolated {
            runs: Some(runs),
            ..lost
        });
    }

    fn log(&mut self, database: &Database, line: &[u8], reason: &str, context: &mut Context<Self>) {
        if let Some(shown) = self.limit.ask(Instant::now()) {
            let rejected = describe(line, reason);
            logging::error!("database {database} rejected a measurement {rejected}");
            self.log_held_back(shown.held_back);
        } else if self.summary.is_none() {
            let summary = context.run_later(self.limit.window(), |replay, _| {
                replay.summary = None;
                let held_back = replay.limit.take_held_back();
                replay.log_held_back(held_back);
            });
            self.summary = Some(summary);
        }
    }

    fn log_held_back(&self, held_back: u64) {
        if held_back > 0 {
            logging::error!(
                "{held_back} more measurements were rejected and are not logged one by one"
            );
        }
    }
}

impl Actor for ReplayActor {
    type Context = Context<Self>;
}

impl Handler<Isolate> for ReplayActor {
    type Result = ();

    fn handle(&mut self, message: Isolate, context: &mut Self::Context) {
        self.isolate(message, context);
    }
}

/// Reason and line on one line: strangers may have chosen what stands in both (a server quotes the
/// line, raw), and must not be able to write lines of the log.
fn describe(line: &[u8], reason: &str) -> String {
    let line = String::from_utf8_lossy(line);
    let start: String = line.chars().take(LOG_LENGTH).collect();
    let more = if start.len() < line.len() { "…" } else { "" };
    format!("({}): {start:?}{more}", reason.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_line_with_newlines_is_one_line_of_the_log() {
        assert_eq!(
            describe(
                b"m s=\"a\nERROR forged\" x\n",
                "unable to parse 'm s=\"a\nERROR forged\" x'"
            ),
            r#"(unable to parse \'m s=\"a\nERROR forged\" x\'): "m s=\"a\nERROR forged\" x\n""#
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        let described = describe("ä".repeat(LOG_LENGTH + 1).as_bytes(), "r");
        assert_eq!(described, format!("(r): \"{}\"…", "ä".repeat(LOG_LENGTH)));
    }
}
