//! Flush and shutdown: who waits for which measurements, and the reports.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context, SpawnHandle};
use futures_channel::oneshot;

use super::{
    BufferActor,
    undelivered::{self, End, LastFailure, Undelivered},
};
use crate::{
    Database, FlushReport, ShutdownReport,
    actors::messages::internal,
    batch::{Batch, Lines},
    delivery::{
        backlog::{Disposition, Settled},
        contacts::Contact,
        verdict::Verdict,
    },
    logging,
    stats::{ledger::Settlement, reason::GivenUp},
};

/// How often a shutdown logs what it still waits for.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Flushes and a shutdown that are under way.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    flushes: Vec<Flushing>,
    shutdown: Option<ShuttingDown>,
    next_id: u64,
}

#[derive(Debug)]
struct Flushing {
    id: u64,
    progress: Progress,
    deadline: SpawnHandle,
    answer: oneshot::Sender<FlushReport>,
}

#[derive(Debug)]
struct ShuttingDown {
    progress: Progress,
    deadline: SpawnHandle,
    telling: SpawnHandle,
    ends: Option<Instant>,
    answers: Vec<oneshot::Sender<ShutdownReport>>,
}

/// How the batches that are numbered below a mark have ended.
#[derive(Debug)]
struct Progress {
    mark: u64,
    began: Instant,
    written: u64,
    rejected: u64,
    dropped: u64,
}

impl Progress {
    fn new(mark: u64, began: Instant) -> Self {
        Self {
            mark,
            began,
            written: 0,
            rejected: 0,
            dropped: 0,
        }
    }

    fn settled(&mut self, number: u64, lines: u64, settlement: Settlement) {
        if number < self.mark {
            match settlement {
                Settlement::Written => self.written += lines,
                Settlement::Rejected => self.rejected += lines,
                Settlement::Dropped(_) => self.dropped += lines,
            }
        }
    }
}

impl Waiting {
    pub(super) fn is_for_the_end(&self) -> bool {
        self.shutdown.is_some()
    }

    pub(super) fn settled(&mut self, number: u64, lines: u64, settlement: Settlement) {
        let flushes = self.flushes.iter_mut().map(|flush| &mut flush.progress);
        let shutdown = self
            .shutdown
            .as_mut()
            .map(|shutdown| &mut shutdown.progress);
        for progress in flushes.chain(shutdown) {
            progress.settled(number, lines, settlement);
        }
    }
}

