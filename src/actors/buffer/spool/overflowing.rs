//! Overflow: the oldest batches go to disk if the buffer is full, and the oldest files are removed
//! if the spool is full.

use std::time::{Duration, Instant, SystemTime};

use actix::Context;

use super::{HEADER, Storing, system_time};
use crate::{
    Database, DropReason, Event, Overflow,
    actors::buffer::BufferActor,
    delivery::{
        backlog::{Disposition, Evicted, Origin, Settled},
        breakers::State,
    },
    logging,
    spool::{
        format::Section,
        index::{Entry, SpooledBatch, is_on_disk_only},
        name::{self, SEVERAL},
        store::Stored,
    },
    stats::{ledger::DispositionKind, reason::LossReason},
};

/// Fraction of the limits kept free for measurements recorded while batches are written.
const FREE_PART: usize = 8;

/// Batches smaller than `SMALL` share a file of up to `SHARED` bytes.
const SMALL: usize = 64 << 10;
const SHARED: usize = 1 << 20;

/// Minimum time between log lines about losses.
const LOG_EVERY: Duration = Duration::from_secs(10);

impl BufferActor {
    /// Writes what exceeds the limits to disk. Returns whether that is possible.
    pub(in crate::actors::buffer) fn spool_overflow(
        &mut self,
        context: &mut Context<Self>,
    ) -> bool {
        let now = self.now();
        let takes = |buffer: &Self| {
            let spool = buffer.spool.as_ref();
            buffer.config.overflow == Overflow::Spool && spool.is_some_and(|spool| spool.takes(now))
        };
        if !takes(self) {
            return false;
        }
        let (mut together, mut bytes) = (Vec::new(), 0);
        // Unusable once a file had no room: its batches are back in the queue.
        while takes(self) && self.exceeds_limits() {
            let Some(evicted) = self.dispatcher.evict_to_disk(now) else {
                break;
            };
            let Some(evicted) = self.sample_evicted(evicted) else {
                continue;
            };
            let size = evicted.batch.lines.byte_len();
            if let Some(spool) = &mut self.spool {
                spool.leaving.0 += evicted.batch.lines.len();
                spool.leaving.1 += size;
                evicted.files.iter().for_each(|id| spool.index.hold(*id));
            }
            if size >= SMALL {
                self.store_evicted(vec![evicted], context);
                continue;
            }
            bytes += size;
            together.push(evicted);
            if bytes >= SHARED {
                bytes = 0;
                self.store_evicted(std::mem::take(&mut together), context);
            }
        }
        if !together.is_empty() {
            self.store_evicted(together, context);
        }
        true
    }

    fn exceeds_limits(&self) -> bool {
        let Some(spool) = &self.spool else {
            return false;
        };
        let (quota, limits) = (&self.shared.intake.quota, &self.limits.limits);
        let exceeds = |pending: usize, leaving: usize, limit: usize| {
            pending.saturating_sub(leaving) > limit - limit / FREE_PART
        };
        exceeds(quota.lines(), spool.leaving.0, limits.lines)
            || exceeds(quota.bytes(), spool.leaving.1, limits.bytes)
    }

    /// Applies sampling before a batch is written to disk: once, also across restarts.
    fn sample_evicted(&mut self, evicted: Evicted) -> Option<Evicted> {
        if evicted.passed_sampling || self.passes_sampling() {
            return Some(evicted);
        }
        self.settle(
            Settled {
                database: evicted.database,
                batch: evicted.batch,
                number: evicted.number,
                origin: evicted.origin,
                disposition: Disposition::Dropped(LossReason::Sampled),
            },
            None,
        );
        None
    }

    pub(in crate::actors::buffer) fn passes_sampling(&self) -> bool {
        fastrand::f64() < self.config.sample_probability
    }

    /// Notes whether a database can be sent to, so that its files take no place of others'. If not,
    /// its lines in files of several databases are moved to a separate file, so that the shared one
    /// can be removed.
    pub(in crate::actors::buffer) fn note_on_disk(
        &mut self,
        database: &Database,
        context: &mut Context<Self>,
    ) {
        let Some(spool) = &mut self.spool else { return };
        if !spool.index.has_loaded() {
            return;
        }
        let breakers = self.dispatcher.breakers();
        let fails = breakers.state(database) != State::Ready;
        let key = name::escaped(&database.to_string());
        spool.index.set_fails(&key, fails);
        if fails && breakers.any_in_service() {
            self.move_to_own_file(database, context);
        }
    }

