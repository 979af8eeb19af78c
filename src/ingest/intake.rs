//! Where callers leave their lines: a thread buffer per calling thread, emptied by the buffer actor.
//!
//! A caller takes one lock, its own thread's, which only a drain or a snapshot ever contends for,
//! for as long as it takes to move a few pointers. What is shared between callers are counters.

use std::{
    cell::RefCell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    Config, Database, Measurement, RecordError, Stats,
    batch::{OpenBatch, pool::Pool},
    ingest::{
        cardinality::Cardinality,
        fair_share::FairShares,
        line::Line,
        prepared::PreparedSeries,
        quota::Quota,
        settings::{Admission, IngestSettings},
        thread_buffer::ThreadBuffer,
    },
    point::measurement::Contents,
    stats::ledger::Ledger,
    stats::report::Ticket,
};

/// Boxed, because it is handed on from call to call, and mostly there is no error.
pub(crate) type Recorded = Result<(), Box<RecordError>>;

/// All thread buffers of one pipeline.
#[derive(derive_more::Debug)]
pub(crate) struct Intake {
    /// Tells this pipeline's thread buffer from another's in a thread's list.
    id: u64,
    /// Taken first, before a thread buffer's lock and the ledger's.
    thread_buffers: Mutex<ThreadBuffers>,
    /// For a thread that is ending and has lost its list of thread buffers.
    fallback: Arc<ThreadBuffer>,
    pub(crate) quota: Quota,
    pub(crate) ledger: Ledger,
    pub(crate) shares: FairShares,
    pub(crate) cardinality: Cardinality,
    pub(crate) pool: Pool,
    #[debug(skip)]
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Debug)]
struct ThreadBuffers {
    all: Vec<Arc<ThreadBuffer>>,
    /// So many are looked through for those of threads that have ended.
    sweep_at: usize,
    /// Of the series that was prepared last: most have the same, and share its memory.
    last_database: Arc<Database>,
    /// For the thread buffers to come.
    settings: Arc<IngestSettings>,
}

/// Fewer thread buffers than this are not worth a look.
const SWEEP_AT: usize = 64;

thread_local! {
    /// This thread's thread buffer in each pipeline.
    static THREAD_BUFFERS: RefCell<Vec<(u64, Arc<ThreadBuffer>)>> = const { RefCell::new(Vec::new()) };
}

impl Intake {
    pub(crate) fn new(settings: IngestSettings) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let settings = Arc::new(settings);
        let fallback = Arc::new(ThreadBuffer::new(Arc::clone(&settings)));
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            thread_buffers: Mutex::new(ThreadBuffers {
                all: vec![Arc::clone(&fallback)],
                sweep_at: SWEEP_AT,
                last_database: Arc::new(Database::new("")),
                settings,
            }),
            fallback,
            quota: Quota::default(),
            ledger: Ledger::default(),
            shares: FairShares::default(),
            cardinality: Cardinality::default(),
            pool: Pool::default(),
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
    pub(crate) fn take(&self, mut measurement: Measurement, ticket: Option<Ticket>) -> Recorded {
        let result = self.record(&mut measurement, ticket);
        measurement.recycle();
        result
    }

    /// Writes a line into this thread's thread buffer.
    #[inline]
    pub(crate) fn record(&self, line: &mut impl Line, mut ticket: Option<Ticket>) -> Recorded {
        let mut put = |thread_buffer: &ThreadBuffer| thread_buffer.put(line, &mut ticket, self);
        let put_in_own = THREAD_BUFFERS.try_with(|thread_buffers| {
            let mut thread_buffers = thread_buffers.borrow_mut();
            match thread_buffers.iter().find(|(id, _)| *id == self.id) {
                Some((_, thread_buffer)) => put(thread_buffer),
                None => {
                    // Those that no pipeline has any more.
                    thread_buffers
                        .retain(|(_, thread_buffer)| Arc::strong_count(thread_buffer) > 1);
                    let thread_buffer = self.add_thread_buffer();
                    let result = put(&thread_buffer);
                    thread_buffers.push((self.id, thread_buffer));
                    result
                }
            }
        });
        put_in_own.unwrap_or_else(|_| put(&self.fallback))
    }

