//! Write-ahead: measurements are written to disk before they are sent.
//!
//! Every `seal_interval`, the drained lines go into one file. Written lines are staged until the
//! interval or the trigger size, then added to the backlog in batches.

use std::time::{Duration, Instant, SystemTime};

use actix::{AsyncContext as _, Context};
use foldhash::HashMap;

use super::Storing;
use crate::{
    Database,
    actors::buffer::BufferActor,
    batch::{Batch, BatchLimits, OpenBatch},
    delivery::{
        backlog::{Disposition, FileId, Leftover, Origin, SealedBatch, Settled},
        retry_history::RetryHistory,
    },
    spool::{format::Section, store::Stored},
    stats::reason::LossReason,
};

/// Size at which a new file begins, in bytes.
const MAX_FILE_BYTES: usize = 8 << 20;

/// Lines of one database, drained together.
pub(super) struct Piece {
    pub(super) database: Database,
    pub(super) batch: Batch,
    /// `None` if they could not be written.
    pub(super) file: Option<FileId>,
    newest: Instant,
}

impl Piece {
    fn is_copied(&self) -> bool {
        self.file.is_some()
    }
}

/// Staged lines have no number yet.
impl From<Piece> for Leftover {
    fn from(piece: Piece) -> Self {
        Self {
            origin: match piece.is_copied() {
                true => Origin::WrittenAhead,
                false => Origin::Recorded,
            },
            database: piece.database,
            number: 0,
            passed_sampling: true,
            newest: Some(piece.newest),
            batch: piece.batch,
        }
    }
}

impl BufferActor {
    pub(in crate::actors::buffer) fn writes_ahead(&self) -> bool {
        let spool = self.spool.as_ref();
        self.config.write_ahead && spool.is_some_and(|spool| spool.takes(self.now()))
    }

    /// Maximum time for recorded lines in the thread buffers.
    pub(in crate::actors::buffer) fn drain_interval(&self) -> Duration {
        match self.writes_ahead() {
            true => self.config.interval.min(self.config.seal_interval),
            false => self.config.interval,
        }
    }

    /// Maximum jitter of that time; none if lines must be on disk by then.
    pub(in crate::actors::buffer) fn drain_jitter(&self) -> Duration {
        match self.writes_ahead() {
            true => Duration::ZERO,
            false => self.config.flush_jitter,
        }
    }

