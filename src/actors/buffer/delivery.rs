//! Sends what is due, and settles what comes back.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use actix::{AsyncContext as _, Context};

use super::{BufferActor, Isolated, Returned, servers::ServerId};
use crate::{
    Database, Delivery, DropReason,
    actors::{replay::Isolate, reply::Reply, writer::Write},
    delivery::backlog::{Fate, Lent, LoanId, Settled},
    delivery::breaker::Failure,
    delivery::isolation::{Fault, Odd, suspect},
    delivery::verdict::{Retry, Scope, Verdict},
    ledger::Settlement,
};

/// How long a batch waits whose isolation has made the replay actor panic.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

impl BufferActor {
    /// Lends batches to idle writers, as far as the breakers let it.
    pub(super) fn pump(&mut self, context: &mut Context<Self>) {
        // One time for all that follows: what may not be sent at it has to be waited for.
        let now = self.now();
        while let Some(writer) = self.writers.take() {
            let size = self.writers.size();
            match self.servers.lend(&mut self.backlog, size, now) {
                Some((lent, _)) if lent.is_first && !self.draws() => {
                    self.writers.put_back(writer);
                    self.conclude(lent.id, |lines| {
                        [(0..lines, Fate::Dropped(DropReason::Sampled))]
                    });
                }
                Some((lent, server)) => self.send(writer, lent, server, context),
                None => {
                    self.writers.put_back(writer);
                    break;
                }
            }
        }
        self.arm_reopening(now, context);
        self.answer_those_who_wait(context);
        self.send_events(context);
    }

    /// Is a batch drawn for sending?
    fn draws(&self) -> bool {
        fastrand::f64() < self.config.sample_probability
    }

    fn send(&mut self, writer: usize, lent: Lent, server: ServerId, context: &mut Context<Self>) {
        let Lent {
            id: loan,
            database,
            lines,
            ..
        } = lent;
        let sent = self.servers.send(server, &database);
        self.sent.insert(loan, sent);
        let lost = Returned {
            loan,
            writer,
            verdict: Verdict::Retry(Retry::new(
                Scope::Database,
                "the writer ended before the server had answered".to_owned(),
            )),
        };
        let write = Write {
            endpoint: self.servers.of(&sent).endpoint.clone(),
            database,
            body: lines.body(),
            timeout: self.config.request_timeout,
            reply: Reply::new(context.address().recipient(), lost),
        };
        self.writers.send(writer, write);
    }

    pub(super) fn returned(&mut self, returned: Returned, context: &mut Context<Self>) {
        let Returned {
            loan,
            writer,
            verdict,
        } = returned;
        self.writers.put_back(writer);
        if let Some(database) = self.backlog.database(loan).cloned() {
            match verdict {
                Verdict::Written => {
                    self.succeeded(&database, loan);
                    self.conclude(loan, |lines| [(0..lines, Fate::Written)]);
                }
                Verdict::Rejected { reason } => {
                    self.succeeded(&database, loan);
                    self.isolate(database, loan, Fault::Rejected { reason }, context);
                }
                Verdict::TooLarge { reason } => {
                    self.succeeded(&database, loan);
                    self.isolate(database, loan, Fault::TooLarge { reason }, context);
                }
                Verdict::Retry(retry) => {
                    let answers = self.failed(&database, loan, &retry, context);
                    match self.suspect(loan, &retry, answers) {
                        Some(fault) => self.isolate(database, loan, fault, context),
                        None => self.backlog.give_back(loan),
                    }
                }
            }
        }
        self.pump(context);
    }

    fn succeeded(&mut self, database: &Database, loan: LoanId) {
        let now = self.now();
        let Some(sent) = self.sent.remove(&loan) else {
            return;
        };
        let server = self.servers.of(&sent);
        server.answers += 1;
        let closed = server.gate.succeed(database, sent.pass, now);
        if closed.endpoint.is_some() || closed.database.is_some() {
            let url = server.endpoint.to_string();
            self.tell_recovery(url, database, closed);
        }
    }

