//! What the buffer actor does with its spool: see [`crate::spool`] for how it works.
//!
//! All work on the disk is done by the disk actor, in order: so the answers come in order too.

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

pub(super) use self::saving::{LAST_TRY, time_for_the_disk};
use self::sealing::Piece;
use super::BufferActor;
use crate::{
    Database, SpoolState, SpoolStats,
    actors::{
        messages::internal::{DiskDone, DiskResult, DiskWork, Task, Work},
        reply::Reply,
    },
    batch::Batch,
    config::shown,
    delivery::backlog::{Evicted, Taken},
    logging,
    printable::{LIMIT, printable},
    spool::{format::Section, index::Index, name::FileName},
};

/// How long a folder that fails is left alone.
const TRY_FAILING: Duration = Duration::from_secs(5);

/// Names that a warning lists.
const NAMED: usize = 10;

/// Starts a disk actor: the first one, and another when that has died.
pub(in crate::actors) type StartDisk = Box<dyn Fn() -> Recipient<DiskWork>>;

/// The buffer actor's books of its spool.
pub(super) struct Spool {
    disk: Recipient<DiskWork>,
    start_disk: StartDisk,
    folder: PathBuf,
    state: SpoolState,
    /// Has the disk actor the folder?
    is_open: bool,
    /// Since when it fails, and until when it is left alone.
    fails: Option<(Instant, Instant)>,
    pub(super) index: Index,
    /// What is being written, by number, in order.
    storing: BTreeMap<u64, Writing>,
    next_store: u64,
    /// The numbers of those that the disk actor has not got yet, as the room for their lines may be needed for
    /// what it is writing.
    queued: VecDeque<u64>,
    /// The one whose size is to be told before it is written.
    is_weighed: Option<u64>,
    /// To be closed when all that is queued is written.
    is_closing: bool,
    /// Files that nobody waits for any more.
    late: BTreeSet<u64>,
    watchdog: Option<SpawnHandle>,
    /// Room under the quota that will be given back when it is written.
    leaving: (usize, usize),
    /// Written ahead, and not sent yet.
    staged: Vec<Piece>,
    release: Option<SpawnHandle>,
    /// The timer for the next file to load.
    load: Option<(Instant, SpawnHandle)>,
    /// Files are not read before.
    load_from: Option<Instant>,
    is_full_told: Option<Instant>,
    is_unreadable_told: bool,
    is_removal_told: bool,
    /// Bytes of what the disk actor is writing, at most.
    reserved: u64,
}

/// A file that is being written.
struct Writing {
    storing: Storing,
    sections: Vec<Section>,
    newest: SystemTime,
    /// At most: what its lines take if they are not compressed.
    bytes: u64,
}

/// Batches that are being written.
enum Storing {
    /// They leave memory.
    Overflow(Vec<Evicted>),
    /// They stay in memory.
    Ahead {
        batches: Vec<(Database, Batch)>,
        began: Instant,
        /// To be sent as soon as they are on disk.
        is_due: bool,
    },
    /// At the end.
    Last(Vec<Taken>),
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
            is_weighed: None,
            is_closing: false,
            late: BTreeSet::new(),
            watchdog: None,
            leaving: (0, 0),
            staged: Vec::new(),
            release: None,
            load: None,
            load_from: None,
            is_full_told: None,
            is_unreadable_told: false,
            is_removal_told: false,
            reserved: 0,
        }
    }

    /// Whether batches may be given to it now.
    pub(super) fn takes(&self, now: Instant) -> bool {
        match self.state {
            _ if !self.late.is_empty() => false,
            // What is sent to the disk actor waits for the end of that.
            SpoolState::Opening | SpoolState::Open => true,
            SpoolState::Taken => false,
            SpoolState::Failing => self.is_open && self.fails.is_none_or(|(_, until)| now >= until),
        }
    }

    /// Whether it has anything that is not settled, of batches numbered below a mark.
    pub(super) fn has_below(&self, mark: u64) -> bool {
        let is_below = |own: &Writing| match &own.storing {
            // Waited for by its number.
            Storing::Ahead { .. } => false,
            storing => storing.lines_below(mark) > 0,
        };
        self.state == SpoolState::Opening
            || self.index.is_waiting_below(mark)
            || self.storing.values().any(is_below)
    }

    /// The number of the first file that is being written ahead.
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