    /// Writes drained lines to disk.
    pub(in crate::actors::buffer) fn write_ahead(
        &mut self,
        drained: Vec<(Database, OpenBatch)>,
        context: &mut Context<Self>,
    ) {
        let began = self.now();
        let mut by_database: HashMap<Database, OpenBatch> = HashMap::default();
        for (database, batch) in drained {
            by_database.entry(database).or_default().append(batch);
        }
        let unit = self.config.unit();
        let (mut batches, mut sections, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (database, batch) in by_database {
            if batch.is_empty() {
                continue;
            }
            let batch = batch.seal(true);
            if !self.passes_sampling() {
                let disposition = Disposition::Dropped(LossReason::Sampled);
                let settled = Settled {
                    database,
                    batch,
                    number: 0,
                    origin: Origin::Recorded,
                    disposition,
                };
                self.settle(settled, None);
                continue;
            }
            bytes += batch.lines.byte_len();
            sections.push(Section::of(&database, &batch.lines, unit));
            batches.push((database, batch));
            if bytes >= MAX_FILE_BYTES {
                bytes = 0;
                let together = std::mem::take(&mut batches);
                self.seal(together, std::mem::take(&mut sections), began, context);
            }
        }
        if !batches.is_empty() {
            self.seal(batches, sections, began, context);
        }
        self.release_if_due(context);
    }

    fn seal(
        &mut self,
        batches: Vec<(Database, Batch)>,
        sections: Vec<Section>,
        began: Instant,
        context: &mut Context<Self>,
    ) {
        let storing = Storing::Ahead {
            batches,
            began,
            is_due: false,
        };
        self.store(sections, SystemTime::now(), storing, context);
    }

    /// Sends staged lines, and those being written, if they suffice for a batch.
    fn release_if_due(&mut self, context: &mut Context<Self>) {
        if self.lines_outside_backlog() >= self.config.trigger_size as u64 {
            self.release_all(context);
        }
    }

    /// Sends all staged lines, and those being written as soon as they are. Returns the number of
    /// the last file being written.
    pub(in crate::actors::buffer) fn release_all(
        &mut self,
        context: &mut Context<Self>,
    ) -> Option<u64> {
        let spool = self.spool.as_mut()?;
        let mut last = None;
        for (number, writing) in &mut spool.storing {
            if let Storing::Ahead { is_due, .. } = &mut writing.storing {
                *is_due = true;
                last = Some(*number);
            }
        }
        self.release_staged(context);
        last
    }

    pub(super) fn sealed(
        &mut self,
        batches: Vec<(Database, Batch)>,
        (began, is_due): (Instant, bool),
        stored: Option<Stored>,
        context: &mut Context<Self>,
    ) {
        let Some(spool) = &mut self.spool else { return };
        let file = stored.map(|Stored { name, bytes }| {
            let batches = batches.len();
            spool.index.copied(name, bytes, batches)
        });
        let piece = |(database, batch)| Piece {
            database,
            batch,
            file,
            newest: began,
        };
        spool.staged.extend(batches.into_iter().map(piece));
        // Lines that are only in memory have no reason to wait.
        if is_due || file.is_none() {
            self.release_staged(context);
        } else if spool.release.is_none() {
            let waited = self.config.seal_interval.min(self.config.interval);
            let ends = began + (self.config.interval - waited);
            let left = ends.saturating_duration_since(self.now());
            let release = context.run_later(left, |buffer, context| {
                buffer.release_all(context);
                buffer.pump(context);
            });
            if let Some(spool) = &mut self.spool {
                spool.release = Some(release);
            }
        }
        self.set_marks();
    }

    /// Adds staged lines to the backlog, in batches.
    fn release_staged(&mut self, context: &mut Context<Self>) {
        let now = self.now();
        let limits = BatchLimits::new(&self.config);
        let Some(spool) = &mut self.spool else { return };
        if let Some(release) = spool.release.take() {
            context.cancel_future(release);
        }
        let mut order = Vec::new();
        let mut by_database: HashMap<Database, Vec<Piece>> = HashMap::default();
        for piece in std::mem::take(&mut spool.staged) {
            let pieces = by_database
                .entry(piece.database.clone())
                .or_insert_with(|| {
                    order.push(piece.database.clone());
                    Vec::new()
                });
            pieces.push(piece);
        }
        for database in order {
            let pieces = by_database.remove(&database).unwrap_or_default();
            for together in in_batches(pieces, limits) {
                let is_copied = together.first().is_some_and(Piece::is_copied);
                let files = together.iter().filter_map(|piece| piece.file).collect();
                let newest = together.last().map_or(now, |piece| piece.newest);
                let parts = together.into_iter().map(|piece| piece.batch);
                let Some(batch) = Batch::join(parts) else {
                    continue;
                };
                let number = Some(self.dispatcher.take_number(false));
                let sealed = SealedBatch {
                    database: database.clone(),
                    batch,
                    origin: match is_copied {
                        true => Origin::WrittenAhead,
                        false => Origin::Recorded,
                    },
                    number,
                    history: RetryHistory::default(),
                    files,
                    newest,
                };
                self.dispatcher.add_sealed(sealed, now);
            }
        }
    }
}

/// Groups pieces that fit into one POST, in order. A piece on disk shares no batch with one that is
/// not: at shutdown the batch would be stored whole, and the next process would find its copies too.
fn in_batches(pieces: Vec<Piece>, limits: BatchLimits) -> Vec<Vec<Piece>> {
    let mut batches: Vec<Vec<Piece>> = Vec::new();
    let (mut lines, mut bytes) = (0, 0);
    for piece in pieces {
        lines += piece.batch.lines.len();
        bytes += piece.batch.lines.byte_len();
        let fits = lines <= limits.lines && bytes <= limits.bytes;
        let is_alike = |batch: &&mut Vec<Piece>| {
            let last = batch.last();
            last.is_some_and(|last| last.is_copied() == piece.is_copied())
        };
        match batches.last_mut().filter(|_| fits).filter(is_alike) {
            Some(batch) => batch.push(piece),
            None => {
                (lines, bytes) = (piece.batch.lines.len(), piece.batch.lines.byte_len());
                batches.push(vec![piece]);
            }
        }
    }
    batches
}
