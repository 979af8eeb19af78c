//! Flush and shutdown: who waits for which measurements, and the reports.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use actix::{AsyncContext as _, Context, SpawnHandle};
use futures_channel::oneshot;

use super::{
    BufferActor,
    spool::{LAST_TRY, Spool, time_for_the_disk},
    undelivered::{self, End, LastFailure, Undelivered},
};
use crate::{
    Database, FlushReport, ShutdownReport,
    actors::messages::internal,
    batch::Lines,
    delivery::{contacts::Contact, verdict::Verdict},
    logging,
    stats::{ledger::Settlement, reason::GivenUp},
};

/// How often a shutdown logs what it still waits for.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Minimum time for the disk, after all other time is used up.
const LAST_WRITES: Duration = Duration::from_millis(150);

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
    /// Set while what was not delivered goes to disk.
    saving: Option<End>,
    answers: Vec<oneshot::Sender<ShutdownReport>>,
}

/// How the batches that are numbered below a mark have ended.
#[derive(Debug)]
struct Progress {
    mark: u64,
    /// The file that holds the last of what was recorded before, while it is being written: the mark
    /// is set when it is.
    awaits: Option<u64>,
    began: Instant,
    written: u64,
    rejected: u64,
    dropped: u64,
}

impl Progress {
    fn new(mark: u64, began: Instant) -> Self {
        Self {
            mark,
            awaits: None,
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
        for progress in self.all() {
            progress.settled(number, lines, settlement);
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Progress> {
        let flushes = self.flushes.iter_mut().map(|flush| &mut flush.progress);
        let shutdown = self.shutdown.iter_mut();
        flushes.chain(shutdown.map(|shutdown| &mut shutdown.progress))
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
        let can_save = self.can_save();
        let left = match can_save {
            true => left.saturating_sub(time_for_the_disk(timeout)),
            false => left,
        };
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
            saving: None,
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
        if can_save {
            context.run_later(LAST_TRY, |buffer, context| buffer.pump(context));
        }
        self.pump(context);
        report
    }

    fn begin(&mut self, context: &mut Context<Self>) -> Progress {
        let began = self.now();
        self.drain(context);
        let awaits = self.release_all(context);
        let mark = match awaits {
            // All that is settled until it is set was recorded before.
            Some(_) => u64::MAX,
            None => self.dispatcher.seal_all(),
        };
        Progress {
            awaits,
            ..Progress::new(mark, began)
        }
    }

    /// Sets the marks of those who wait for what was written ahead, and is in the backlog now.
    pub(super) fn set_marks(&mut self) {
        let unsealed = self.spool.as_ref().and_then(Spool::first_unsealed);
        let dispatcher = &mut self.dispatcher;
        let mut mark = None;
        for progress in self.waiting.all() {
            let is_there = |last: u64| unsealed.is_none_or(|first| first > last);
            if progress.awaits.is_some_and(is_there) {
                progress.awaits = None;
                progress.mark = *mark.get_or_insert_with(|| dispatcher.seal_all());
            }
        }
    }

    /// Has a shutdown begun?
    pub(super) fn is_ending(&self) -> bool {
        self.waiting.shutdown.is_some() || self.shared.end().is_some()
    }

    /// Is what could not be delivered on its way to the disk?
    pub(super) fn is_saving(&self) -> bool {
        let shutdown = self.waiting.shutdown.as_ref();
        shutdown.is_some_and(|shutdown| shutdown.saving.is_some())
    }

    /// Answers the flushes and the shutdown for which nothing is pending any more.
    pub(super) fn answer_those_who_wait(&mut self, context: &mut Context<Self>) {
        let backlog = self.dispatcher.backlog();
        let spool = self.spool.as_ref();
        let is_done = |progress: &Progress| {
            progress.awaits.is_none()
                && backlog.is_settled_below(progress.mark)
                && !spool.is_some_and(|spool| spool.has_below(progress.mark))
        };
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
        } else if self.goes_to_disk() {
            self.end_shutdown(End::NothingGoes, context);
        } else if self.contacts.end_early() {
            let attempts = self.contacts.attempts();
            self.end_shutdown(End::NoServer { attempts }, context);
        }
    }

    /// Whether a shutdown need not wait any longer: what is in memory can go to disk, and nowhere else.
    fn goes_to_disk(&self) -> bool {
        let began = self.waiting.shutdown.as_ref().map(|own| own.progress.began);
        self.can_save() && began.is_some_and(|began| self.is_stuck(began, self.now()))
    }

    fn answer_flush(&self, flush: Flushing) {
        let progress = flush.progress;
        // The caller may be gone.
        _ = flush.answer.send(FlushReport {
            written: progress.written,
            rejected: progress.rejected,
            dropped: progress.dropped,
            undelivered: self.dispatcher.backlog().unsettled_below(progress.mark) as u64
                + self.on_the_way_below(progress.mark, progress.awaits),
            spooled: self.spooled_below(progress.mark),
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
        let Some(shutdown) = self.waiting.shutdown.as_ref() else {
            return;
        };
        if shutdown.saving.is_some() {
            return;
        }
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

    /// Puts what was not delivered on disk, if that is possible, and ends.
    fn end_shutdown(&mut self, end: End, context: &mut Context<Self>) {
        let (now, can_save) = (self.now(), self.can_save());
        let Some(shutdown) = &mut self.waiting.shutdown else {
            return;
        };
        if shutdown.saving.is_some() {
            return;
        }
        shutdown.saving = Some(end);
        if !can_save {
            return self.finish_shutdown(context);
        }
        context.cancel_future(shutdown.deadline);
        let left = shutdown
            .ends
            .map_or(Duration::MAX, |ends| ends.saturating_duration_since(now));
        let left = left.clamp(LAST_WRITES, time_for_the_disk(Duration::MAX));
        shutdown.deadline = context.run_later(left, |buffer, context| {
            buffer.finish_shutdown(context);
        });
        self.save(context);
    }

    pub(super) fn finish_shutdown(&mut self, context: &mut Context<Self>) {
        let Some(shutdown) = self.waiting.shutdown.take() else {
            return;
        };
        context.cancel_future(shutdown.deadline);
        context.cancel_future(shutdown.telling);
        for flush in std::mem::take(&mut self.waiting.flushes) {
            self.answer_flush(flush);
        }
        let ShuttingDown {
            progress,
            answers,
            saving,
            ..
        } = shutdown;
        let report = self.set_end(saving.unwrap_or(End::Settled), progress);
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

    /// Gives up what is still pending and not on disk, and keeps the report for later calls.
    fn set_end(&mut self, end: End, progress: Progress) -> ShutdownReport {
        let unsaved = self.take_unsaved();
        let mut counts: BTreeMap<Database, usize> = BTreeMap::new();
        let mut lines: Vec<(Database, Lines)> = Vec::new();
        for taken in unsaved {
            *counts.entry(taken.database.clone()).or_default() += taken.batch.lines.len();
            lines.push((taken.database.clone(), taken.batch.lines.clone()));
            self.give_up_taken(taken, GivenUp::Undelivered);
        }
        self.show_spool();
        let stats = self.shared.stats();
        let report = ShutdownReport {
            written: progress.written,
            rejected: progress.rejected,
            dropped: progress.dropped,
            undelivered: lines.iter().map(|(_, lines)| lines.len() as u64).sum(),
            spooled: stats.places.spooled,
            elapsed: self.now().saturating_duration_since(progress.began),
            stats: self.shared.stats_of_the_end(),
            lines,
        };
        let stats = &report.stats;
        match (report.undelivered, self.spool_folder()) {
            (0, Some(folder)) if report.spooled > 0 => {
                logging::info!("{}", undelivered::spooled(stats, &folder));
            }
            (0, _) => logging::info!("{}", undelivered::complete(stats)),
            _ => {
                let undelivered =
                    Undelivered::of(counts.iter().map(|(name, count)| (name, *count)));
                let (url, failure) = (self.servers(), self.last_failure());
                let text = undelivered::lost(end, &undelivered, &url, failure.as_ref(), stats);
                logging::error!("{text}");
            }
        }
        self.shared.set_end(report.clone());
        report
    }
}
