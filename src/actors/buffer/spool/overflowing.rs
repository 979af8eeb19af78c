//! A full buffer: the oldest batches go to disk; and a full disk: the oldest files go.

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
        index::{Entry, Memo, is_on_disk_only},
        name::{self, SEVERAL},
        store::Stored,
    },
    stats::{ledger::Settlement, reason::GivenUp},
};

/// Of the limits, the part that is kept free for what comes while batches are written: the oldest ones
/// go when the rest is used.
const FREE_PART: usize = 8;

/// Batches of fewer bytes share a file, up to so many bytes.
const SMALL: usize = 64 << 10;
const SHARED: usize = 1 << 20;

/// Losses are logged at once, and then no more often.
const TELL_EVERY: Duration = Duration::from_secs(10);

impl BufferActor {
    /// Puts what exceeds the limits on disk. Returns whether it could.
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
        // It stops taking where a file had no room: what was for it is in its queue again.
        while takes(self) && self.exceeds_what_stays() {
            let Some(evicted) = self.dispatcher.evict_to_disk(now) else {
                break;
            };
            let Some(evicted) = self.draw_evicted(evicted) else {
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

    fn exceeds_what_stays(&self) -> bool {
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

    /// What is put on disk is drawn before: once, also across restarts.
    fn draw_evicted(&mut self, evicted: Evicted) -> Option<Evicted> {
        if evicted.was_drawn || self.draw() {
            return Some(evicted);
        }
        self.settle(
            Settled {
                database: evicted.database,
                batch: evicted.batch,
                number: evicted.number,
                origin: evicted.origin,
                disposition: Disposition::Dropped(GivenUp::Sampled),
            },
            None,
        );
        None
    }

    pub(in crate::actors::buffer) fn draw(&self) -> bool {
        fastrand::f64() < self.config.sample_probability
    }

    /// Notes whether a database can be sent to, so that its files take no place of others'. Where it can't,
    /// a file of many databases is not kept from being removed by it: its lines get a file of their own.
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
            self.set_apart_on_disk(database, context);
        }
    }

    fn set_apart_on_disk(&mut self, database: &Database, context: &mut Context<Self>) {
        let now = self.now();
        let Some(spool) = &mut self.spool else { return };
        let backlog = self.dispatcher.backlog();
        let waiting: Vec<_> = backlog
            .loaded(database)
            .filter(|(file, _)| spool.index.is_of_many(*file))
            .collect();
        if waiting.is_empty() {
            return;
        }
        let bytes = waiting.iter().map(|(_, bytes)| bytes + HEADER);
        let bytes = spool.reserved + bytes.sum::<usize>() as u64;
        let max_bytes = self.config.spool_max_bytes as u64;
        // It is on disk already: no other file goes for it.
        let has_room = spool.queued.is_empty() && spool.index.has_room(bytes, max_bytes);
        if !spool.takes(now) || !has_room {
            let files = waiting.into_iter();
            return files.for_each(|(file, _)| spool.index.set_stuck(file));
        }
        let index = &spool.index;
        let is_of_many = |file| index.is_of_many(file);
        let taken = self.dispatcher.take_loaded(database, is_of_many, now);
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
        let (mut memos, mut copies) = (Vec::new(), Vec::new());
        for evicted in batches {
            let (lines, bytes) = (evicted.batch.lines.len(), evicted.batch.lines.byte_len());
            if evicted.origin != Origin::Loaded {
                intake.release(&evicted.database, lines, bytes);
            }
            copies.extend(evicted.files);
            memos.push(Memo {
                database: evicted.database,
                number: evicted.number,
                lines,
                history: evicted.history,
                tickets: evicted.batch.tickets,
            });
            intake.pool.keep(evicted.batch.lines);
        }
        spool.index.stored(name, bytes, memos);
        let copies = copies.into_iter().filter_map(|id| spool.index.release(id));
        let copies: Vec<_> = copies.collect();
        self.remove_files(copies, context);
    }

    /// Removes the oldest files, until there is room for so many bytes.
    pub(super) fn make_room_on_disk(&mut self, bytes: u64, context: &mut Context<Self>) {
        let max_bytes = self.config.spool_max_bytes as u64;
        let Some(spool) = &mut self.spool else { return };
        let gone = spool.index.make_room(bytes, max_bytes);
        if gone.is_empty() {
            return;
        }
        let now = self.now();
        self.give_up_files(gone, GivenUp::SpoolFull, context);
        let Some(spool) = &mut self.spool else { return };
        let is_told = |told: Instant| now.saturating_duration_since(told) < TELL_EVERY;
        if !spool.is_full_told.is_some_and(is_told) {
            spool.is_full_told = Some(now);
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
        self.give_up_files(expired, GivenUp::Expired, context);
    }

    /// Counts the lines of files that go, and removes these.
    fn give_up_files(&mut self, files: Vec<Entry>, reason: GivenUp, context: &mut Context<Self>) {
        let names = files.iter().map(|entry| entry.name.clone()).collect();
        for entry in files {
            self.give_up_file(entry, reason);
        }
        self.remove_files(names, context);
    }

    /// Counts the lines of a file that are nowhere else.
    pub(super) fn give_up_file(&mut self, entry: Entry, reason: GivenUp) {
        debug_assert!(is_on_disk_only(entry.state));
        let settlement = Settlement::Dropped(reason);
        let lines = entry.name.lines;
        let ledger = &self.shared.intake.ledger;
        ledger.settle_spooled(lines, settlement);
        if entry.memos.is_empty() {
            self.waiting.settled(0, lines, settlement);
            if entry.name.database != SEVERAL {
                let name = percent_encoding::percent_decode_str(&entry.name.database);
                let database = name.decode_utf8_lossy().into_owned().into();
                self.tell_dropped(database, lines as usize, reason);
            }
        }
        for memo in entry.memos {
            let lines = memo.lines;
            self.shared
                .health
                .settled(&memo.database, lines, settlement);
            self.waiting.settled(memo.number, lines as u64, settlement);
            for (_, ticket) in memo.tickets {
                ticket.answer(crate::Delivery::Dropped {
                    reason: DropReason::from(reason),
                });
            }
            self.tell_dropped(memo.database, lines, reason);
        }
    }

    fn tell_dropped(&mut self, database: Database, measurements: usize, reason: GivenUp) {
        if !self.subscribers.is_empty() {
            self.subscribers.push(Event::Dropped {
                database,
                measurements,
                reason: reason.into(),
            });
        }
    }
}
