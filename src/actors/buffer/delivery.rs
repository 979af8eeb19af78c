//! Acts on the verdict of a POST, and enters how lines ended.

use std::time::Duration;

use actix::{AsyncContext as _, Context};

use super::BufferActor;
use crate::{
    BreakerState, Database, Delivery, DropReason, Rejection,
    actors::{
        messages::internal::{Isolate, Isolated, Returned},
        reply::Reply,
    },
    delivery::{
        backlog::{Disposition, LoanId, Origin, Settled},
        breakers::State,
        dispatcher::{Outcome, Terms},
        verdict::{Cause, Refusal, Retry, Verdict},
    },
    spool::index::Progress,
    stats::ledger::Settlement,
};

/// Delay of a batch whose isolation made the replay actor panic.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// What a verdict means for the file that the batch, perhaps of a single line, is from.
fn progress(verdict: &Verdict, is_single: bool) -> Progress {
    match verdict {
        Verdict::Written => Progress::Written,
        Verdict::Refused(refusal) if refusal.is_about_lines => Progress::LookedInto,
        Verdict::Refused(_) | Verdict::TooLarge { .. } => Progress::Kept {
            may_be_bad: is_single,
        },
        Verdict::Retry(retry) => Progress::Kept {
            may_be_bad: is_single && matches!(retry.cause, Cause::Unknown | Cause::Trouble),
        },
    }
}

impl BufferActor {
    pub(super) fn returned(&mut self, returned: Returned, context: &mut Context<Self>) {
        let Returned {
            loan,
            writer,
            contact,
            is_unusual,
            bytes,
            took,
            told,
            verdict,
        } = returned;
        let is_written = verdict == Verdict::Written;
        self.own.posts.ended(bytes, took, !is_written);
        self.hear(contact, &verdict);
        self.writers.put_back(writer);
        if let Some(endpoint) = self.dispatcher.endpoint(loan) {
            self.met(endpoint, told, is_unusual, &verdict, context);
        }
        if let Some(database) = self.dispatcher.backlog().database(loan).cloned() {
            self.act(loan, database, verdict, context);
        }
        self.pump(context);
    }

    fn act(
        &mut self,
        loan: LoanId,
        database: Database,
        verdict: Verdict,
        context: &mut Context<Self>,
    ) {
        let (now, terms) = (self.now(), self.terms());
        let backlog = self.dispatcher.backlog();
        let is_single = backlog.lines(loan).is_some_and(|lines| lines.len() == 1);
        let progress = progress(&verdict, is_single);
        let file = backlog.loaded_from(loan);
        match verdict {
            Verdict::Written => {
                self.creations.forget(&database);
                let timeout = self.config.request_timeout;
                let outcome = self.dispatcher.written(loan, now, timeout);
                if let Some(endpoint) = outcome.endpoint {
                    self.shared.health.written(endpoint, &database);
                    self.tell_arrival(endpoint, &database, &outcome);
                }
                self.succeeded(&database, outcome, context);
            }
            Verdict::Refused(refusal) if refusal.is_about_lines => {
                let outcome = self.dispatcher.answered(loan, now);
                self.succeeded(&database, outcome, context);
                self.isolate(loan, refusal, context);
            }
            Verdict::Refused(refusal) => {
                let outcome = self.dispatcher.refused(loan, &refusal, terms);
                let retry = Retry::refused(&refusal);
                self.failed(&database, &retry, outcome, context);
            }
            Verdict::TooLarge { reason, status } => {
                let outcome = self.dispatcher.too_large(loan, &reason, terms);
                let retry = Retry {
                    status: Some(status),
                    ..Retry::too_large(&reason)
                };
                self.failed(&database, &retry, outcome, context);
            }
            Verdict::Retry(retry) => {
                let outcome = self.dispatcher.failed(loan, &retry, terms);
                self.failed(&database, &retry, outcome, context);
            }
        }
        if let (Some(spool), Some(file)) = (&mut self.spool, file) {
            spool.index.came_of(file, progress);
        }
        self.note_on_disk(&database, context);
    }

    fn terms(&self) -> Terms {
        Terms {
            now: self.now(),
            random: fastrand::f64(),
            max_delay: self.config.max_retry_delay,
        }
    }

    /// The server has answered for the database, so it works.
    fn succeeded(&mut self, database: &Database, outcome: Outcome, context: &mut Context<Self>) {
        let Outcome {
            settled,
            closed,
            endpoint,
            ..
        } = outcome;
        if let Some(endpoint) = endpoint {
            self.tell_recovery(endpoint, database, &closed, true, context);
        }
        settled.into_iter().for_each(|run| self.settle(run, None));
        self.show_states(endpoint, database);
    }

