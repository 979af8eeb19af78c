//! A file in the index.

use crate::{
    Database, delivery::retry_history::RetryHistory, spool::name::FileName, stats::report::Ticket,
};

/// POSTs that have not written lines of a file, after which others no longer wait for it.
pub(super) const MAX_FAILED_POSTS: u32 = 8;

/// Data about a batch on disk that is not in the file.
#[derive(Debug)]
pub(crate) struct SpooledBatch {
    pub(crate) database: Database,
    pub(crate) number: u64,
    pub(crate) lines: usize,
    pub(crate) history: RetryHistory,
    pub(crate) tickets: Vec<(u32, Ticket)>,
}

/// A file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
    pub(crate) state: State,
    /// The lowest of its batches' numbers: see [`Backlog`](crate::delivery::backlog::Backlog).
    pub(super) number: u64,
    /// Empty for a file of an earlier process.
    pub(crate) spooled_batches: Vec<SpooledBatch>,
    /// Number of batches in memory that need it.
    pub(super) holders: usize,
    pub(super) failures: u32,
    pub(super) progress: LoadProgress,
}

/// Progress of a loaded file's lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoadProgress {
    /// Number of POSTs that have not written its lines.
    pub(super) failed_posts: u32,
    /// Not counted for [`MAX_LOADED`].
    pub(super) is_stuck: bool,
    /// Some lines were written, or the failure may be due to a bad line: another file may succeed.
    pub(super) is_tried: bool,
}

impl LoadProgress {
    pub(super) fn note(&mut self, progress: Progress) {
        match progress {
            Progress::Written => {
                self.is_stuck = self.failed_posts >= MAX_FAILED_POSTS;
                self.is_tried = true;
            }
            Progress::Isolating => {
                self.failed_posts += 1;
                self.is_stuck |= self.failed_posts >= MAX_FAILED_POSTS;
                self.is_tried = true;
            }
            Progress::Kept { may_be_bad } => {
                self.failed_posts += 1;
                self.is_stuck = true;
                self.is_tried |= may_be_bad;
            }
        }
    }
}

/// Effect of a POST on the lines of a loaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Written,
    /// The server has refused some lines, which are being isolated.
    Isolating,
    /// The lines are sent again, later. `may_be_bad`: a single line, which may be the reason.
    Kept {
        may_be_bad: bool,
    },
}

/// Where a file's lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// On disk only.
    Waiting,
    /// On disk only, and being read.
    Loading,
    /// Also in memory, to be sent.
    Loaded,
    /// In memory, and written ahead.
    Copy,
    /// On disk only, readable by another build or after another start.
    Unreadable,
}

/// Whether a file's lines are nowhere else.
pub(crate) fn is_on_disk_only(state: State) -> bool {
    matches!(state, State::Waiting | State::Loading | State::Unreadable)
}

pub(super) fn is_removable(state: State) -> bool {
    matches!(state, State::Waiting | State::Unreadable)
}
