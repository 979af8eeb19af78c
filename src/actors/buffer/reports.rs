//! Flush and shutdown: what they cover, and their reports.

mod shutdown;

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context, SpawnHandle};
use futures_channel::oneshot;

use self::shutdown::ShuttingDown;
use super::{BufferActor, spool::Spool, undelivered::EndReason};
use crate::{
    FlushReport,
    delivery::{contacts::Contact, verdict::Verdict},
    stats::ledger::DispositionKind,
};

/// Flushes and a shutdown in progress.
#[derive(Debug, Default)]
pub(super) struct PendingReports {
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

/// How batches numbered below a mark have ended.
#[derive(Debug)]
struct Progress {
    mark: u64,
    /// Number of the write-ahead file that holds the last lines recorded before, until it is
    /// written and the mark can be set.
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

    fn settled(&mut self, number: u64, lines: u64, kind: DispositionKind) {
        if number < self.mark {
            match kind {
                DispositionKind::Written => self.written += lines,
                DispositionKind::Rejected => self.rejected += lines,
                DispositionKind::Dropped(_) => self.dropped += lines,
            }
        }
    }
}

impl PendingReports {
    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    pub(super) fn settled(&mut self, number: u64, lines: u64, kind: DispositionKind) {
        for progress in self.all() {
            progress.settled(number, lines, kind);
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Progress> {
        let flushes = self.flushes.iter_mut().map(|flush| &mut flush.progress);
        let shutdown = self.shutdown.iter_mut();
        flushes.chain(shutdown.map(|shutdown| &mut shutdown.progress))
    }
}

impl BufferActor {
    /// Sends all pending measurements. Answers when they are settled or after the timeout.
    pub(super) fn flush(
        &mut self,
        timeout: Duration,
        context: &mut Context<Self>,
    ) -> oneshot::Receiver<FlushReport> {
        let (answer, report) = oneshot::channel();
        let progress = self.begin(context);
        let id = self.reports.next_id;
        self.reports.next_id += 1;
        // The time spent so far counts: it may be long with very many databases.
        let left = timeout.saturating_sub(self.now().saturating_duration_since(progress.began));
        let deadline = context.run_later(left, move |buffer, _| {
            let flushes = &mut buffer.reports.flushes;
            if let Some(at) = flushes.iter().position(|flush| flush.id == id) {
                let flush = flushes.swap_remove(at);
                buffer.answer_flush(flush);
            }
        });
        self.reports.flushes.push(Flushing {
            id,
            progress,
            deadline,
            answer,
        });
        self.pump(context);
        report
    }

    fn begin(&mut self, context: &mut Context<Self>) -> Progress {
        let began = self.now();
        self.drain(context);
        let awaits = self.release_all(context);
        let mark = match awaits {
            // Until the mark is set, everything settled was recorded before.
            Some(_) => u64::MAX,
            None => self.dispatcher.seal_all(),
        };
        Progress {
            awaits,
            ..Progress::new(mark, began)
        }
    }

    /// Sets the marks of requests whose write-ahead files are in the backlog now.
    pub(super) fn set_marks(&mut self) {
        let unsealed = self.spool.as_ref().and_then(Spool::first_unsealed);
        let dispatcher = &mut self.dispatcher;
        let mut mark = None;
        for progress in self.reports.all() {
            let is_there = |last: u64| unsealed.is_none_or(|first| first > last);
            if progress.awaits.is_some_and(is_there) {
                progress.awaits = None;
                progress.mark = *mark.get_or_insert_with(|| dispatcher.seal_all());
            }
        }
    }

    /// Whether a shutdown has begun.
    pub(super) fn is_ending(&self) -> bool {
        self.reports.shutdown.is_some() || self.shared.end().is_some()
    }

    /// Whether undelivered batches are being written to disk.
    pub(super) fn is_saving(&self) -> bool {
        let shutdown = self.reports.shutdown.as_ref();
        shutdown.is_some_and(|shutdown| shutdown.saving.is_some())
    }

    /// Answers the flushes and the shutdown that are complete.
    pub(super) fn answer_waiting(&mut self, context: &mut Context<Self>) {
        let backlog = self.dispatcher.backlog();
        let spool = self.spool.as_ref();
        let is_done = |progress: &Progress| {
            progress.awaits.is_none()
                && backlog.is_settled_below(progress.mark)
                && !spool.is_some_and(|spool| spool.has_below(progress.mark))
        };
        let flushes = &mut self.reports.flushes;
        let done: Vec<_> = flushes
            .extract_if(.., |flush| is_done(&flush.progress))
            .collect();
        let shutdown = &self.reports.shutdown;
        let is_shut_down = shutdown
            .as_ref()
            .is_some_and(|shutdown| is_done(&shutdown.progress));
        for flush in done {
            context.cancel_future(flush.deadline);
            self.answer_flush(flush);
        }
        if is_shut_down {
            self.end_shutdown(EndReason::Settled, context);
        } else if self.goes_to_disk() {
            self.end_shutdown(EndReason::Unreachable, context);
        } else if self.contacts.end_early() {
            let attempts = self.contacts.attempts();
            self.end_shutdown(EndReason::NoServer { attempts }, context);
        }
    }

    fn answer_flush(&self, flush: Flushing) {
        let progress = flush.progress;
        // The caller may be gone.
        _ = flush.answer.send(FlushReport {
            written: progress.written,
            rejected: progress.rejected,
            dropped: progress.dropped,
            undelivered: self.dispatcher.backlog().unsettled_below(progress.mark) as u64
                + self.leaving_below(progress.mark, progress.awaits),
            spooled: self.spooled_below(progress.mark),
            elapsed: self.now().saturating_duration_since(progress.began),
        });
    }

    /// Notes whether a server answered the POST of `contact`.
    pub(super) fn note_contact(&mut self, contact: Contact, verdict: &Verdict) {
        match verdict {
            Verdict::Retry(retry) if retry.is_refused => self.contacts.refused(contact),
            // With or without a response, the connection was not refused.
            Verdict::Retry(_) => {}
            Verdict::Written | Verdict::Refused(_) | Verdict::TooLarge { .. } => {
                self.contacts.answered();
            }
        }
    }
}