    /// Prepares a series, by the settings in force. The definition's fields and timestamp make no
    /// difference.
    pub(crate) fn prepare(&self, definition: Box<Contents>) -> Result<PreparedSeries, RecordError> {
        let (settings, database) = {
            let thread_buffers = &mut *self.thread_buffers.lock();
            if *thread_buffers.last_database != definition.database {
                thread_buffers.last_database = Arc::new(definition.database.clone());
            }
            let database = Arc::clone(&thread_buffers.last_database);
            (Arc::clone(&thread_buffers.settings), database)
        };
        let (series, is_news) =
            PreparedSeries::new(definition, database, &settings, &self.cardinality)?;
        if is_news {
            self.wake();
        }
        Ok(series)
    }

    pub(super) fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    fn add_thread_buffer(&self) -> Arc<ThreadBuffer> {
        let mut thread_buffers = self.thread_buffers.lock();
        // Where nothing is delivered, nothing is drained either. Doubling makes this seldom.
        if thread_buffers.all.len() >= thread_buffers.sweep_at {
            thread_buffers.all.retain(|thread_buffer| {
                let stays = Arc::strong_count(thread_buffer) > 1 || !thread_buffer.is_empty();
                if !stays {
                    self.ledger.retire(&thread_buffer.tally());
                }
                stays
            });
            thread_buffers.sweep_at = SWEEP_AT.max(2 * thread_buffers.all.len());
        }
        let thread_buffer = Arc::new(ThreadBuffer::new(Arc::clone(&thread_buffers.settings)));
        thread_buffers.all.push(Arc::clone(&thread_buffer));
        thread_buffer
    }

    /// Empties all thread buffers.
    pub(crate) fn drain(&self) -> Vec<(Database, OpenBatch)> {
        let mut thread_buffers = self.thread_buffers.lock();
        let mut batches = Vec::new();
        let mut drained = 0;
        thread_buffers.all.retain(|thread_buffer| {
            // Asked first: once its thread has ended, nobody can put anything in it any more.
            let in_use = Arc::strong_count(thread_buffer) > 1;
            drained += thread_buffer.empty(&self.quota, &mut batches);
            if !in_use {
                self.ledger.retire(&thread_buffer.tally());
            }
            in_use
        });
        self.ledger.admit(drained);
        batches
    }

    /// Measurements of a database that were in the backlog have ended: there is room for others.
    pub(crate) fn release(&self, database: &Database, measurements: usize, bytes: usize) {
        self.quota.release(measurements, bytes);
        self.shares.release(database, measurements);
    }

    /// From the next measurement on. Where recording has ended, it stays so.
    pub(crate) fn reconfigure(&self, config: &Config, admission: Admission) {
        let mut thread_buffers = self.thread_buffers.lock();
        let settings = thread_buffers.settings.followed_by(config, admission);
        thread_buffers.settings = Arc::new(settings);
        for thread_buffer in &thread_buffers.all {
            thread_buffer.reconfigure(&thread_buffers.settings);
        }
    }

    /// Whether measurements are taken.
    pub(crate) fn admission(&self) -> Admission {
        self.thread_buffers.lock().settings.admission
    }

    /// The ledger and the thread buffers, at one instant: no line moves from these to that meanwhile,
    /// because a drain needs the lock that is held here.
    pub(crate) fn stats(&self) -> Stats {
        let thread_buffers = self.thread_buffers.lock();
        let mut waiting = Stats::default();
        for thread_buffer in &thread_buffers.all {
            thread_buffer.add_to(&mut waiting);
        }
        // Last: what is settled meanwhile makes room in the thread buffers that were looked at before.
        let mut stats = self.ledger.snapshot();
        stats.recorded += waiting.recorded;
        stats.dropped.add(&waiting.dropped);
        stats.tags_capped += waiting.tags_capped;
        stats.pending += waiting.pending;
        stats.places.buffered += waiting.pending;
        stats
    }
}

#[cfg(test)]
mod tests;