/// The time of the runtime's clock at which the system's clock showed `time`.
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

    fn ask_disk(&self, work: Work, task: Task, context: &mut Context<Self>) {
        let Some(spool) = &self.spool else { return };
        let result = DiskResult::NotOpen;
        let lost = DiskDone { work, result };
        let reply = Reply::new(context.address().recipient(), lost);
        spool.disk.do_send(DiskWork { task, reply });
    }

    fn remove_files(&self, names: Vec<FileName>, context: &mut Context<Self>) {
        if !names.is_empty() {
            self.ask_disk(Work::Remove, Task::Remove(names), context);
        }
    }

    /// Removes the files that nothing in memory needs any more.
    pub(super) fn remove_released(&mut self, context: &mut Context<Self>) {
        let released = self.dispatcher.take_released();
        let Some(spool) = &mut self.spool else { return };
        let names = released
            .into_iter()
            .filter_map(|id| spool.index.release(id));
        let names: Vec<_> = names.collect();
        self.remove_files(names, context);
    }

    pub(super) fn show_spool(&self) {
        if let Some(spool) = &self.spool {
            self.shared.spool.set(spool.stats());
        }
    }

    pub(super) fn disk_done(&mut self, done: DiskDone, context: &mut Context<Self>) {
        match (done.work, done.result) {
            (Work::Open, result) => self.opened(result, context),
            (Work::Store(number), result) if self.is_late(number) => {
                self.stored_late(number, result, context);
            }
            (Work::Store(number), result) => self.stored(number, result, context),
            (Work::Load(file), result) => self.loaded(file, result, context),
            (Work::Remove, DiskResult::Failed(error)) => {
                if let Some(spool) = &mut self.spool
                    && !std::mem::replace(&mut spool.is_removal_told, true)
                {
                    logging::warning!(
                        "a file of the spool {} could not be removed, its measurements will be sent \
                         again at the next start: {error}",
                        spool.shown()
                    );
                }
            }
            (Work::Remove, _) => {
                if let Some(spool) = &mut self.spool {
                    spool.is_removal_told = false;
                }
            }
            (Work::Close, _) => self.saved(context),
        }
        if self.shared.end().is_none() {
            self.pump(context);
        }
    }

    /// Whether anything is on its way to or from the disk.
    pub(super) fn is_spool_busy(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| {
            spool.state == SpoolState::Opening
                || !spool.storing.is_empty()
                || spool.index.is_loading()
        })
    }

    /// The lines below a mark that leave memory, and those that are written ahead, up to the file that is
    /// awaited: what comes later was recorded later.
    pub(super) fn on_the_way_below(&self, mark: u64, awaits: Option<u64>) -> u64 {
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

    /// The lines below a mark that are on disk only.
    pub(super) fn spooled_below(&self, mark: u64) -> u64 {
        let spool = self.spool.as_ref();
        spool.map_or(0, |spool| spool.index.waiting_below(mark))
    }

    /// The lines that are in memory and not in the backlog.
    pub(super) fn beside_the_backlog(&self) -> u64 {
        let Some(spool) = &self.spool else { return 0 };
        let storing = spool.storing.values().map(|own| own.storing.lines());
        let staged = spool.staged.iter().map(|piece| piece.batch.lines.len());
        storing.chain(staged).sum::<usize>() as u64
    }
}

impl Storing {
    /// Those of batches that are numbered below a mark.
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

/// The longest comment before a batch in a file.
const HEADER: usize = 256;

/// What a batch takes in a file, at most.
fn size_of_section(section: &Section) -> usize {
    section.lines.byte_len() + HEADER
}

/// Length to which a name is cut, in characters.
const NAME: usize = 200;

fn some_of(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(NAMED).collect();
    let shown = shown.iter().map(|name| printable(name, NAME));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
