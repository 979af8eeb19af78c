//! The buffer actor's part of the spool: see [`crate::spool`].
//!
//! The disk actor does all work on the disk, in order, so its answers arrive in order too.

mod loading;
mod opening;
mod overflowing;
mod saving;
mod sealing;
mod storing;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use actix::{AsyncContext as _, Context, Recipient, SpawnHandle};

pub(super) use self::saving::{LAST_TRY, disk_time};
use self::sealing::Piece;
use super::BufferActor;
use crate::{
    Database, SpoolState, SpoolStats,
    actors::{
        messages::internal::{DiskDone, DiskResult, DiskWork, Task, TaskId},
        reply::Reply,
    },
    batch::Batch,
    config::shown,
    delivery::backlog::{Evicted, Leftover},
    logging,
    printable::{LIMIT, printable},
    spool::{format::Section, index::Index, name::FileName},
};

/// Time before a failing folder is tried again.
const RETRY_FAILING: Duration = Duration::from_secs(5);

/// Maximum number of names in a warning.
const MAX_LISTED: usize = 10;

/// Starts a disk actor, initially and when one has died.
pub(in crate::actors) type StartDisk = Box<dyn Fn() -> Recipient<DiskWork>>;

/// The buffer actor's view of its spool.
pub(super) struct Spool {
    disk: Recipient<DiskWork>,
    start_disk: StartDisk,
    folder: PathBuf,
    state: SpoolState,
    /// Whether the disk actor has the folder open.
    is_open: bool,
    /// While it fails: since when, and until when it is not used.
    fails: Option<(Instant, Instant)>,
    pub(super) index: Index,
    /// Files being written, by number.
    storing: BTreeMap<u64, Writing>,
    next_store: u64,
    /// Numbers of files that the disk actor has not got yet, as their room may be needed for those
    /// being written.
    queued: VecDeque<u64>,
    /// The file whose size must be known before it is written.
    measured: Option<u64>,
    /// Whether to close the folder when all queued files are written.
    is_closing: bool,
    /// Files whose results are no longer awaited.
    abandoned: BTreeSet<u64>,
    watchdog: Option<SpawnHandle>,
    /// Lines and bytes that will be released under the quota once they are written.
    leaving: (usize, usize),
    /// Pieces that are written ahead, and not in the backlog yet.
    staged: Vec<Piece>,
    release: Option<SpawnHandle>,
    /// Timer for the next file to load.
    load: Option<(Instant, SpawnHandle)>,
    /// Earliest time of the next load.
    load_from: Option<Instant>,
    full_logged_at: Option<Instant>,
    unreadable_logged: bool,
    removal_logged: bool,
    /// Upper bound of the bytes being written.
    reserved: u64,
}

/// A file being written.
struct Writing {
    storing: Storing,
    sections: Vec<Section>,
    newest: SystemTime,
    /// Upper bound of the file's size: its lines uncompressed.
    bytes: u64,
}

/// Batches being written.
enum Storing {
    /// Batches that leave memory.
    Overflow(Vec<Evicted>),
    /// Batches that stay in memory.
    Ahead {
        batches: Vec<(Database, Batch)>,
        began: Instant,
        /// Sent as soon as they are on disk.
        is_due: bool,
    },
    /// Written at shutdown.
    Last(Vec<Leftover>),
}

impl Spool {
    fn new(start_disk: StartDisk, folder: PathBuf) -> Self {
        Self {
            disk: start_disk(),
            start_disk,
            folder,
            state: SpoolState::Opening,
            is_open: false,
            fails: None,
            index: Index::default(),
            storing: BTreeMap::new(),
            next_store: 0,
            queued: VecDeque::new(),
            measured: None,
            is_closing: false,
            abandoned: BTreeSet::new(),
            watchdog: None,
            leaving: (0, 0),
            staged: Vec::new(),
            release: None,
            load: None,
            load_from: None,
            full_logged_at: None,
            unreadable_logged: false,
            removal_logged: false,
            reserved: 0,
        }
    }

    /// Whether the spool can accept batches now.
    pub(super) fn takes(&self, now: Instant) -> bool {
        match self.state {
            _ if !self.abandoned.is_empty() => false,
            // The disk actor handles them after opening.
            SpoolState::Opening | SpoolState::Open => true,
            SpoolState::Taken => false,
            SpoolState::Failing => self.is_open && self.fails.is_none_or(|(_, until)| now >= until),
        }
    }

    /// Whether the spool holds unsettled lines of batches numbered below a mark.
    pub(super) fn has_below(&self, mark: u64) -> bool {
        let is_below = |own: &Writing| match &own.storing {
            // Awaited by its number.
            Storing::Ahead { .. } => false,
            storing => storing.lines_below(mark) > 0,
        };
        self.state == SpoolState::Opening
            || self.index.is_waiting_below(mark)
            || self.storing.values().any(is_below)
    }

    /// Number of the first write-ahead file being written.
    pub(super) fn first_unsealed(&self) -> Option<u64> {
        let is_ahead = |own: &Writing| matches!(own.storing, Storing::Ahead { .. });
        let mut ahead = self.storing.iter().filter(|(_, own)| is_ahead(own));
        ahead.next().map(|(number, _)| *number)
    }

    fn shown(&self) -> impl fmt::Display + use<> {
        let folder = shown::folder(&self.folder);
        printable(&folder, LIMIT).into_owned()
    }

    fn stats(&self) -> SpoolStats {
        SpoolStats {
            state: self.state,
            files: self.index.len() as u64,
            bytes: self.index.bytes(),
            oldest: self.index.oldest(),
        }
    }
}

