//! Where callers leave their lines: a tray per calling thread, emptied by the buffer actor.
//!
//! A caller takes one lock, its own thread's, which only a drain or a snapshot ever contends for,
//! for as long as it takes to move a few pointers. What is shared between callers are counters.

use std::{
    cell::RefCell,
    num::NonZeroUsize,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    Config, Database, Measurement, RecordError, Stats,
    batch::{BatchLimits, OpenBatch},
    cardinality::Cardinality,
    ingest::{QuotaLimits, fair_share::FairShares, quota::Quota},
    ledger::Ledger,
    line_protocol::Encoder,
    report::Ticket,
    source::Source,
    spares::Spares,
    tray::Tray,
};

/// What callers need to know of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) encoder: Encoder,
    pub(crate) batch: BatchLimits,
    pub(crate) quota: QuotaLimits,
    /// How many values a tag may have, if that is guarded.
    pub(crate) tag_values: Option<NonZeroUsize>,
    pub(crate) door: Door,
}

/// Are measurements taken?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    Disabled,
    Closed,
}

impl Settings {
    pub(crate) fn new(config: &Config, door: Door) -> Self {
        let base_tags = config.resolved_base_tags();
        let pairs = base_tags.iter().map(|(key, value)| (&**key, &**value));
        Self {
            encoder: Encoder::new(pairs, config.precision, config.unsigned)
                .string_newlines(config.string_newlines),
            batch: BatchLimits::new(config),
            quota: QuotaLimits::new(config),
            tag_values: NonZeroUsize::new(config.max_tag_values),
            door,
        }
    }
}

/// All trays of one pipeline.
#[derive(derive_more::Debug)]
pub(crate) struct Intake {
    /// Tells this pipeline's tray from another's in a thread's list.
    id: u64,
    /// Taken first, before a tray's lock and the ledger's.
    trays: Mutex<Trays>,
    /// For a thread that is ending and has lost its list of trays.
    spare: Arc<Tray>,
    pub(crate) quota: Quota,
    pub(crate) ledger: Ledger,
    pub(crate) shares: FairShares,
    pub(crate) cardinality: Cardinality,
    pub(crate) spares: Spares,
    #[debug(skip)]
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Debug)]
struct Trays {
    all: Vec<Arc<Tray>>,
    /// So many are looked through for those of threads that have ended.
    sweep_at: usize,
    /// For the trays to come.
    settings: Arc<Settings>,
}

/// Fewer trays than this are not worth a look.
const SWEEP_AT: usize = 64;

thread_local! {
    /// This thread's tray in each pipeline.
    static TRAYS: RefCell<Vec<(u64, Arc<Tray>)>> = const { RefCell::new(Vec::new()) };
}

impl Intake {
    pub(crate) fn new(settings: Settings) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let settings = Arc::new(settings);
        let spare = Arc::new(Tray::new(Arc::clone(&settings)));
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            trays: Mutex::new(Trays {
                all: vec![Arc::clone(&spare)],
                sweep_at: SWEEP_AT,
                settings,
            }),
            spare,
            quota: Quota::default(),
            ledger: Ledger::default(),
            shares: FairShares::default(),
            cardinality: Cardinality::default(),
            spares: Spares::default(),
            wake: OnceLock::new(),
        }
    }

    /// `wake` makes the buffer actor ask what is [due](Quota::due). Recording threads call it: see
    /// [`wakeup`](crate::ingest::wakeup).
    pub(crate) fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        _ = self.wake.set(Box::new(wake));
    }

    /// Records a measurement; its memory is used again.
    #[inline]
    pub(crate) fn take(
        &self,
        mut measurement: Measurement,
        ticket: Option<Ticket>,
    ) -> Result<(), RecordError> {
        let result = self.record(&mut measurement, ticket);
        measurement.recycle();
        result
    }

    /// Writes a line into this thread's tray.
    #[inline]
    pub(crate) fn record(
        &self,
        source: &mut impl Source,
        mut ticket: Option<Ticket>,
    ) -> Result<(), RecordError> {
        let mut put = |tray: &Tray| tray.put(source, &mut ticket, self);
        let put_in_own = TRAYS.try_with(|trays| {
            let mut trays = trays.borrow_mut();
            match trays.iter().find(|(id, _)| *id == self.id) {
                Some((_, tray)) => put(tray),
                None => {
                    // Those that no pipeline has any more.
                    trays.retain(|(_, tray)| Arc::strong_count(tray) > 1);
                    let tray = self.add_tray();
                    let result = put(&tray);
                    trays.push((self.id, tray));
                    result
                }
            }
        });
        let (result, wake) = put_in_own.unwrap_or_else(|_| put(&self.spare));
        if wake && let Some(wake) = self.wake.get() {
            wake();
        }
        result
    }

    fn add_tray(&self) -> Arc<Tray> {
        let mut trays = self.trays.lock();
        // Where nothing is delivered, nothing is drained either. Doubling makes this seldom.
        if trays.all.len() >= trays.sweep_at {
            trays.all.retain(|tray| {
                let stays = Arc::strong_count(tray) > 1 || !tray.is_empty();
                if !stays {
                    self.ledger.retire(&tray.tally());
                }
                stays
            });
            trays.sweep_at = SWEEP_AT.max(2 * trays.all.len());
        }
        let tray = Arc::new(Tray::new(Arc::clone(&trays.settings)));
        trays.all.push(Arc::clone(&tray));
        tray
    }

    /// Empties all trays.
    pub(crate) fn drain(&self) -> Vec<(Database, OpenBatch)> {
        let mut trays = self.trays.lock();
        let mut batches = Vec::new();
        let mut drained = 0;
        trays.all.retain(|tray| {
            // Asked first: once its thread has ended, nobody can put anything in it any more.
            let in_use = Arc::strong_count(tray) > 1;
            drained += tray.empty(&self.quota, &mut batches);
            if !in_use {
                self.ledger.retire(&tray.tally());
            }
            in_use
        });
        self.ledger.admit(drained);
        batches
    }

    /// Measurements of a database that were in the backlog have ended: there is room for others.
    pub(crate) fn release(&self, database: &Database, measurements: usize, bytes: usize) {
        self.quota.release(measurements, bytes);
        self.shares.settle(database, measurements);
    }

    /// From the next measurement on. A door that is closed stays closed.
    pub(crate) fn reconfigure(&self, config: &Config, door: Door) {
        let mut trays = self.trays.lock();
        let door = match trays.settings.door {
            Door::Closed => Door::Closed,
            Door::Open | Door::Disabled => door,
        };
        trays.settings = Arc::new(Settings::new(config, door));
        for tray in &trays.all {
            tray.reconfigure(&trays.settings);
        }
    }

    /// The ledger and the trays, at one instant: no line moves from these to that meanwhile,
    /// because a drain needs the lock that is held here.
    pub(crate) fn stats(&self) -> Stats {
        let trays = self.trays.lock();
        let mut waiting = Stats::default();
        for tray in &trays.all {
            tray.add_to(&mut waiting);
        }
        // Last: what is settled meanwhile makes room in the trays that were looked at before.
        let mut stats = self.ledger.snapshot();
        stats.recorded += waiting.recorded;
        stats.dropped.add(&waiting.dropped);
        stats.tags_capped += waiting.tags_capped;
        stats.pending += waiting.pending;
        stats
    }
}

#[cfg(test)]
mod tests;