    fn failed(
        &mut self,
        database: &Database,
        retry: &Retry,
        outcome: Outcome,
        context: &mut Context<Self>,
    ) {
        let Outcome {
            settled,
            opened,
            closed,
            endpoint,
            counts,
            is_kept,
        } = outcome;
        if let Some(endpoint) = endpoint {
            let health = &self.shared.health;
            health.failed(endpoint, database, retry.failure());
            self.tell_recovery(endpoint, database, &closed, false, context);
            if counts {
                self.tell_failure(endpoint, database, retry, opened, context);
            }
            if retry.misses_database && self.config.create_database && opened.counts {
                let to = self.endpoints[endpoint].clone();
                self.create(to, database.clone(), context);
            }
        }
        if let Some(measurements) = is_kept {
            self.tell_retry(database, measurements, retry);
        }
        let status = retry.status;
        settled.into_iter().for_each(|run| self.settle(run, status));
        self.show_states(endpoint, database);
    }

    /// Enters the breakers' states for [`Stats`](crate::Stats).
    fn show_states(&self, endpoint: Option<usize>, database: &Database) {
        let state = |is_open| match is_open {
            true => BreakerState::Open,
            false => BreakerState::Closed,
        };
        let breakers = self.dispatcher.breakers();
        if let Some(endpoint) = endpoint {
            let there = state(breakers.endpoint_outage(endpoint).is_some());
            let own = state(breakers.state(database) != State::Ready);
            self.shared
                .health
                .set_states((endpoint, there), database, own);
        }
    }

    fn isolate(&mut self, loan: LoanId, refusal: Refusal, context: &mut Context<Self>) {
        let Some(lines) = self.dispatcher.backlog().lines(loan).cloned() else {
            return;
        };
        if !self.replay.connected() {
            self.replay = (self.start_replay)();
        }
        let lost = Isolated { loan, found: None };
        self.replay.do_send(Isolate {
            lines,
            refusal,
            reply: Reply::new(context.address().recipient(), lost),
        });
    }

    pub(super) fn isolated(&mut self, isolated: Isolated, context: &mut Context<Self>) {
        let Isolated { loan, found } = isolated;
        match found {
            Some((named, refusal)) => {
                let outcome = self.dispatcher.named(loan, named, &refusal, self.now());
                let status = Some(refusal.status);
                let settled = outcome.settled.into_iter();
                settled.for_each(|run| self.settle(run, status));
                self.pump(context);
            }
            // Tried again, but not at once: the same batch may make the replay actor panic again.
            None => {
                _ = context.run_later(AFTER_A_PANIC, move |buffer, context| {
                    buffer.dispatcher.give_back(loan, buffer.now());
                    buffer.pump(context);
                })
            }
        }
    }

    /// Enters in the ledger what has left the backlog, and notifies log, subscribers and tickets.
    /// `status` is that of the response which rejected it.
    pub(super) fn settle(&mut self, settled: Settled, status: Option<u16>) {
        let Settled {
            database,
            batch,
            number,
            origin,
            disposition,
        } = settled;
        let measurements = batch.lines.len();
        let (settlement, delivery) = match &disposition {
            Disposition::Written => (Settlement::Written, Delivery::Written),
            Disposition::Rejected { reason } => {
                let reason = Rejection::new(status, reason.clone());
                self.shared.health.rejected(&database, &reason);
                (Settlement::Rejected, Delivery::Rejected { reason })
            }
            Disposition::Dropped(reason) => {
                let settlement = Settlement::Dropped(*reason);
                let reason = DropReason::from(*reason);
                (settlement, Delivery::Dropped { reason })
            }
        };
        let intake = &self.shared.intake;
        // The ledger first, or the room would be taken again before the ledger shows it.
        intake.ledger.settle(measurements, settlement);
        self.shared
            .health
            .settled(&database, measurements, settlement);
        if origin != Origin::Loaded {
            intake.release(&database, measurements, batch.lines.byte_len());
        }
        for (_, ticket) in batch.tickets {
            ticket.answer(delivery.clone());
        }
        self.waiting
            .settled(number, measurements as u64, settlement);
        let backlog = self.dispatcher.backlog();
        if self.outages.forget_if_idle(&database, backlog) {
            self.shared.health.database_is_idle(&database);
        }
        if !self.creations.is_empty() && !backlog.has(&database) {
            self.creations.forget(&database);
        }
        if let Disposition::Rejected { reason } = &disposition {
            self.log_rejected(&database, &batch.lines, reason);
        }
        self.tell_end(database, &batch.lines, delivery);
        self.shared.intake.pool.keep(batch.lines);
    }
}