/// Converts the system clock's `time` to the runtime's clock.
fn instant(time: SystemTime, now: Instant) -> Instant {
    let age = SystemTime::now().duration_since(time).unwrap_or_default();
    now.checked_sub(age).unwrap_or(now)
}

/// The time that the system's clock showed at `at`.
fn system_time(at: Instant, now: Instant) -> SystemTime {
    let (age, now) = (now.saturating_duration_since(at), SystemTime::now());
    now.checked_sub(age).unwrap_or(now)
}

impl BufferActor {
    pub(in crate::actors) fn set_spool(&mut self, start_disk: StartDisk, folder: PathBuf) {
        let spool = Spool::new(start_disk, folder);
        self.shared.spool.set(spool.stats());
        self.spool = Some(spool);
    }

    fn ask_disk(&self, work: TaskId, task: Task, context: &mut Context<Self>) {
        let Some(spool) = &self.spool else { return };
        let result = DiskResult::NotOpen;
        let lost = DiskDone { work, result };
        let reply = Reply::new(context.address().recipient(), lost);
        spool.disk.do_send(DiskWork { task, reply });
    }

    fn remove_files(&self, names: Vec<FileName>, context: &mut Context<Self>) {
        if !names.is_empty() {
            self.ask_disk(TaskId::Remove, Task::Remove(names), context);
        }
    }

    /// Removes files that nothing in memory needs any more.
    pub(super) fn remove_released(&mut self, context: &mut Context<Self>) {
        let released = self.dispatcher.take_released();
        let Some(spool) = &mut self.spool else { return };
        let names = released
            .into_iter()
            .filter_map(|id| spool.index.release(id));
        let names: Vec<_> = names.collect();
        self.remove_files(names, context);
    }

    pub(super) fn publish_spool(&self) {
        if let Some(spool) = &self.spool {
            self.shared.spool.set(spool.stats());
        }
    }

    pub(super) fn disk_done(&mut self, done: DiskDone, context: &mut Context<Self>) {
        match (done.work, done.result) {
            (TaskId::Open, result) => self.opened(result, context),
            (TaskId::Store(number), result) if self.is_abandoned(number) => {
                self.stored_abandoned(number, result, context);
            }
            (TaskId::Store(number), result) => self.stored(number, result, context),
            (TaskId::Load(file), result) => self.loaded(file, result, context),
            (TaskId::Remove, DiskResult::Failed(error)) => {
                if let Some(spool) = &mut self.spool
                    && !std::mem::replace(&mut spool.removal_logged, true)
                {
                    logging::warning!(
                        "a file of the spool {} could not be removed, its measurements will be sent \
                         again at the next start: {error}",
                        spool.shown()
                    );
                }
            }
            (TaskId::Remove, _) => {
                if let Some(spool) = &mut self.spool {
                    spool.removal_logged = false;
                }
            }
            (TaskId::Close, _) => self.saved(context),
        }
        if self.shared.end().is_none() {
            self.pump(context);
        }
    }

    /// Whether anything is being written, loaded or opened.
    pub(super) fn is_spool_busy(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| {
            spool.state == SpoolState::Opening
                || !spool.storing.is_empty()
                || spool.index.is_loading()
        })
    }

    /// Number of lines below a mark that are leaving memory or being written ahead, up to the file
    /// that is awaited: those in later files were recorded later.
    pub(super) fn leaving_below(&self, mark: u64, awaits: Option<u64>) -> u64 {
        let Some(spool) = &self.spool else { return 0 };
        let storing = spool
            .storing
            .iter()
            .map(|(number, own)| match &own.storing {
                Storing::Ahead { .. } if awaits.is_none_or(|last| *number > last) => 0,
                storing => storing.lines_below(mark),
            });
        storing.sum::<usize>() as u64
    }

    /// The folder, for the log.
    pub(super) fn spool_folder(&self) -> Option<String> {
        self.spool.as_ref().map(|spool| spool.shown().to_string())
    }

    /// Number of lines below a mark that are only on disk.
    pub(super) fn spooled_below(&self, mark: u64) -> u64 {
        let spool = self.spool.as_ref();
        spool.map_or(0, |spool| spool.index.waiting_below(mark))
    }

    /// Number of lines in memory outside of the backlog.
    pub(super) fn lines_outside_backlog(&self) -> u64 {
        let Some(spool) = &self.spool else { return 0 };
        let storing = spool.storing.values().map(|own| own.storing.lines());
        let staged = spool.staged.iter().map(|piece| piece.batch.lines.len());
        storing.chain(staged).sum::<usize>() as u64
    }
}

impl Storing {
    /// Number of lines in batches numbered below a mark.
    fn lines_below(&self, mark: u64) -> usize {
        let Self::Overflow(batches) = self else {
            return self.lines();
        };
        let below = batches.iter().filter(|own| own.number < mark);
        below.map(|own| own.batch.lines.len()).sum()
    }

    fn lines(&self) -> usize {
        match self {
            Self::Overflow(batches) => batches.iter().map(|own| own.batch.lines.len()).sum(),
            Self::Ahead { batches, .. } => batches.iter().map(|(_, own)| own.lines.len()).sum(),
            Self::Last(batches) => batches.iter().map(|own| own.batch.lines.len()).sum(),
        }
    }
}

/// Maximum size of the comment before a batch in a file, in bytes.
const HEADER: usize = 256;

/// Upper bound of a batch's size in a file, in bytes.
fn size_of_section(section: &Section) -> usize {
    section.lines.byte_len() + HEADER
}

/// Maximum length of a name, in characters.
const MAX_NAME_LEN: usize = 200;

fn list_names(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MAX_LISTED).collect();
    let shown = shown.iter().map(|name| printable(name, MAX_NAME_LEN));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
