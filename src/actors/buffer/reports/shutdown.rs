//! Shutdown: waits for pending measurements, writes the others to disk, and reports.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use actix::{AsyncContext as _, Context, SpawnHandle};
use futures_channel::oneshot;

use super::Progress;
use crate::{
    Database, ShutdownReport,
    actors::{
        buffer::{
            BufferActor,
            spool::{LAST_TRY, disk_time},
            undelivered::{self, EndReason, LastFailure, Undelivered},
        },
        messages::internal,
    },
    batch::Lines,
    logging,
    stats::reason::LossReason,
};

/// Time between log lines of a shutdown in progress.
const LOG_EVERY: Duration = Duration::from_secs(2);

/// Minimum time for the disk, even if the timeout has passed.
const LAST_WRITES: Duration = Duration::from_millis(150);

#[derive(Debug)]
pub(in crate::actors::buffer) struct ShuttingDown {
    pub(super) progress: Progress,
    deadline: SpawnHandle,
    notifications: SpawnHandle,
    ends: Option<Instant>,
    /// Set while undelivered batches are written to disk.
    pub(super) saving: Option<EndReason>,
    answers: Vec<oneshot::Sender<ShutdownReport>>,
}

impl BufferActor {
    /// Stops recording. Ends when nothing is pending or after the timeout. A second call waits for
    /// the first.
    pub(in crate::actors::buffer) fn shut_down(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> oneshot::Receiver<ShutdownReport> {
        let (answer, report) = oneshot::channel();
        if let Some(ended) = self.shared.end() {
            _ = answer.send(ended);
            return report;
        }
        if let Some(shutdown) = &mut self.reports.shutdown {
            shutdown.answers.push(answer);
            return report;
        }
        self.stop_self_measuring(context);
        self.shared.close();
        let progress = self.begin(context);
        let left = timeout.saturating_sub(self.now().saturating_duration_since(progress.began));
        let can_save = self.can_save();
        let left = match can_save {
            true => left.saturating_sub(disk_time(timeout)),
            false => left,
        };
        let deadline = context.run_later(left, |buffer, context| {
            buffer.end_shutdown(EndReason::TimedOut, context)
        });
        let notifications = context.run_interval(LOG_EVERY, |buffer, _| buffer.log_progress());
        self.contacts
            .shut_down(self.config.urls().map_or(1, |urls| urls.len()));
        self.reports.shutdown = Some(ShuttingDown {
            ends: progress.began.checked_add(timeout),
            progress,
            deadline,
            notifications,
            saving: None,
            answers: vec![answer],
        });
        let pending = self.dispatcher.backlog().unsettled_below(u64::MAX);
        if pending > 0 {
            logging::info!(
                "shutting down: delivering {pending} pending measurements, for {timeout:?} at most"
            );
        }
        // Without this, a breaker might close only after the timeout.
        let now = self.now();
        self.dispatcher.retry_now(now);
        if can_save {
            context.run_later(LAST_TRY, |buffer, context| buffer.pump(context));
        }
        self.pump(context);
        report
    }

    /// Whether a shutdown can end now, because pending lines can go to disk and nowhere else.
    pub(super) fn goes_to_disk(&self) -> bool {
        let began = self.reports.shutdown.as_ref().map(|own| own.progress.began);
        self.can_save() && began.is_some_and(|began| self.is_stuck(began, self.now()))
    }

    fn log_progress(&self) {
        let Some(shutdown) = self.reports.shutdown.as_ref() else {
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

    /// Why measurements are still pending: the last failure without a success since, or the fault
    /// of the database with the most pending lines.
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

    /// Writes undelivered batches to disk, if possible, and ends.
    pub(super) fn end_shutdown(&mut self, end: EndReason, context: &mut Context<Self>) {
        let (now, can_save) = (self.now(), self.can_save());
        let Some(shutdown) = &mut self.reports.shutdown else {
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
        let left = left.clamp(LAST_WRITES, disk_time(Duration::MAX));
        shutdown.deadline = context.run_later(left, |buffer, context| {
            buffer.finish_shutdown(context);
        });
        self.save(context);
    }

    pub(in crate::actors::buffer) fn finish_shutdown(&mut self, context: &mut Context<Self>) {
        let Some(shutdown) = self.reports.shutdown.take() else {
            return;
        };
        context.cancel_future(shutdown.deadline);
        context.cancel_future(shutdown.notifications);
        for flush in std::mem::take(&mut self.reports.flushes) {
            self.answer_flush(flush);
        }
        let ShuttingDown {
            progress,
            answers,
            saving,
            ..
        } = shutdown;
        let report = self.set_end(saving.unwrap_or(EndReason::Settled), progress);
        for answer in answers {
            _ = answer.send(report.clone());
        }
        self.send_events(context);
        // After the messages in the mailbox, and one turn of the runtime after the answers.
        context.notify(internal::End);
    }

    /// Ends without a shutdown: the actor panicked or its thread was stopped.
    pub(in crate::actors::buffer) fn end_unexpectedly(&mut self) {
        self.shared.close();
        for (database, batch) in self.shared.intake.drain() {
            self.shared.health.admitted(&database, batch.len());
            self.dispatcher.add(database, batch, self.now());
        }
        for flush in std::mem::take(&mut self.reports.flushes) {
            self.answer_flush(flush);
        }
        let shutdown = self.reports.shutdown.take();
        let (progress, answers) = match shutdown {
            Some(shutdown) => (shutdown.progress, shutdown.answers),
            None => (Progress::new(0, self.now()), Vec::new()),
        };
        let report = self.set_end(EndReason::Unexpected, progress);
        for answer in answers {
            _ = answer.send(report.clone());
        }
    }

    /// Drops what is still pending and not on disk, and keeps the report for later calls.
    fn set_end(&mut self, end: EndReason, progress: Progress) -> ShutdownReport {
        let unsaved = self.take_unsaved();
        let mut counts: BTreeMap<Database, usize> = BTreeMap::new();
        let mut lines: Vec<(Database, Lines)> = Vec::new();
        for taken in unsaved {
            *counts.entry(taken.database.clone()).or_default() += taken.batch.lines.len();
            lines.push((taken.database.clone(), taken.batch.lines.clone()));
            self.drop_leftover(taken, LossReason::Undelivered);
        }
        self.publish_spool();
        let stats = self.shared.stats();
        let report = ShutdownReport {
            written: progress.written,
            rejected: progress.rejected,
            dropped: progress.dropped,
            undelivered: lines.iter().map(|(_, lines)| lines.len() as u64).sum(),
            spooled: stats.places.spooled,
            elapsed: self.now().saturating_duration_since(progress.began),
            stats: self.shared.final_stats(),
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
