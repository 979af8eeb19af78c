//! Loading: files are read back and sent, the oldest first, beside live data.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context};

use super::instant;
use crate::{
    Api, Precision, SpoolState,
    actors::{
        buffer::BufferActor,
        messages::internal::{DiskResult, Task, TaskId},
    },
    batch::Batch,
    delivery::{
        backlog::{FileId, Origin, SealedBatch},
        retry_history::RetryHistory,
    },
    logging,
    printable::{LIMIT, printable},
    spool::{format::Section, name::FileName, store::LoadError},
    stats::reason::LossReason,
};

/// Pause after a file could not be read.
const AFTER_A_FAILURE: Duration = Duration::from_secs(2);

impl BufferActor {
    /// Loads the next files, if the servers accept measurements.
    pub(in crate::actors::buffer) fn load_files(
        &mut self,
        now: Instant,
        context: &mut Context<Self>,
    ) {
        let breakers = self.dispatcher.breakers();
        let is_in_service = breakers.any_in_service();
        let nothing_else = self.dispatcher.backlog().oldest().is_none();
        let Some(spool) = &mut self.spool else { return };
        if !spool.is_open || spool.state == SpoolState::Opening || !spool.index.has_next() {
            return;
        }
        if let Some(from) = spool.load_from.filter(|from| *from > now) {
            return self.arm_load(from, now, context);
        }
        if !is_in_service {
            // Batches in memory probe the servers; if there are none, one file does.
            match nothing_else && !spool.index.is_loading() {
                false => return,
                true if !breakers.admits_any(now) => {
                    if let Some(at) = breakers.next_probe_at() {
                        self.arm_load(at, now, context);
                    }
                    return;
                }
                true => {}
            }
        }
        let at_most = if is_in_service { usize::MAX } else { 1 };
        let mut next = Vec::new();
        while let Some(file) = spool.index.next(at_most) {
            next.push(file);
            if !is_in_service {
                break;
            }
        }
        for (file, name) in next {
            self.ask_disk(TaskId::Load(file), Task::Load(name), context);
        }
    }

    /// When the newest line of the oldest file was recorded.
    pub(in crate::actors::buffer) fn oldest_file(&self, now: Instant) -> Option<Instant> {
        let oldest = self.spool.as_ref()?.index.oldest()?;
        Some(instant(oldest, now))
    }

    fn arm_load(&mut self, at: Instant, now: Instant, context: &mut Context<Self>) {
        let Some(spool) = &mut self.spool else { return };
        if spool.load.is_some_and(|(armed, _)| armed == at) {
            return;
        }
        if let Some((_, load)) = spool.load.take() {
            context.cancel_future(load);
        }
        let left = at.saturating_duration_since(now);
        let load = context.run_later(left, |buffer, context| {
            if let Some(spool) = &mut buffer.spool {
                spool.load = None;
            }
            buffer.pump(context);
        });
        spool.load = Some((at, load));
    }

    pub(super) fn loaded(&mut self, file: FileId, result: DiskResult, context: &mut Context<Self>) {
        let now = self.now();
        let is_lost = matches!(
            result,
            DiskResult::NotLoaded(LoadError::Damaged(_) | LoadError::Gone)
        );
        // At shutdown, files stay in place; but a lost one is gone.
        if self.shared.end().is_some() || (self.is_saving() && !is_lost) {
            return;
        }
        let Some(spool) = &mut self.spool else { return };
        let Some(name) = spool.index.name(file).cloned() else {
            return;
        };
        match result {
            DiskResult::Loaded(sections) => self.take_sections(file, &name, sections, context),
            DiskResult::NotLoaded(error @ (LoadError::Damaged(_) | LoadError::Gone)) => {
                let aside = match error {
                    LoadError::Gone => "",
                    _ => ", it was renamed to end with .bad",
                };
                logging::warning!(
                    "file {name} of the spool {} can't be read, its {} measurements are counted as \
                     dropped{aside}: {error}",
                    spool.shown(),
                    name.lines
                );
                if let Some(entry) = spool.index.remove(file) {
                    self.drop_file(entry, LossReason::SpoolDamaged);
                }
            }
            DiskResult::NotLoaded(LoadError::NotForThisBuild(reason)) => {
                self.leave_file(file, &name, &reason, true);
            }
            DiskResult::NotLoaded(LoadError::Io(error)) => {
                spool.load_from = Some(now + AFTER_A_FAILURE);
                self.leave_file(file, &name, &error.to_string(), false);
            }
            _ => {
                spool.load_from = Some(now + AFTER_A_FAILURE);
                spool.index.not_loaded(file, false);
                self.not_open(context);
            }
        }
    }

    /// Leaves an unreadable file in place, for good or for a while.
    fn leave_file(&mut self, file: FileId, name: &FileName, reason: &str, for_good: bool) {
        let Some(spool) = &mut self.spool else { return };
        if spool.index.not_loaded(file, for_good) && !spool.unreadable_logged {
            spool.unreadable_logged = true;
            logging::error!(
                "file {name} of the spool {} can't be read, it stays in place with its {} measurements \
                 (like others of its kind): {}",
                spool.shown(),
                name.lines,
                printable(reason, LIMIT)
            );
        }
    }

    /// Adds a file's lines to the backlog.
    fn take_sections(
        &mut self,
        file: FileId,
        name: &FileName,
        sections: Vec<Section>,
        context: &mut Context<Self>,
    ) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        let Some(spooled_batches) = spool.index.loaded(file, sections.len()) else {
            return;
        };
        self.shared.intake.ledger.load(name.lines);
        let newest = instant(name.time(), now);
        let mut spooled_batches = spooled_batches.into_iter();
        let mut databases = Vec::new();
        for section in sections {
            let Section {
                database,
                precision,
                mut lines,
            } = section;
            // Servers differ in API v1's name for microseconds.
            if precision == Precision::Microseconds && self.config.api == Api::V1 {
                lines = lines.in_nanoseconds();
            }
            let (number, history, tickets) = match spooled_batches.next() {
                Some(spooled) => (Some(spooled.number), spooled.history, spooled.tickets),
                None => {
                    let health = &self.shared.health;
                    health.admitted(&database, lines.len());
                    (None, RetryHistory::default(), Vec::new())
                }
            };
            if databases.last() != Some(&database) {
                databases.push(database.clone());
            }
            let sealed = SealedBatch {
                database,
                batch: Batch { lines, tickets },
                origin: Origin::Loaded,
                number,
                history,
                files: vec![file],
                newest,
            };
            self.dispatcher.add_sealed(sealed, now);
        }
        // Those that are known to fail don't wait for their next probe to be told so.
        for database in databases {
            self.note_on_disk(&database, context);
        }
    }
}
