//! Opening the folder, with retries.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context};

use super::{MAX_NAME_LEN, RETRY_FAILING, list_names};
use crate::{
    SpoolState,
    actors::{
        buffer::BufferActor,
        messages::internal::{DiskResult, Task, TaskId},
    },
    logging,
    printable::{LIMIT, printable},
    spool::store::Listing,
};

/// Time between attempts to open a folder that another process uses.
const RETRY_IN_USE: Duration = Duration::from_millis(500);

impl BufferActor {
    pub(in crate::actors::buffer) fn open_spool(&mut self, context: &mut Context<Self>) {
        if let Some(spool) = &mut self.spool {
            let folder = spool.folder.clone();
            if !spool.disk.connected() {
                spool.disk = (spool.start_disk)();
            }
            self.ask_disk(TaskId::Open, Task::Open(folder), context);
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
                    let by = by.map(|id| format!(" ({})", printable(&id, MAX_NAME_LEN)));
                    logging::warning!(
                        "the spool {} is in use by another process{}: measurements stay in memory, \
                         and the spool is used once it is free",
                        spool.shown(),
                        by.unwrap_or_default()
                    );
                }
                self.open_later(RETRY_IN_USE, context);
            }
            DiskResult::Failed(error) => {
                self.spool_fails(&error.to_string(), now);
                self.open_later(RETRY_FAILING, context);
            }
            _ => {
                self.spool_fails("its thread has ended, or could not be started", now);
                self.open_later(RETRY_FAILING, context);
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

    /// Handles an answer that the folder is not open: logged when it was opened, unless the disk
    /// actor has died since.
    pub(super) fn not_open(&mut self, context: &mut Context<Self>) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        if std::mem::take(&mut spool.is_open) {
            self.spool_fails("its thread has ended, or could not be started", now);
            self.open_later(RETRY_FAILING, context);
        }
    }

    /// Notes that the spool can't be used; logged once until it works again.
    pub(super) fn spool_fails(&mut self, error: &str, now: Instant) {
        let Some(spool) = &mut self.spool else { return };
        let since = spool.fails.map_or(now, |(since, _)| since);
        if spool.fails.is_none() {
            logging::error!(
                "the spool {} can't be used, measurements stay in memory until a retry succeeds: {}",
                spool.shown(),
                printable(error, LIMIT)
            );
        }
        spool.fails = Some((since, now + RETRY_FAILING));
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

    /// Counts the files of earlier processes.
    fn recover(&mut self, listing: Listing) {
        let Some(spool) = &mut self.spool else { return };
        let shown = spool.shown();
        let (mut files, mut lines) = (0_usize, 0);
        for found in listing.files {
            // Known if the disk actor died and has opened the folder again.
            if spool.index.contains(&found.name) {
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
                "files in the spool {shown} are not spool files, they were renamed to end with .bad: {}",
                list_names(&listing.moved_aside)
            );
        }
        if !listing.left.is_empty() {
            logging::warning!(
                "files in the spool {shown} are not spool files, and could not be renamed: {}",
                list_names(&listing.left)
            );
        }
    }
}
