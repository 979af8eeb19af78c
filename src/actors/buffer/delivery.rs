//! Sends what is due, and settles what comes back.

use std::ops::Range;

use actix::{AsyncContext as _, Context};

use super::{BufferActor, Isolated, Returned};
use crate::{
    Database, Delivery,
    actors::{replay::Isolate, reply::Reply, writer::Write},
    backlog::{Fate, Lent, LoanId, Settled},
    breaker::{Failure, Recovery},
    gate::{Closed, Opened, Scope},
    isolate::Fault,
    ledger::Settlement,
    verdict::{Retry, Verdict},
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
    }

    fn lend(&mut self) -> Option<Lent> {
        let (now, size) = (self.now(), self.writers.size());
        let Self { backlog, gate, .. } = self;
        // A probe of the endpoint is better not a batch that may fail for its database's sake.
        let trusted = |database: &Database| gate.allows(database, now) && gate.trusts(database);
        let allowed = |database: &Database| gate.allows(database, now);
        match gate.is_open() {
            true => backlog
                .lend(size, trusted)
                .or_else(|| backlog.lend(size, allowed)),
            false => backlog.lend(size, allowed),
        }
    }

    fn send(&mut self, writer: usize, lent: Lent, context: &mut Context<Self>) {
        let Lent {
            id: loan,
            database,
            lines,
        } = lent;
        let pass = self.gate.send(&database);
        self.passes.insert(loan, pass);
        let lost = Returned {
            loan,
            writer,
            verdict: Verdict::Retry(Retry::new(
                Scope::Database,
                "the writer ended before the server had answered".to_owned(),
            )),
        };
        let write = Write {
            endpoint: self.endpoint.clone(),
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
                Verdict::Retry(retry) => self.failed(&database, loan, retry),
            }
        }
        self.pump(context);
    }

    fn succeeded(&mut self, database: &Database, loan: LoanId) {
        let now = self.now();
        if let Some(pass) = self.passes.remove(&loan) {
            let Closed {
                endpoint,
                database: own,
            } = self.gate.succeed(database, pass, now);
            let log = |what: &dyn std::fmt::Display, recovery: Option<Recovery>| {
                if let Some(Recovery { after, attempts }) = recovery {
                    log::info!(
                        "{what} takes measurements again, after {after:.1?} and {attempts} failed attempts"
                    );
                }
            };
            log(&self.endpoint, endpoint);
            log(database, own);
        }
    }

    fn failed(&mut self, database: &Database, loan: LoanId, retry: Retry) {
        self.backlog.give_back(loan);
        let Some(pass) = self.passes.remove(&loan) else {
            return;
        };
        let failure = Failure {
            now: self.now(),
            random: fastrand::f64(),
            max_delay: self.config.max_retry_delay,
            not_before: retry.not_before,
        };
        let reason = &retry.reason;
        let opened = self.gate.fail(database, pass, retry.scope, failure);
        // A configuration fault waits for somebody: that is worth more than a warning.
        let level = match retry.is_misconfigured {
            true => log::Level::Error,
            false => log::Level::Warn,
        };
        let Opened {
            endpoint,
            database: own,
        } = opened;
        if endpoint {
            let url = &self.endpoint;
            log::log!(
                level,
                "{url} does not take measurements, they are kept: {reason}"
            );
        } else if own {
            let url = &self.endpoint;
            log::log!(
                level,
                "{url} does not take measurements of {database}, they are kept: {reason}"
            );
        }
        if self.gate.is_open() {
            self.endpoint = self.endpoint.next();
        }
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

    fn settle(&mut self, settled: Settled) {
        let Settled {
            database,
            batch,
            number,
            fate,
        } = settled;
        let (settlement, delivery) = match fate {
            Fate::Written => (Settlement::Written, Delivery::Written),
            Fate::Rejected { reason } => (Settlement::Rejected, Delivery::Rejected { reason }),
            // The backlog settles nothing that is unknown.
            Fate::Unknown => return,
        };
        let lines = batch.lines.len();
        let intake = &self.shared.intake;
        intake.gauge.release(lines, batch.lines.byte_len());
        intake.ledger.settle(lines, settlement);
        for (_, ticket) in batch.tickets {
            ticket.answer(delivery.clone());
        }
        self.waiting.settled(number, lines as u64, settlement);
        if !self.backlog.has(&database) {
            self.gate.forget(&database);
        }
    }

    /// Sends again when the first breaker lets it, if a breaker is all that keeps it from that.
    fn arm_reopening(&mut self, context: &mut Context<Self>) {
        if let Some(reopening) = self.reopening.take() {
            context.cancel_future(reopening);
        }
        let now = self.now();
        let with_work = self.backlog.with_work();
        if let Some(at) = self.gate.opens_at(with_work).filter(|at| *at > now) {
            let reopening = context.run_later(at - now, |buffer, context| {
                buffer.reopening = None;
                buffer.pump(context);
            });
            self.reopening = Some(reopening);
        }
    }
}
