//! The end: what could not be delivered goes to disk, within a bound of time.

use std::time::{Duration, Instant};

use actix::Context;

use super::{Storing, system_time};
use crate::{
    Delivery,
    actors::buffer::BufferActor,
    delivery::backlog::{AGE_PART, Disposition, Origin, Settled, Taken},
    spool::{format::Section, store::Stored},
    stats::reason::GivenUp,
};

/// Of a shutdown's timeout, the part that is kept for the disk, and no more than so long.
const PART: u32 = 4;
const LONGEST: Duration = Duration::from_secs(5);

/// Batches share a file up to so many bytes.
const TOGETHER: usize = 4 << 20;

/// What fails is tried once more, for so long at most, and not waited for.
pub(in crate::actors::buffer) const LAST_TRY: Duration = Duration::from_secs(1);

/// The time of a shutdown that is kept for the disk.
pub(in crate::actors::buffer) fn time_for_the_disk(timeout: Duration) -> Duration {
    (timeout / PART).min(LONGEST)
}

impl BufferActor {
    /// Whether what is undelivered can go to disk.
    pub(in crate::actors::buffer) fn can_save(&self) -> bool {
        let now = self.now();
        let spool = self.spool.as_ref();
        spool.is_some_and(|spool| spool.is_open || spool.takes(now))
    }

    /// Whether nothing more can be delivered soon, in a shutdown that began at that time: then what is in
    /// memory need not wait for the timeout.
    pub(in crate::actors::buffer) fn is_stuck(&self, began: Instant, now: Instant) -> bool {
        if self.is_spool_busy() {
            return false;
        }
        let is_long_ago = |since: Instant| now.saturating_duration_since(since) >= LAST_TRY;
        let breakers = self.dispatcher.breakers();
        let mut outages = (0..self.endpoints.len()).map(|at| breakers.endpoint_outage(at));
        let is_known_down = !breakers.any_in_service()
            && outages.all(|outage| outage.is_some_and(|(since, _)| is_long_ago(since)));
        if is_long_ago(began) && (is_known_down || self.dispatcher.only_probes()) {
            return true;
        }
        let next = self.dispatcher.opens_at(now);
        let is_soon = next.is_some_and(|at| at <= now + LAST_TRY);
        let is_hopeless = is_known_down || is_long_ago(began) || !is_soon;
        is_hopeless && self.dispatcher.is_idle()
    }

    /// Puts all that is in memory on disk, and closes the folder: [`Self::saved`] follows.
    pub(in crate::actors::buffer) fn save(&mut self, context: &mut Context<Self>) {
        let staged = match &mut self.spool {
            Some(spool) => std::mem::take(&mut spool.staged),
            None => return,
        };
        let staged = staged.into_iter().map(Taken::from);
        let mut all: Vec<_> = self
            .dispatcher
            .take_all()
            .into_iter()
            .chain(staged)
            .collect();
        // Those of one age share a file, as they expire together.
        all.sort_by_key(|taken| taken.newest);
        let apart = self.config.max_age.map(|age| age / AGE_PART);
        let is_newer = |taken: &Taken, first: &Taken| match (taken.newest, first.newest, apart) {
            (Some(newest), Some(first), Some(apart)) => newest - first > apart,
            _ => false,
        };
        let (mut together, mut bytes) = (Vec::<Taken>::new(), 0);
        for taken in all {
            if taken.origin != Origin::Recorded {
                self.is_on_disk(taken);
                continue;
            }
            if !taken.was_drawn && !self.draw() {
                self.give_up_taken(taken, GivenUp::Sampled);
                continue;
            }
            let size = taken.batch.lines.byte_len();
            let first = together.first();
            if first.is_some_and(|first| bytes + size > TOGETHER || is_newer(&taken, first)) {
                bytes = 0;
                self.store_last(std::mem::take(&mut together), context);
            }
            bytes += size;
            together.push(taken);
        }
        if !together.is_empty() {
            self.store_last(together, context);
        }
        self.close_when_stored(context);
    }

    fn store_last(&mut self, batches: Vec<Taken>, context: &mut Context<Self>) {
        let unit = self.config.unit();
        let section = |taken: &Taken| Section::of(&taken.database, &taken.batch.lines, unit);
        let sections = batches.iter().map(section).collect();
        let (now, newest) = (
            self.now(),
            batches.iter().filter_map(|own| own.newest).max(),
        );
        let newest = system_time(newest.unwrap_or(now), now);
        self.store(sections, newest, Storing::Last(batches), context);
    }

    pub(super) fn last_stored(&mut self, batches: Vec<Taken>, stored: Option<Stored>) {
        let Some(Stored { name, bytes }) = stored else {
            self.unsaved.extend(batches);
            return;
        };
        if let Some(spool) = &mut self.spool {
            spool.index.copied(name, bytes, 1);
        }
        batches.into_iter().for_each(|taken| self.is_on_disk(taken));
    }

    /// Lines that were in memory are on disk only from now on.
    fn is_on_disk(&mut self, taken: Taken) {
        let Taken {
            database,
            origin,
            batch,
            ..
        } = taken;
        let lines = batch.lines.len();
        let intake = &self.shared.intake;
        intake.ledger.spool(lines as u64);
        if origin != Origin::Loaded {
            intake.release(&database, lines, batch.lines.byte_len());
        }
        for (_, ticket) in batch.tickets {
            ticket.answer(Delivery::Spooled);
        }
    }

    /// Everything that could be put on disk is there, and the folder is closed.
    pub(super) fn saved(&mut self, context: &mut Context<Self>) {
        self.finish_shutdown(context);
    }

    /// All that is in memory and nowhere else, at the very end. What is on disk too is counted there.
    pub(in crate::actors::buffer) fn take_unsaved(&mut self) -> Vec<Taken> {
        let mut all = self.dispatcher.take_all();
        all.append(&mut self.unsaved);
        if let Some(spool) = &mut self.spool {
            for writing in std::mem::take(&mut spool.storing).into_values() {
                match writing.storing {
                    Storing::Overflow(batches) => {
                        all.extend(batches.into_iter().map(Taken::from));
                    }
                    Storing::Ahead { batches, began, .. } => {
                        let taken = |(database, batch)| Taken {
                            database,
                            number: 0,
                            origin: Origin::Recorded,
                            was_drawn: true,
                            batch,
                            newest: Some(began),
                        };
                        all.extend(batches.into_iter().map(taken));
                    }
                    Storing::Last(batches) => all.extend(batches),
                }
            }
            all.extend(
                std::mem::take(&mut spool.staged)
                    .into_iter()
                    .map(Taken::from),
            );
            for ticket in spool.index.take_tickets() {
                ticket.answer(Delivery::Spooled);
            }
        }
        let (on_disk, unsaved): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|taken| taken.origin != Origin::Recorded);
        on_disk.into_iter().for_each(|taken| self.is_on_disk(taken));
        unsaved
    }

    pub(in crate::actors::buffer) fn give_up_taken(&mut self, taken: Taken, reason: GivenUp) {
        let settled = Settled {
            database: taken.database,
            batch: taken.batch,
            number: taken.number,
            origin: taken.origin,
            disposition: Disposition::Dropped(reason),
        };
        self.settle(settled, None);
    }
}
