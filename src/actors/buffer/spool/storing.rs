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
        let writing = Writing {
            bytes: sections.iter().map(size_of_section).sum::<usize>() as u64,
            storing,
            sections,
            newest,
        };
        spool.storing.insert(number, writing);
        spool.queued.push_back(number);
        self.store_next(context);
        self.watch_disk(context);
        number
    }

    /// Sends files to the disk actor as long as there is room. Compressed files are smaller than
    /// the room reserved for them: if there is too little, a file waits for those before it, and
    /// none is removed before its size is known.
    fn store_next(&mut self, context: &mut Context<Self>) {
        let max_bytes = self.config.spool_max_bytes as u64;
        while let Some(spool) = &mut self.spool
            && let Some(number) = spool.queued.front().copied()
            && let Some(writing) = spool.storing.get(&number)
        {
            let fits = spool
                .index
                .has_room(spool.reserved + writing.bytes, max_bytes);
            if !fits && spool.reserved > 0 {
                break;
            }
            spool.queued.pop_front();
            spool.reserved += writing.bytes;
            let room = match fits {
                true => u64::MAX,
                false => max_bytes.saturating_sub(spool.index.bytes()),
            };
            spool.measured = Some(number).filter(|_| !fits);
            self.ask_to_store(number, room, context);
        }
        if let Some(spool) = &mut self.spool
            && spool.queued.is_empty()
            && spool.measured.is_none()
            && std::mem::take(&mut spool.is_closing)
        {
            self.ask_disk(TaskId::Close, Task::Close, context);
        }
    }

    fn ask_to_store(&self, number: u64, room: u64, context: &mut Context<Self>) {
        let Some(spool) = &self.spool else { return };
        if let Some(writing) = spool.storing.get(&number) {
            let task = Task::Store {
                sections: writing.sections.clone(),
                newest: writing.newest,
                room,
            };
            self.ask_disk(TaskId::Store(number), task, context);
        }
    }

    /// Closes the folder when all files are written.
    pub(super) fn close_when_stored(&mut self, context: &mut Context<Self>) {
        if let Some(spool) = &mut self.spool {
            spool.is_closing = true;
        }
        self.store_next(context);
    }

    /// Handles a file of `needs` bytes without room: removes the oldest files, if that makes enough.
    fn make_room_for(&mut self, number: u64, needs: u64, context: &mut Context<Self>) {
        self.make_room_on_disk(needs, context);
        let max_bytes = self.config.spool_max_bytes as u64;
        let spool = self.spool.as_ref();
        if spool.is_some_and(|spool| spool.index.has_room(needs, max_bytes)) {
            return self.ask_to_store(number, needs, context);
        }
        let why = match needs > max_bytes {
            true => "spool_max_bytes is less than one file needs",
            false => "spool_max_bytes is used up by files whose measurements are in memory too",
        };
        self.stored(number, DiskResult::Failed(io::Error::other(why)), context);
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
        // The disk actor doesn't know the queued files.
        let queued = std::mem::take(&mut spool.queued);
        let asked = numbers.iter().filter(|number| !queued.contains(number));
        spool.abandoned.extend(asked);
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

    pub(super) fn stored(&mut self, number: u64, result: DiskResult, context: &mut Context<Self>) {
        let now = self.now();
        if let DiskResult::NoRoom { needs } = result {
            return self.make_room_for(number, needs, context);
        }
        let Some(spool) = &mut self.spool else { return };
        let Some(Writing { storing, bytes, .. }) = spool.storing.remove(&number) else {
            return;
        };
        match spool.queued.iter().position(|queued| *queued == number) {
            Some(at) => _ = spool.queued.remove(at),
            None => spool.reserved -= bytes,
        }
        spool.measured = spool.measured.filter(|measured| *measured != number);
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
        self.store_next(context);
    }
}