    fn move_to_own_file(&mut self, database: &Database, context: &mut Context<Self>) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        let backlog = self.dispatcher.backlog();
        let waiting: Vec<_> = backlog
            .loaded(database)
            .filter(|(file, _)| spool.index.is_shared(*file))
            .collect();
        if waiting.is_empty() {
            return;
        }
        let bytes = waiting.iter().map(|(_, bytes)| bytes + HEADER);
        let bytes = spool.reserved + bytes.sum::<usize>() as u64;
        let max_bytes = self.config.spool_max_bytes as u64;
        // The lines are on disk already: no other file is removed for them.
        let has_room = spool.queued.is_empty() && spool.index.has_room(bytes, max_bytes);
        if !spool.takes(now) || !has_room {
            let files = waiting.into_iter();
            return files.for_each(|(file, _)| spool.index.set_stuck(file));
        }
        let index = &spool.index;
        let is_shared = |file| index.is_shared(file);
        let taken = self.dispatcher.take_loaded(database, is_shared, now);
        let files = taken.iter().flat_map(|own| &own.files);
        files.for_each(|id| spool.index.hold(*id));
        self.store_evicted(taken, context);
    }

    fn store_evicted(&mut self, evicted: Vec<Evicted>, context: &mut Context<Self>) {
        let now = self.now();
        let unit = self.config.unit();
        let section =
            |evicted: &Evicted| Section::of(&evicted.database, &evicted.batch.lines, unit);
        let sections = evicted.iter().map(section).collect();
        let newest = evicted.iter().filter_map(|evicted| evicted.newest).max();
        let newest = system_time(newest.unwrap_or(now), now);
        self.store(sections, newest, Storing::Overflow(evicted), context);
    }

    pub(super) fn overflow_stored(
        &mut self,
        batches: Vec<Evicted>,
        stored: Option<Stored>,
        context: &mut Context<Self>,
    ) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        for evicted in batches.iter().filter(|own| own.origin != Origin::Loaded) {
            spool.leaving.0 -= evicted.batch.lines.len();
            spool.leaving.1 -= evicted.batch.lines.byte_len();
        }
        let Some(Stored { name, bytes }) = stored else {
            for evicted in batches.into_iter().rev() {
                if evicted.origin == Origin::Loaded {
                    let files = evicted.files.iter();
                    files.for_each(|id| spool.index.set_stuck(*id));
                }
                self.dispatcher.put_back(evicted, now);
            }
            return self.make_room(context);
        };
        let intake = &self.shared.intake;
        intake.ledger.spool(name.lines);
        let (mut spooled_batches, mut copies) = (Vec::new(), Vec::new());
        for evicted in batches {
            let (lines, bytes) = (evicted.batch.lines.len(), evicted.batch.lines.byte_len());
            if evicted.origin != Origin::Loaded {
                intake.release(&evicted.database, lines, bytes);
            }
            copies.extend(evicted.files);
            spooled_batches.push(SpooledBatch {
                database: evicted.database,
                number: evicted.number,
                lines,
                history: evicted.history,
                tickets: evicted.batch.tickets,
            });
            intake.pool.keep(evicted.batch.lines);
        }
        spool.index.stored(name, bytes, spooled_batches);
        let copies = copies.into_iter().filter_map(|id| spool.index.release(id));
        let copies: Vec<_> = copies.collect();
        self.remove_files(copies, context);
    }

    /// Removes the oldest files until `bytes` more fit.
    pub(super) fn make_room_on_disk(&mut self, bytes: u64, context: &mut Context<Self>) {
        let max_bytes = self.config.spool_max_bytes as u64;
        let Some(spool) = &mut self.spool else { return };
        let gone = spool.index.make_room(bytes, max_bytes);
        if gone.is_empty() {
            return;
        }
        let now = self.now();
        self.drop_files(gone, LossReason::SpoolFull, context);
        let Some(spool) = &mut self.spool else { return };
        let is_logged = |told: Instant| now.saturating_duration_since(told) < LOG_EVERY;
        if !spool.full_logged_at.is_some_and(is_logged) {
            spool.full_logged_at = Some(now);
            let lost = self.shared.stats().dropped.spool_full;
            logging::error!(
                "the spool {} is full (spool_max_bytes {max_bytes}): its oldest files are removed, \
                 {lost} measurements are lost in total",
                spool.shown()
            );
        }
    }

    pub(in crate::actors::buffer) fn expire_files(
        &mut self,
        limit: SystemTime,
        context: &mut Context<Self>,
    ) {
        let Some(spool) = &mut self.spool else { return };
        let expired = spool.index.expire(limit);
        self.drop_files(expired, LossReason::Expired, context);
    }

    /// Drops the lines of files, and removes the files.
    fn drop_files(&mut self, files: Vec<Entry>, reason: LossReason, context: &mut Context<Self>) {
        let names = files.iter().map(|entry| entry.name.clone()).collect();
        for entry in files {
            self.drop_file(entry, reason);
        }
        self.remove_files(names, context);
    }

    /// Drops the lines of a file that are only on disk.
    pub(super) fn drop_file(&mut self, entry: Entry, reason: LossReason) {
        debug_assert!(is_on_disk_only(entry.state));
        let kind = DispositionKind::Dropped(reason);
        let lines = entry.name.lines;
        let ledger = &self.shared.intake.ledger;
        ledger.settle_spooled(lines, kind);
        if entry.spooled_batches.is_empty() {
            self.reports.settled(0, lines, kind);
            if entry.name.database != SEVERAL {
                let name = percent_encoding::percent_decode_str(&entry.name.database);
                let database = name.decode_utf8_lossy().into_owned().into();
                self.notify_dropped(database, lines as usize, reason);
            }
        }
        for spooled in entry.spooled_batches {
            let lines = spooled.lines;
            self.shared.health.settled(&spooled.database, lines, kind);
            self.reports.settled(spooled.number, lines as u64, kind);
            for (_, ticket) in spooled.tickets {
                ticket.answer(crate::Delivery::Dropped {
                    reason: DropReason::from(reason),
                });
            }
            self.notify_dropped(spooled.database, lines, reason);
        }
    }

    fn notify_dropped(&mut self, database: Database, measurements: usize, reason: LossReason) {
        if !self.subscribers.is_empty() {
            self.subscribers.push(Event::Dropped {
                database,
                measurements,
                reason: reason.into(),
            });
        }
    }
}
