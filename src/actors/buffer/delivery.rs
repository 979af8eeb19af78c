//! Acts on the verdict of a POST, and settles lines.

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
        backlog::{Disposition, LeaseId, Origin, Settled},
        breakers::State,
        dispatcher::{Outcome, RetryTiming},
        verdict::{Cause, Refusal, Retry, Verdict},
    },
    spool::index::Progress,
    stats::ledger::DispositionKind,
};

/// Delay of a batch that made the replay actor panic.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// What a verdict means for the file that the batch, perhaps of a single line, is from.
fn progress(verdict: &Verdict, is_single: bool) -> Progress {
    match verdict {
        Verdict::Written => Progress::Written,
        Verdict::Refused(refusal) if refusal.is_about_lines => Progress::Isolating,
        Verdict::Refused(_) | Verdict::TooLarge { .. } => Progress::Kept {
            may_be_bad: is_single,
        },
        Verdict::Retry(retry) => Progress::Kept {
            may_be_bad: is_single && matches!(retry.cause, Cause::Unknown | Cause::ServerFault),
        },
    }
}

impl BufferActor {
    pub(super) fn returned(&mut self, returned: Returned, context: &mut Context<Self>) {
        let Returned {
            lease,
            writer,
            contact,
            is_unusual,
            bytes,
            took,
            identification,
            verdict,
        } = returned;
        let is_written = verdict == Verdict::Written;
        self.self_measuring.posts.ended(bytes, took, !is_written);
        self.note_contact(contact, &verdict);
        self.writers.put_back(writer);
        if let Some(endpoint) = self.dispatcher.endpoint(lease) {
            self.identify(endpoint, identification, is_unusual, &verdict, context);
        }
        if let Some(database) = self.dispatcher.backlog().database(lease).cloned() {
            self.act(lease, database, verdict, context);
        }
        self.pump(context);
    }

    fn act(
        &mut self,
        lease: LeaseId,
        database: Database,
        verdict: Verdict,
        context: &mut Context<Self>,
    ) {
        let (now, timing) = (self.now(), self.timing());
        let backlog = self.dispatcher.backlog();
        let is_single = backlog.lines(lease).is_some_and(|lines| lines.len() == 1);
        let progress = progress(&verdict, is_single);
        let file = backlog.loaded_from(lease);
        match verdict {
            Verdict::Written => {
                self.creations.forget(&database);
                let timeout = self.config.request_timeout;
                let outcome = self.dispatcher.written(lease, now, timeout);
                if let Some(endpoint) = outcome.endpoint {
                    self.shared.health.written(endpoint, &database);
                    self.log_arrival(endpoint, &database, &outcome);
                }
                self.succeeded(&database, outcome, context);
            }
            Verdict::Refused(refusal) if refusal.is_about_lines => {
                let outcome = self.dispatcher.answered(lease, now);
                self.succeeded(&database, outcome, context);
                self.isolate(lease, refusal, context);
            }
            Verdict::Refused(refusal) => {
                let outcome = self.dispatcher.refused(lease, &refusal, timing);
                let retry = Retry::refused(&refusal);
                self.failed(&database, &retry, outcome, context);
            }
            Verdict::TooLarge { reason, status } => {
                let outcome = self.dispatcher.too_large(lease, &reason, timing);
                let retry = Retry {
                    status: Some(status),
                    ..Retry::too_large(&reason)
                };
                self.failed(&database, &retry, outcome, context);
            }
            Verdict::Retry(retry) => {
                let outcome = self.dispatcher.failed(lease, &retry, timing);
                self.failed(&database, &retry, outcome, context);
            }
        }
        if let (Some(spool), Some(file)) = (&mut self.spool, file) {
            spool.index.note_progress(file, progress);
        }
        self.note_on_disk(&database, context);
    }

    fn timing(&self) -> RetryTiming {
        RetryTiming {
            now: self.now(),
            random: fastrand::f64(),
            max_delay: self.config.max_retry_delay,
        }
    }

