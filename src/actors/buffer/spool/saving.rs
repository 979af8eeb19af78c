//! Saving: what could not be delivered goes to disk at shutdown, within a time limit.

use std::time::{Duration, Instant};

use actix::Context;

use super::{Storing, system_time};
use crate::{
    Delivery,
    actors::buffer::BufferActor,
    delivery::backlog::{Disposition, Leftover, MAX_AGE_DIVISOR, Origin, Settled},
    spool::{format::Section, store::Stored},
    stats::reason::LossReason,
};

/// Fraction of a shutdown's timeout reserved for the disk, and its maximum.
const DISK_FRACTION: u32 = 4;
const MAX_DISK_TIME: Duration = Duration::from_secs(5);

/// Maximum size of a shared file, in bytes.
const MAX_FILE_BYTES: usize = 4 << 20;

/// Maximum time for a last attempt to send what fails.
pub(in crate::actors::buffer) const LAST_TRY: Duration = Duration::from_secs(1);

/// The part of a shutdown's timeout reserved for the disk.
pub(in crate::actors::buffer) fn disk_time(timeout: Duration) -> Duration {
    (timeout / DISK_FRACTION).min(MAX_DISK_TIME)
}

impl BufferActor {
    /// Whether undelivered measurements can go to disk.
    pub(in crate::actors::buffer) fn can_save(&self) -> bool {
        let now = self.now();
        let spool = self.spool.as_ref();
        spool.is_some_and(|spool| spool.is_open || spool.takes(now))
    }

    /// Whether nothing more can be delivered soon, in a shutdown that began at `began`. Then it need not
    /// wait for the timeout.
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
        let next = self.dispatcher.next_send_at(now);
        let is_soon = next.is_some_and(|at| at <= now + LAST_TRY);
        let is_hopeless = is_known_down || is_long_ago(began) || !is_soon;
        is_hopeless && self.dispatcher.is_idle()
    }

    /// Writes everything in memory to disk and closes the folder; [`Self::saved`] follows.
    pub(in crate::actors::buffer) fn save(&mut self, context: &mut Context<Self>) {
        let staged = match &mut self.spool {
            Some(spool) => std::mem::take(&mut spool.staged),
            None => return,
        };
        let staged = staged.into_iter().map(Leftover::from);
        let mut all: Vec<_> = self
            .dispatcher
            .take_all()
            .into_iter()
            .chain(staged)
            .collect();
        // Batches of similar age share a file, as they expire together.
        all.sort_by_key(|leftover| leftover.newest);
        let max_span = self.config.max_age.map(|age| age / MAX_AGE_DIVISOR);
        let is_newer =
            |leftover: &Leftover, first: &Leftover| match (leftover.newest, first.newest, max_span)
            {
                (Some(newest), Some(first), Some(max_span)) => newest - first > max_span,
                _ => false,
            };
        let (mut together, mut bytes) = (Vec::<Leftover>::new(), 0);
        for leftover in all {
            if leftover.origin != Origin::Recorded {
                self.is_on_disk(leftover);
                continue;
            }
            if !leftover.passed_sampling && !self.passes_sampling() {
                self.drop_leftover(leftover, LossReason::Sampled);
                continue;
            }
            let size = leftover.batch.lines.byte_len();
            let first = together.first();
            let is_full = |first| bytes + size > MAX_FILE_BYTES || is_newer(&leftover, first);
            if first.is_some_and(is_full) {
                bytes = 0;
                self.store_last(std::mem::take(&mut together), context);
            }
            bytes += size;
            together.push(leftover);
        }
        if !together.is_empty() {
            self.store_last(together, context);
        }
        self.close_when_stored(context);
    }

    fn store_last(&mut self, batches: Vec<Leftover>, context: &mut Context<Self>) {
        let unit = self.config.unit();
        let section =
            |leftover: &Leftover| Section::of(&leftover.database, &leftover.batch.lines, unit);
        let sections = batches.iter().map(section).collect();
        let (now, newest) = (
            self.now(),
            batches.iter().filter_map(|own| own.newest).max(),
        );
        let newest = system_time(newest.unwrap_or(now), now);
        self.store(sections, newest, Storing::Last(batches), context);
    }

    pub(super) fn last_stored(&mut self, batches: Vec<Leftover>, stored: Option<Stored>) {
        let Some(Stored { name, bytes }) = stored else {
            self.unsaved.extend(batches);
            return;
        };
        if let Some(spool) = &mut self.spool {
            spool.index.copied(name, bytes, 1);
        }
        batches
            .into_iter()
            .for_each(|leftover| self.is_on_disk(leftover));
    }

    /// Counts lines in memory as only on disk from now on.
    fn is_on_disk(&mut self, leftover: Leftover) {
        let Leftover {
            database,
            origin,
            batch,
            ..
        } = leftover;
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

    /// Handles the end of saving.
    pub(super) fn saved(&mut self, context: &mut Context<Self>) {
        self.finish_shutdown(context);
    }

    /// Removes everything that is only in memory; lines that are also on disk are counted there.
    pub(in crate::actors::buffer) fn take_unsaved(&mut self) -> Vec<Leftover> {
        let mut all = self.dispatcher.take_all();
        all.append(&mut self.unsaved);
        if let Some(spool) = &mut self.spool {
            for writing in std::mem::take(&mut spool.storing).into_values() {
                match writing.storing {
                    Storing::Overflow(batches) => {
                        all.extend(batches.into_iter().map(Leftover::from));
                    }
                    Storing::Ahead { batches, began, .. } => {
                        let leftover = |(database, batch)| Leftover {
                            database,
                            number: 0,
                            origin: Origin::Recorded,
                            passed_sampling: true,
                            batch,
                            newest: Some(began),
                        };
                        all.extend(batches.into_iter().map(leftover));
                    }
                    Storing::Last(batches) => all.extend(batches),
                }
            }
            all.extend(
                std::mem::take(&mut spool.staged)
                    .into_iter()
                    .map(Leftover::from),
            );
            for ticket in spool.index.take_tickets() {
                ticket.answer(Delivery::Spooled);
            }
        }
        let (on_disk, unsaved): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|leftover| leftover.origin != Origin::Recorded);
        on_disk
            .into_iter()
            .for_each(|leftover| self.is_on_disk(leftover));
        unsaved
    }

    pub(in crate::actors::buffer) fn drop_leftover(
        &mut self,
        leftover: Leftover,
        reason: LossReason,
    ) {
        let settled = Settled {
            database: leftover.database,
            batch: leftover.batch,
            number: leftover.number,
            origin: leftover.origin,
            disposition: Disposition::Dropped(reason),
        };
        self.settle(settled, None);
    }
}