    /// Says how many readable answers the server has given, ever.
    fn failed(
        &mut self,
        database: &Database,
        loan: LoanId,
        retry: &Retry,
        context: &mut Context<Self>,
    ) -> u64 {
        let Some(sent) = self.sent.remove(&loan) else {
            return 0;
        };
        let failure = Failure {
            now: self.now(),
            random: fastrand::f64(),
            max_delay: self.config.max_retry_delay,
            not_before: retry.not_before,
        };
        let server = self.servers.of(&sent);
        let opened = server.gate.fail(database, sent.pass, retry.scope, failure);
        let (endpoint, answers) = (server.endpoint.clone(), server.answers);
        self.tell_failure(endpoint.to_string(), database, loan, retry, opened);
        if retry.misses_database && self.config.create_database && opened.counts {
            let is_first = opened.database;
            self.create(endpoint, database.clone(), is_first, context);
        }
        answers
    }

    /// May the batch itself be the reason that it failed again?
    fn suspect(&mut self, loan: LoanId, retry: &Retry, answers: u64) -> Option<Fault> {
        let (times, server_answers) = self.backlog.strike(loan, retry.oddity, answers);
        let lines = self.backlog.lines(loan)?;
        suspect(Odd {
            oddity: retry.oddity?,
            times,
            server_answers,
            lines: lines.len(),
            bytes: lines.byte_len(),
            reason: &retry.reason,
        })
    }

    fn isolate(
        &mut self,
        database: Database,
        loan: LoanId,
        fault: Fault,
        context: &mut Context<Self>,
    ) {
        let Some(lines) = self.backlog.lines(loan).cloned() else {
            return;
        };
        if !self.replay.connected() {
            self.replay = (self.start_replay)();
        }
        let lost = Isolated { loan, runs: None };
        self.replay.do_send(Isolate {
            database,
            lines,
            fault,
            reply: Reply::new(context.address().recipient(), lost),
        });
    }

    pub(super) fn isolated(&mut self, isolated: Isolated, context: &mut Context<Self>) {
        let Isolated { loan, runs } = isolated;
        match runs {
            Some(runs) => {
                self.conclude(loan, |_| runs);
                self.pump(context);
            }
            // It is tried again, but not at once: what made the replay actor panic may do so again.
            None => {
                _ = context.run_later(AFTER_A_PANIC, move |buffer, context| {
                    buffer.backlog.give_back(loan);
                    buffer.pump(context);
                })
            }
        }
    }

    fn conclude<I>(&mut self, loan: LoanId, runs: impl FnOnce(usize) -> I)
    where
        I: IntoIterator<Item = (Range<usize>, Fate)>,
    {
        let Some(lines) = self.backlog.lines(loan).map(|lines| lines.len()) else {
            return;
        };
        for settled in self.backlog.conclude(loan, runs(lines)) {
            self.settle(settled);
        }
    }

    /// Enters in the ledger what has left the backlog, and tells all who want to know.
    pub(super) fn settle(&mut self, settled: Settled) {
        let Settled {
            database,
            batch,
            number,
            fate,
        } = settled;
        let measurements = batch.lines.len();
        let (settlement, delivery) = match &fate {
            Fate::Written => (Settlement::Written, Delivery::Written),
            Fate::Rejected { reason } => {
                let reason = reason.clone();
                (Settlement::Rejected, Delivery::Rejected { reason })
            }
            Fate::Dropped(reason) => {
                let settlement = Settlement::Dropped(*reason);
                let reason = reason.to_string();
                (settlement, Delivery::Dropped { reason })
            }
            // The backlog settles nothing whose fate is open.
            Fate::Unknown | Fate::Remains => return,
        };
        let intake = &self.shared.intake;
        // In this order, or the room would be taken again before the ledger shows it.
        intake.ledger.settle(measurements, settlement);
        intake.gauge.release(measurements, batch.lines.byte_len());
        for (_, ticket) in batch.tickets {
            ticket.answer(delivery.clone());
        }
        self.waiting
            .settled(number, measurements as u64, settlement);
        if !self.backlog.has(&database) {
            self.servers.each().for_each(|gate| gate.forget(&database));
        }
        self.tell_end(database, &batch.lines, fate);
        self.shared.intake.spares.keep(batch.lines);
    }

    /// Sends again when the first breaker lets it, if a breaker is all that keeps it from that.
    fn arm_reopening(&mut self, now: Instant, context: &mut Context<Self>) {
        if let Some(reopening) = self.reopening.take() {
            context.cancel_future(reopening);
        }
        let with_work = self.backlog.with_work();
        if let Some(at) = self.servers.opens_at(with_work, now) {
            let reopening = context.run_later(at - now, |buffer, context| {
                buffer.reopening = None;
                buffer.pump(context);
            });
            self.reopening = Some(reopening);
        }
    }
}