    /// Handles a response that shows that the database works.
    fn succeeded(&mut self, database: &Database, outcome: Outcome, context: &mut Context<Self>) {
        let Outcome {
            settled,
            closed,
            endpoint,
            ..
        } = outcome;
        if let Some(endpoint) = endpoint {
            self.notify_recovery(endpoint, database, &closed, true, context);
        }
        settled.into_iter().for_each(|run| self.settle(run, None));
        self.publish_states(endpoint, database);
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
            kept_lines,
        } = outcome;
        if let Some(endpoint) = endpoint {
            let health = &self.shared.health;
            health.failed(endpoint, database, retry.failure());
            self.notify_recovery(endpoint, database, &closed, false, context);
            if counts {
                self.notify_failure(endpoint, database, retry, opened, context);
            }
            if retry.is_database_missing && self.config.create_database && opened.counts {
                let to = self.endpoints[endpoint].clone();
                self.create(to, database.clone(), context);
            }
        }
        if let Some(measurements) = kept_lines {
            self.notify_retry(database, measurements, retry);
        }
        let status = retry.status;
        settled.into_iter().for_each(|run| self.settle(run, status));
        self.publish_states(endpoint, database);
    }

    /// Publishes the breakers' states for [`Stats`](crate::Stats).
    fn publish_states(&self, endpoint: Option<usize>, database: &Database) {
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

    fn isolate(&mut self, lease: LeaseId, refusal: Refusal, context: &mut Context<Self>) {
        let Some(lines) = self.dispatcher.backlog().lines(lease).cloned() else {
            return;
        };
        if !self.replay.connected() {
            self.replay = (self.start_replay)();
        }
        let lost = Isolated { lease, found: None };
        self.replay.do_send(Isolate {
            lines,
            refusal,
            reply: Reply::new(context.address().recipient(), lost),
        });
    }

    pub(super) fn isolated(&mut self, isolated: Isolated, context: &mut Context<Self>) {
        let Isolated { lease, found } = isolated;
        match found {
            Some((named, refusal)) => {
                let outcome = self.dispatcher.named(lease, named, &refusal, self.now());
                let status = Some(refusal.status);
                let settled = outcome.settled.into_iter();
                settled.for_each(|run| self.settle(run, status));
                self.pump(context);
            }
            // Delayed, as the same batch may make the replay actor panic again.
            None => {
                _ = context.run_later(AFTER_A_PANIC, move |buffer, context| {
                    buffer.dispatcher.requeue(lease, buffer.now());
                    buffer.pump(context);
                })
            }
        }
    }

    /// Counts settled lines in the ledger, and notifies log, subscribers and tickets. `status` is
    /// that of the response that rejected them.
    pub(super) fn settle(&mut self, settled: Settled, status: Option<u16>) {
        let Settled {
            database,
            batch,
            number,
            origin,
            disposition,
        } = settled;
        let measurements = batch.lines.len();
        let (kind, delivery) = match &disposition {
            Disposition::Written => (DispositionKind::Written, Delivery::Written),
            Disposition::Rejected { reason } => {
                let reason = Rejection::new(status, reason.clone());
                self.shared.health.rejected(&database, &reason);
                (DispositionKind::Rejected, Delivery::Rejected { reason })
            }
            Disposition::Dropped(reason) => {
                let kind = DispositionKind::Dropped(*reason);
                let reason = DropReason::from(*reason);
                (kind, Delivery::Dropped { reason })
            }
        };
        let intake = &self.shared.intake;
        // The ledger first: otherwise others could take the room before the ledger shows it.
        intake.ledger.settle(measurements, kind);
        self.shared.health.settled(&database, measurements, kind);
        if origin != Origin::Loaded {
            intake.release(&database, measurements, batch.lines.byte_len());
        }
        for (_, ticket) in batch.tickets {
            ticket.answer(delivery.clone());
        }
        self.reports.settled(number, measurements as u64, kind);
        let backlog = self.dispatcher.backlog();
        if self.outages.forget_if_idle(&database, backlog) {
            self.shared.health.database_is_idle(&database);
        }
        if !self.creations.is_empty() && !backlog.has_unsettled(&database) {
            self.creations.forget(&database);
        }
        if let Disposition::Rejected { reason } = &disposition {
            self.log_rejected(&database, &batch.lines, reason);
        }
        self.notify_settled(database, &batch.lines, delivery);
        self.shared.intake.pool.keep(batch.lines);
    }
}
