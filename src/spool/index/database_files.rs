//! The files of one database in the index.

use std::collections::BTreeSet;

use super::entry::LoadProgress;
use crate::delivery::backlog::FileId;

/// The files of one database, as far as their names tell.
#[derive(Debug, Default)]
pub(super) struct DatabaseFiles {
    pub(super) waiting: BTreeSet<FileId>,
    /// Number of files loading or loaded.
    pub(super) loaded: usize,
    /// Number of these that are stuck.
    pub(super) stuck: usize,
    /// Number of the loaded files that are not tried.
    pub(super) untried: usize,
    /// Whether the database can't be sent to.
    pub(super) fails: bool,
}

impl DatabaseFiles {
    /// Number of files that count for [`MAX_LOADED`].
    pub(super) fn busy(&self) -> usize {
        match self.fails {
            true => 0,
            false => self.loaded - self.stuck,
        }
    }

    /// The next file to load. A database that fails has one untried file loaded, as its probe.
    pub(super) fn turn(&self) -> Option<FileId> {
        let may_load = !self.fails || self.untried == 0;
        self.waiting.first().copied().filter(|_| may_load)
    }

    pub(super) fn add(&mut self, progress: LoadProgress) {
        self.loaded += 1;
        self.stuck += usize::from(progress.is_stuck);
        self.untried += usize::from(!progress.is_tried);
    }

    pub(super) fn subtract(&mut self, progress: LoadProgress) {
        self.loaded -= 1;
        self.stuck -= usize::from(progress.is_stuck);
        self.untried -= usize::from(!progress.is_tried);
    }
}
