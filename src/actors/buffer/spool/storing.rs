//! Writing batches to disk, without waiting for a disk that hangs.

use std::{
    io,
    time::{Duration, SystemTime},
};

use actix::{AsyncContext as _, Context};

use super::{Storing, Writing, size_of_section};
use crate::{
    actors::{
        buffer::BufferActor,
        messages::internal::{DiskResult, Task, TaskId},
    },
    spool::format::Section,
};

/// A disk that takes longer than this for a file is considered hung.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

impl BufferActor {
    /// Writes batches into one file.
    pub(super) fn store(
        &mut self,
        sections: Vec<Section>,
        newest: SystemTime,
        storing: Storing,
        context: &mut Context<Self>,
    ) -> u64 {
        let Some(spool) = &mut self.spool else {
            return 0;
        };
        let number = spool.next_store;
        spool.next_store += 1;
        let bytes = sections.iter().map(size_of_section).sum::<usize>() as u64;
        spool.storing.insert(number, Writing { storing, bytes });
        spool.reserved += bytes;
        let reserved = spool.reserved;
        self.make_room_on_disk(reserved, context);
        if !self.has_room_on_disk(reserved) {
            let used_up =
                "spool_max_bytes is used up by files whose measurements are in memory too";
            let result = DiskResult::Failed(io::Error::other(used_up));
            self.stored(number, result, context);
            return number;
        }
        let task = Task::Store { sections, newest };
        self.ask_disk(TaskId::Store(number), task, context);
        self.watch_disk(context);
        number
    }

    /// Arms a timer that detects a hung disk.
    fn watch_disk(&mut self, context: &mut Context<Self>) {
        let Some(spool) = &mut self.spool else { return };
        let Some((first, _)) = spool.storing.first_key_value() else {
            return;
        };
        if spool.watchdog.is_some() {
            return;
        }
        let watched = *first;
        spool.watchdog = Some(context.run_later(WRITE_TIMEOUT, move |buffer, context| {
            let Some(spool) = &mut buffer.spool else {
                return;
            };
            spool.watchdog = None;
            if spool.storing.contains_key(&watched) && !buffer.is_saving() {
                buffer.abandon_stores(context);
            }
            buffer.watch_disk(context);
        }));
    }

    /// Treats files being written as failed.
    fn abandon_stores(&mut self, context: &mut Context<Self>) {
        let Some(spool) = &mut self.spool else { return };
        let numbers: Vec<_> = spool.storing.keys().copied().collect();
        spool.abandoned.extend(&numbers);
        for number in numbers {
            let result = DiskResult::Failed(io::Error::other("the disk does not answer"));
            self.stored(number, result, context);
        }
        self.pump(context);
    }

    /// Handles the result of an abandoned file: removes it if it was written.
    pub(super) fn stored_abandoned(
        &mut self,
        number: u64,
        result: DiskResult,
        context: &mut Context<Self>,
    ) {
        if let Some(spool) = &mut self.spool {
            spool.abandoned.remove(&number);
        }
        if let DiskResult::Stored(stored) = result {
            self.remove_files(vec![stored.name], context);
        }
    }

    pub(super) fn is_abandoned(&self, number: u64) -> bool {
        let spool = self.spool.as_ref();
        spool.is_some_and(|spool| spool.abandoned.contains(&number))
    }

    fn has_room_on_disk(&self, bytes: u64) -> bool {
        let max_bytes = self.config.spool_max_bytes as u64;
        let spool = self.spool.as_ref();
        spool.is_some_and(|spool| spool.index.has_room(bytes, max_bytes))
    }

    pub(super) fn stored(&mut self, number: u64, result: DiskResult, context: &mut Context<Self>) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        let Some(Writing { storing, bytes }) = spool.storing.remove(&number) else {
            return;
        };
        spool.reserved -= bytes;
        let stored = match result {
            DiskResult::Stored(stored) => {
                self.spool_works(now);
                Some(stored)
            }
            DiskResult::Failed(error) => {
                self.spool_fails(&error.to_string(), now);
                None
            }
            _ => {
                self.not_open(context);
                None
            }
        };
        match storing {
            Storing::Overflow(batches) => self.overflow_stored(batches, stored, context),
            Storing::Ahead {
                batches,
                began,
                is_due,
            } => self.sealed(batches, (began, is_due), stored, context),
            Storing::Last(batches) => self.last_stored(batches, stored),
        }
    }
}
