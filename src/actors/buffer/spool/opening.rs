//! The folder is opened, and tried again where that fails.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context};

use super::{NAME, TRY_FAILING, some_of};
use crate::{
    SpoolState,
    actors::{
        buffer::BufferActor,
        messages::internal::{DiskResult, Task, Work},
    },
    logging,
    printable::{LIMIT, printable},
    spool::store::Listing,
};

/// How often a folder is tried again that another process has.
const TRY_TAKEN: Duration = Duration::from_millis(500);

impl BufferActor {
    pub(in crate::actors::buffer) fn open_spool(&mut self, context: &mut Context<Self>) {
        if let Some(spool) = &mut self.spool {
            let folder = spool.folder.clone();
            if !spool.disk.connected() {
                spool.disk = (spool.start_disk)();
            }
            self.ask_disk(Work::Open, Task::Open(folder), context);
        }
    }

    pub(super) fn opened(&mut self, result: DiskResult, context: &mut Context<Self>) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        let before = std::mem::replace(&mut spool.state, SpoolState::Open);
        match result {
            DiskResult::Opened(listing) => {
                spool.is_open = true;
                if before != SpoolState::Opening {
                    logging::info!("the spool {} is in use from now on", spool.shown());
                }
                spool.fails = None;
                self.recover(listing);
            }
            DiskResult::Taken { by } => {
                spool.state = SpoolState::Taken;
                if before != SpoolState::Taken {
                    let by = by.map(|id| format!(" ({})", printable(&id, NAME)));
                    logging::warning!(
                        "the spool {} is in use by another process{}: measurements stay in memory, \
                         and the spool is taken when it is free",
                        spool.shown(),
                        by.unwrap_or_default()
                    );
                }
                self.open_later(TRY_TAKEN, context);
            }
            DiskResult::Failed(error) => {
                self.spool_fails(&error.to_string(), now);
                self.open_later(TRY_FAILING, context);
            }
            _ => {
                self.spool_fails("its thread has ended, or could not be started", now);
                self.open_later(TRY_FAILING, context);
            }
        }
    }

    pub(super) fn open_later(&mut self, after: Duration, context: &mut Context<Self>) {
        context.run_later(after, |buffer, context| {
            if !buffer.is_ending() {
                buffer.open_spool(context);
            }
        });
    }

    /// The disk actor has not the folder. That was told when it was opened, unless the actor has died
    /// since.
    pub(super) fn not_open(&mut self, context: &mut Context<Self>) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        if std::mem::take(&mut spool.is_open) {
            self.spool_fails("its thread has ended, or could not be started", now);
            self.open_later(TRY_FAILING, context);
        }
    }

    /// The spool can't be used: told once, until it can be again.
    pub(super) fn spool_fails(&mut self, error: &str, now: Instant) {
        let Some(spool) = &mut self.spool else { return };
        let since = spool.fails.map_or(now, |(since, _)| since);
        if spool.fails.is_none() {
            logging::error!(
                "the spool {} can't be used, it is tried again, and measurements stay in memory: {}",
                spool.shown(),
                printable(error, LIMIT)
            );
        }
        spool.fails = Some((since, now + TRY_FAILING));
        spool.state = SpoolState::Failing;
    }

    pub(super) fn spool_works(&mut self, now: Instant) {
        let Some(spool) = &mut self.spool else { return };
        spool.state = SpoolState::Open;
        if let Some((since, _)) = spool.fails.take() {
            logging::info!(
                "the spool {} can be used again, after {:.1?}",
                spool.shown(),
                now.saturating_duration_since(since)
            );
        }
    }

    /// Counts what earlier processes have left.
    fn recover(&mut self, listing: Listing) {
        let Some(spool) = &mut self.spool else { return };
        let shown = spool.shown();
        let (mut files, mut lines) = (0_usize, 0);
        for found in listing.files {
            // After the disk actor has died and opened the folder again.
            if spool.index.knows(&found.name) {
                continue;
            }
            files += 1;
            lines += found.name.lines;
            let number = self.dispatcher.take_number(true);
            self.shared.intake.ledger.recover(found.name.lines);
            spool.index.recover(found.name, found.bytes, number);
        }
        if files > 0 {
            logging::info!(
                "{lines} measurements of an earlier process are in {files} files of the spool {shown}"
            );
        }
        if !listing.moved_aside.is_empty() {
            logging::warning!(
                "files in the spool {shown} are none of a spool, they were renamed to end with .bad: {}",
                some_of(&listing.moved_aside)
            );
        }
        if !listing.left.is_empty() {
            logging::warning!(
                "files in the spool {shown} are none of a spool, and could not be renamed: {}",
                some_of(&listing.left)
            );
        }
    }
}
