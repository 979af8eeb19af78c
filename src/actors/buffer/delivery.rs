//! Sends what is due, and settles what comes back.

use std::ops::Range;

use actix::{AsyncContext as _, Context};

use super::{BufferActor, Isolated, Returned};
use crate::{
    Database, Delivery, DropReason,
    actors::{replay::Isolate, reply::Reply, writer::Write},
    backlog::{Fate, Lent, LoanId, Settled},
    breaker::Failure,
    isolate::{Fault, suspect},
    ledger::Settlement,
    verdict::{Retry, Scope, Verdict},
};

impl BufferActor {
    /// Lends batches to idle writers, as far as the breakers let it.
    pub(super) fn pump(&mut self, context: &mut Context<Self>) {
        while let Some(writer) = self.writers.take() {
            match self.lend() {
                Some(lent) => self.send(writer, lent, context),
                None => {
                    self.writers.put_back(writer);
                    break;
                }
            }
        }
        self.arm_reopening(context);
        self.answer_those_who_wait(context);
        self.send_events(context);
    }

    fn lend(&mut self) -> Option<Lent> {
        let (now, size) = (self.now(), self.writers.size());
        self.servers.lend(&mut self.backlog, size, now)
    }

    fn send(&mut self, writer: usize, lent: Lent, context: &mut Context<Self>) {
        let Lent {
            id: loan,
            database,
            lines,
            is_first,
        } = lent;
        if is_first && fastrand::f64() >= self.config.sample_probability {
            self.writers.put_back(writer);
            self.conclude(loan, |lines| {
                [(0..lines, Fate::Dropped(DropReason::Sampled))]
            });
            return;
        }
        let sent = self.servers.send(&database);
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
            endpoint: self.servers.current().clone(),
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
                    self.failed(&database, loan, &retry, context);
                    match self.suspect(loan, &retry) {
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
        let server = self.servers.of(sent);
        let closed = server.gate.succeed(database, sent.pass, now);
        let url = server.endpoint.to_string();
        self.tell_recovery(url, database, closed);
    }

    fn failed(
        &mut self,
        database: &Database,
        loan: LoanId,
        retry: &Retry,
        context: &mut Context<Self>,
    ) {
        let Some(sent) = self.sent.remove(&loan) else {
            return;
        };
        let failure = Failure {
            now: self.now(),
            random: fastrand::f64(),
            max_delay: self.config.max_retry_delay,
            not_before: retry.not_before,
        };
        let server = self.servers.of(sent);
        let opened = server.gate.fail(database, sent.pass, retry.scope, failure);
        let endpoint = server.endpoint.clone();
        self.servers.turn_from(sent);
        self.tell_failure(endpoint.to_string(), database, loan, retry, opened);
        if retry.scope == Scope::Database && self.config.create_database {
            self.create(endpoint, database.clone(), context);
        }
    }

    /// May the batch itself be the reason that it failed again?
    fn suspect(&mut self, loan: LoanId, retry: &Retry) -> Option<Fault> {
        let times = self.backlog.strike(loan, retry.oddity);
        let lines = self.backlog.lines(loan)?;
        suspect(
            retry.oddity?,
            times,
            lines.len(),
            lines.byte_len(),
            &retry.reason,
        )
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
            Some(runs) => self.conclude(loan, |_| runs),
            None => self.backlog.give_back(loan),
        }
        self.pump(context);
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
    }

    /// Sends again when the first breaker lets it, if a breaker is all that keeps it from that.
    fn arm_reopening(&mut self, context: &mut Context<Self>) {
        if let Some(reopening) = self.reopening.take() {
            context.cancel_future(reopening);
        }
        let now = self.now();
        let with_work = self.backlog.with_work();
        if let Some(at) = self.servers.opens_at(with_work).filter(|at| *at > now) {
            let reopening = context.run_later(at - now, |buffer, context| {
                buffer.reopening = None;
                buffer.pump(context);
            });
            self.reopening = Some(reopening);
        }
    }
}