impl BufferActor {
    /// Sends all that is pending, and answers when it has ended or the timeout has passed.
    pub(super) fn flush(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> oneshot::Receiver<FlushReport> {
        let (answer, report) = oneshot::channel();
        let progress = self.begin(context);
        let id = self.waiting.next_id;
        self.waiting.next_id += 1;
        // What was done so far counts: with very many databases it takes its time.
        let left = timeout.saturating_sub(self.now().saturating_duration_since(progress.began));
        let deadline = context.run_later(left, move |buffer, _| {
            let flushes = &mut buffer.waiting.flushes;
            if let Some(at) = flushes.iter().position(|flush| flush.id == id) {
                let flush = flushes.swap_remove(at);
                buffer.answer_flush(flush);
            }
        });
        self.waiting.flushes.push(Flushing {
            id,
            progress,
            deadline,
            answer,
        });
        self.pump(context);
        report
    }

    /// Stops recording, and ends when nothing is pending or the timeout has passed. A second call waits
    /// for the end of the first.
    pub(super) fn shut_down(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> oneshot::Receiver<ShutdownReport> {
        let (answer, report) = oneshot::channel();
        if let Some(ended) = self.shared.end() {
            _ = answer.send(ended);
            return report;
        }
        if let Some(shutdown) = &mut self.waiting.shutdown {
            shutdown.answers.push(answer);
            return report;
        }
        self.stop_self_measuring(context);
        self.shared.close();
        let progress = self.begin(context);
        let left = timeout.saturating_sub(self.now().saturating_duration_since(progress.began));
        let deadline = context.run_later(left, |buffer, context| {
            buffer.end_shutdown(End::TimeIsUp, context)
        });
        let telling = context.run_interval(TELL_EVERY, |buffer, _| buffer.tell_what_is_awaited());
        self.contacts
            .shut_down(self.config.urls().map_or(1, |urls| urls.len()));
        self.waiting.shutdown = Some(ShuttingDown {
            ends: progress.began.checked_add(timeout),
            progress,
            deadline,
            telling,
            answers: vec![answer],
        });
        let pending = self.dispatcher.backlog().unsettled_below(u64::MAX);
        if pending > 0 {
            logging::info!(
                "shutting down: delivering {pending} pending measurements, for {timeout:?} at most"
            );
        }
        // A breaker that closes after the timeout is no help.
        let now = self.now();
        self.dispatcher.retry_now(now);
        self.pump(context);
        report
    }

    fn begin(&mut self, context: &mut Context<Self>) -> Progress {
        let began = self.now();
        self.drain(context);
        Progress::new(self.dispatcher.seal_all(), began)
    }

    /// Answers the flushes and the shutdown for which nothing is pending any more.
    pub(super) fn answer_those_who_wait(&mut self, context: &mut Context<Self>) {
        let backlog = self.dispatcher.backlog();
        let is_done = |progress: &Progress| backlog.is_settled_below(progress.mark);
        let flushes = &mut self.waiting.flushes;
        let done: Vec<_> = flushes
            .extract_if(.., |flush| is_done(&flush.progress))
            .collect();
        let shutdown = &self.waiting.shutdown;
        let is_shut_down = shutdown
            .as_ref()
            .is_some_and(|shutdown| is_done(&shutdown.progress));
        for flush in done {
            context.cancel_future(flush.deadline);
            self.answer_flush(flush);
        }
        if is_shut_down {
            self.end_shutdown(End::Settled, context);
        } else if self.contacts.end_early() {
            let attempts = self.contacts.attempts();
            self.end_shutdown(End::NoServer { attempts }, context);
        }
    }

    fn answer_flush(&self, flush: Flushing) {
        let progress = flush.progress;
        // The caller may be gone.
        _ = flush.answer.send(FlushReport {
            written: progress.written,
            rejected: progress.rejected,
            dropped: progress.dropped,
            undelivered: self.dispatcher.backlog().unsettled_below(progress.mark) as u64,
            elapsed: self.now().saturating_duration_since(progress.began),
        });
    }

    /// Notes whether there is a server, from the verdict on the POST of `contact`.
    pub(super) fn hear(&mut self, contact: Contact, verdict: &Verdict) {
        match verdict {
            Verdict::Retry(retry) if retry.is_refused => self.contacts.refused(contact),
            // With or without a response: the connection was not refused.
            Verdict::Retry(_) => {}
            Verdict::Written | Verdict::Refused(_) | Verdict::TooLarge { .. } => {
                self.contacts.answered();
            }
        }
    }

    fn tell_what_is_awaited(&self) {
        let Some(shutdown) = &self.waiting.shutdown else {
            return;
        };
        let undelivered = Undelivered::of(self.dispatcher.backlog().databases());
        let left = shutdown.ends.map_or(Duration::MAX, |ends| {
            ends.saturating_duration_since(self.now())
        });
        let failure = self.last_failure();
        let url = self.servers();
        let text = undelivered::still_waiting(&undelivered, left, &url, failure.as_ref());
        match failure {
            Some(_) => logging::warning!("{text}"),
            None => logging::info!("{text}"),
        }
    }

    /// Base URLs of all servers, for the log.
    fn servers(&self) -> String {
        let urls: Vec<_> = self.endpoints.iter().map(ToString::to_string).collect();
        urls.join(" or ")
    }

    /// Why pending measurements are not delivered yet: the last failure without a success since, or
    /// the fault of the database with the most pending measurements.
    fn last_failure(&self) -> Option<LastFailure> {
        if let Some((url, failure)) = self.shared.health.last_failure() {
            let reason = failure.reason.message;
            return Some(LastFailure { url, reason });
        }
        let backlog = self.dispatcher.backlog();
        let (_, database, outage) = self
            .outages
            .databases(|database| backlog.pending(database))?;
        Some(LastFailure {
            url: self.servers(),
            reason: format!("{} (database {database})", outage.reason),
        })
    }

    fn end_shutdown(&mut self, end: End, context: &mut Context<Self>) {
        let Some(shutdown) = self.waiting.shutdown.take() else {
            return;
        };
        context.cancel_future(shutdown.deadline);
        context.cancel_future(shutdown.telling);
        for flush in std::mem::take(&mut self.waiting.flushes) {
            self.answer_flush(flush);
        }
        let ShuttingDown {
            progress, answers, ..
        } = shutdown;
        let report = self.set_end(end, progress);
        for answer in answers {
            _ = answer.send(report.clone());
        }
        self.send_events(context);
        // Behind the messages in the mailbox, and a turn of the runtime after the answers.
        context.notify(internal::End);
    }

    /// Ends where there was no shutdown: the actor panicked or its thread was stopped.
    pub(super) fn end_unexpectedly(&mut self) {
        self.shared.close();
        for (database, batch) in self.shared.intake.drain() {
            self.shared.health.admitted(&database, batch.len());
            self.dispatcher.add(database, batch, self.now());
        }
        for flush in std::mem::take(&mut self.waiting.flushes) {
            self.answer_flush(flush);
        }
        let shutdown = self.waiting.shutdown.take();
        let (progress, answers) = match shutdown {
            Some(shutdown) => (shutdown.progress, shutdown.answers),
            None => (Progress::new(0, self.now()), Vec::new()),
        };
        let report = self.set_end(End::Unexpected, progress);
        for answer in answers {
            _ = answer.send(report.clone());
        }
    }

    /// Gives up what is still pending, and keeps the report for later calls.
    fn set_end(&mut self, end: End, progress: Progress) -> ShutdownReport {
        let undelivered = Undelivered::of(self.dispatcher.backlog().databases());
        let lines = self.give_up();
        let report = ShutdownReport {
            written: progress.written,
            rejected: progress.rejected,
            dropped: progress.dropped,
            undelivered: lines.iter().map(|(_, lines)| lines.len() as u64).sum(),
            elapsed: self.now().saturating_duration_since(progress.began),
            stats: self.shared.stats_of_the_end(),
            lines,
        };
        let stats = &report.stats;
        if report.undelivered == 0 {
            logging::info!("{}", undelivered::complete(stats));
        } else {
            let url = self.servers();
            let failure = self.last_failure();
            let text = undelivered::lost(end, &undelivered, &url, failure.as_ref(), stats);
            logging::error!("{text}");
        }
        self.shared.set_end(report.clone());
        report
    }

    /// Drops all that is pending as undelivered.
    fn give_up(&mut self) -> Vec<(Database, Lines)> {
        let all = self.dispatcher.take_all();
        let give_up = |(database, number, batch): (Database, u64, Batch)| {
            let lines = batch.lines.clone();
            let settled = Settled {
                database: database.clone(),
                batch,
                number,
                disposition: Disposition::Dropped(GivenUp::Undelivered),
            };
            self.settle(settled, None);
            (database, lines)
        };
        all.into_iter().map(give_up).collect()
    }
}
