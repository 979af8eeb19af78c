//! What is in the folder, kept in memory: what is read next, what has to go, what is pending. Pure.
//!
//! Files are read from the oldest on, those of each database (as far as their names tell it) in turn
//! with those of the others, a few at a time. A file whose lines don't get on, for whatever reason, takes
//! none of these places, so that the others go on. Nothing here looks through all files but the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use foldhash::HashMap;

use super::name::{FileName, SEVERAL};
use crate::{
    Database,
    delivery::{backlog::FileId, retry_history::RetryHistory},
    stats::report::Ticket,
};

/// At most so many files are loaded at a time whose lines get on.
const MAX_LOADED: usize = 4;

/// With so many bytes of files loaded, no more are loaded but one of each database that has none.
const MAX_LOADED_BYTES: u64 = 16 << 20;

/// After so many POSTs that have not written lines of a file, others no longer wait for its end.
const MAX_SETBACKS: u32 = 8;

/// A file that can't be read so many times is left alone until the next start.
const MAX_FAILURES: u32 = 3;

/// What is known of a batch that this process has put on disk, beyond what is in its file.
#[derive(Debug)]
pub(crate) struct Memo {
    pub(crate) database: Database,
    pub(crate) number: u64,
    pub(crate) lines: usize,
    pub(crate) history: RetryHistory,
    pub(crate) tickets: Vec<(u32, Ticket)>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
    pub(crate) state: State,
    /// The lowest number of its batches: see [`Backlog`](crate::delivery::backlog::Backlog).
    number: u64,
    /// Empty for a file of an earlier process.
    pub(crate) memos: Vec<Memo>,
    /// How many batches in memory need it.
    holders: usize,
    failures: u32,
    way: Way,
}

/// How the lines of a loaded file get on.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// POSTs that have not written lines of it.
    setbacks: u32,
    /// It takes no place among those that are loaded.
    is_stuck: bool,
    /// Some of its lines have passed, or what fails may be a bad line: another file may tell.
    is_tried: bool,
}

/// What a POST did for the lines of a loaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Written,
    /// The server has said what is wrong with some lines, and these are looked for.
    LookedInto,
    /// They are sent again, later. `may_be_bad`: there was one line, which may be the reason.
    Kept {
        may_be_bad: bool,
    },
}

/// Where the lines of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// On disk only.
    Waiting,
    /// The same, and being read.
    Loading,
    /// In memory too, to be sent.
    Loaded,
    /// In memory, and written ahead.
    Copy,
    /// On disk only, for another build or another start to read.
    Unreadable,
}

/// Files whose names tell the same database.
#[derive(Debug, Default)]
struct Family {
    waiting: BTreeSet<FileId>,
    /// How many are loading or loaded.
    loaded: usize,
    /// How many of these are stuck.
    stuck: usize,
    /// And how many are not tried.
    untried: usize,
    /// Is the database kept from being sent to?
    fails: bool,
}

impl Family {
    /// How many places it takes.
    fn busy(&self) -> usize {
        match self.fails {
            true => 0,
            false => self.loaded - self.stuck,
        }
    }

    /// The next file. A database that fails has one file loaded that tells whether it works again.
    fn turn(&self) -> Option<FileId> {
        let may_load = !self.fails || self.untried == 0;
        self.waiting.first().copied().filter(|_| may_load)
    }

    fn add(&mut self, way: Way) {
        self.loaded += 1;
        self.stuck += usize::from(way.is_stuck);
        self.untried += usize::from(!way.is_tried);
    }

    fn take(&mut self, way: Way) {
        self.loaded -= 1;
        self.stuck -= usize::from(way.is_stuck);
        self.untried -= usize::from(!way.is_tried);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    files: BTreeMap<FileId, Entry>,
    /// By the time of their newest lines: a file that is written later may hold older ones.
    by_time: BTreeSet<(u64, FileId)>,
    families: HashMap<String, Family>,
    /// The oldest file of each family that may be loaded: of those that have none loaded, and of the
    /// others.
    turns: [BTreeSet<(FileId, String)>; 2],
    /// Files that are on disk only and can be read, by their batches' numbers.
    waiting: BTreeSet<(u64, FileId)>,
    /// Lines that are on disk only.
    lines: u64,
    bytes: u64,
    /// Loading or loaded, and not stuck, of families that don't fail.
    busy: usize,
    loading: usize,
    loaded_bytes: u64,
}

fn id_of(name: &FileName) -> FileId {
    FileId(name.sequence)
}

impl Index {
    pub(crate) fn knows(&self, name: &FileName) -> bool {
        self.files.contains_key(&id_of(name))
    }

    /// A file of an earlier process; its batches are older than all with a number above `number`.
    pub(crate) fn recover(&mut self, name: FileName, bytes: u64, number: u64) {
        self.wait(name, bytes, number, Vec::new());
    }

    /// A file that this process has written, of batches that have left memory.
    pub(crate) fn stored(&mut self, name: FileName, bytes: u64, memos: Vec<Memo>) {
        let number = memos.iter().map(|memo| memo.number).min().unwrap_or(0);
        self.wait(name, bytes, number, memos);
    }

    fn wait(&mut self, name: FileName, bytes: u64, number: u64, memos: Vec<Memo>) {
        let id = id_of(&name);
        self.lines += name.lines;
        self.waiting.insert((number, id));
        self.change_family(&name.database, |family| {
            family.waiting.insert(id);
        });
        self.insert(name, bytes, number, State::Waiting, memos, 0);
    }

    /// A file that holds copies of so many batches that are in memory.
    pub(crate) fn copied(&mut self, name: FileName, bytes: u64, holders: usize) -> FileId {
        let id = id_of(&name);
        self.insert(name, bytes, 0, State::Copy, Vec::new(), holders);
        id
    }

    fn insert(
        &mut self,
        name: FileName,
        bytes: u64,
        number: u64,
        state: State,
        memos: Vec<Memo>,
        holders: usize,
    ) {
        self.bytes += bytes;
        let entry = Entry {
            bytes,
            state,
            number,
            memos,
            holders,
            failures: 0,
            way: Way::default(),
            name,
        };
        self.by_time.insert((entry.name.newest, id_of(&entry.name)));
        self.files.insert(id_of(&entry.name), entry);
    }

    /// Changes a family, and gives it its place among the turns again.
    fn change_family(&mut self, key: &str, change: impl FnOnce(&mut Family)) {
        if !self.families.contains_key(key) {
            self.families.insert(key.to_owned(), Family::default());
        }
        let Some(family) = self.families.get_mut(key) else {
            return;
        };
        let turn = |family: &Family| Some((usize::from(family.loaded > 0), family.turn()?));
        let (turn_before, busy_before) = (turn(family), family.busy());
        change(family);
        if family.loaded == 0 {
            family.fails = false;
        }
        self.busy = self.busy + family.busy() - busy_before;
        let turn_after = turn(family);
        if family.loaded == 0 && family.waiting.is_empty() {
            self.families.remove(key);
        }
        if turn_before != turn_after {
            if let Some((list, id)) = turn_before {
                self.turns[list].remove(&(id, key.to_owned()));
            }
            if let Some((list, id)) = turn_after {
                self.turns[list].insert((id, key.to_owned()));
            }
        }
    }

    /// The file to read next, if one more may be loaded; `at_most` are loaded at a time.
    pub(crate) fn next(&mut self, at_most: usize) -> Option<(FileId, FileName)> {
        // Files that are stuck keep no other from being read.
        let is_much = self.loaded_bytes >= MAX_LOADED_BYTES;
        if (is_much && self.busy > 0) || self.busy >= MAX_LOADED.min(at_most) {
            return None;
        }
        let [first, more] = &self.turns;
        let more = more.first().filter(|_| !is_much);
        let (id, key) = first.first().into_iter().chain(more).min().cloned()?;
        let entry = self.files.get_mut(&id)?;
        entry.state = State::Loading;
        entry.way = Way::default();
        self.loading += 1;
        self.loaded_bytes += entry.bytes;
        let name = entry.name.clone();
        self.change_family(&key, |family| {
            family.waiting.remove(&id);
            family.add(Way::default());
        });
        Some((id, name))
    }

    /// A file has been read: what is known of its batches, which are so many.
    pub(crate) fn loaded(&mut self, id: FileId, batches: usize) -> Option<Vec<Memo>> {
        let entry = self.files.get_mut(&id)?;
        entry.state = State::Loaded;
        entry.holders = batches;
        self.loading -= 1;
        self.lines -= entry.name.lines;
        self.waiting.remove(&(entry.number, id));
        Some(std::mem::take(&mut entry.memos))
    }

    /// A file could not be read, for now or for good. Returns whether it is left alone from now on.
    pub(crate) fn not_loaded(&mut self, id: FileId, for_good: bool) -> bool {
        let Some(entry) = self.files.get_mut(&id) else {
            return false;
        };
        entry.failures += 1;
        self.loading -= 1;
        let is_left = for_good || entry.failures >= MAX_FAILURES;
        entry.state = match is_left {
            true => State::Unreadable,
            false => State::Waiting,
        };
        self.loaded_bytes -= entry.bytes;
        let (key, number) = (entry.name.database.clone(), entry.number);
        if is_left {
            self.waiting.remove(&(number, id));
        }
        self.change_family(&key, |family| {
            family.take(Way::default());
            if !is_left {
                family.waiting.insert(id);
            }
        });
        is_left
    }

    /// What a POST did for the lines of a loaded file.
    pub(crate) fn came_of(&mut self, id: FileId, progress: Progress) {
        self.change_way(id, |way| match progress {
            Progress::Written => {
                way.is_stuck = way.setbacks >= MAX_SETBACKS;
                way.is_tried = true;
            }
            Progress::LookedInto => {
                way.setbacks += 1;
                way.is_stuck |= way.setbacks >= MAX_SETBACKS;
                way.is_tried = true;
            }
            Progress::Kept { may_be_bad } => {
                way.setbacks += 1;
                way.is_stuck = true;
                way.is_tried |= may_be_bad;
            }
        });
    }

    /// Lines of a loaded file can't be sent now.
    pub(crate) fn set_stuck(&mut self, id: FileId) {
        self.change_way(id, |way| way.is_stuck = true);
    }

    fn change_way(&mut self, id: FileId, change: impl FnOnce(&mut Way)) {
        let Some(entry) = self.files.get_mut(&id) else {
            return;
        };
        if entry.state != State::Loaded {
            return;
        }
        let before = entry.way;
        change(&mut entry.way);
        let (after, key) = (entry.way, entry.name.database.clone());
        self.change_family(&key, |family| {
            family.take(before);
            family.add(after);
        });
    }

    /// Whether a database is kept from being sent to. Its name is as in the names of files.
    pub(crate) fn set_fails(&mut self, key: &str, fails: bool) {
        let family = self.families.get(key);
        if family.is_some_and(|family| family.loaded > 0 && family.fails != fails) {
            self.change_family(key, |family| family.fails = fails);
        }
    }

    /// Is the file one of several databases?
    pub(crate) fn is_of_many(&self, id: FileId) -> bool {
        let entry = self.files.get(&id);
        entry.is_some_and(|entry| entry.name.database == SEVERAL)
    }

    /// Is any file loaded, or being read?
    pub(crate) fn has_loaded(&self) -> bool {
        self.loaded_bytes > 0
    }

    /// One more batch in memory needs the file.
    pub(crate) fn hold(&mut self, id: FileId) {
        if let Some(entry) = self.files.get_mut(&id) {
            entry.holders += 1;
        }
    }

    /// One batch less needs the file. Returns its name if it has to be removed.
    pub(crate) fn release(&mut self, id: FileId) -> Option<FileName> {
        let entry = self.files.get_mut(&id)?;
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders > 0 || !matches!(entry.state, State::Loaded | State::Copy) {
            return None;
        }
        self.remove(id).map(|entry| entry.name)
    }

    /// Takes a file out.
    pub(crate) fn remove(&mut self, id: FileId) -> Option<Entry> {
        let entry = self.files.remove(&id)?;
        self.by_time.remove(&(entry.name.newest, id));
        self.bytes -= entry.bytes;
        if is_on_disk_only(entry.state) {
            self.lines -= entry.name.lines;
            self.waiting.remove(&(entry.number, id));
        }
        let is_loaded = matches!(entry.state, State::Loading | State::Loaded);
        if is_loaded {
            self.loaded_bytes -= entry.bytes;
            self.loading -= usize::from(entry.state == State::Loading);
        }
        if is_loaded || entry.state == State::Waiting {
            self.change_family(&entry.name.database, |family| {
                family.waiting.remove(&id);
                if is_loaded {
                    family.take(entry.way);
                }
            });
        }
        Some(entry)
    }

    /// Takes the oldest files out, until there is room for so many bytes more; none, if there never is.
    pub(crate) fn make_room(&mut self, bytes: u64, max_bytes: u64) -> Vec<Entry> {
        let mut left = self.bytes;
        let mut out = Vec::new();
        let mut files = self.files.iter().filter(|(_, entry)| may_go(entry.state));
        while left + bytes > max_bytes {
            let Some((id, entry)) = files.next() else {
                return Vec::new();
            };
            left -= entry.bytes;
            out.push(*id);
        }
        out.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Whether so many bytes more are within the limit.
    pub(crate) fn has_room(&self, bytes: u64, max_bytes: u64) -> bool {
        self.bytes + bytes <= max_bytes
    }

    /// Takes out what came before `limit`.
    pub(crate) fn expire(&mut self, limit: SystemTime) -> Vec<Entry> {
        let in_order = self.by_time.iter().map(|(_, id)| (*id, &self.files[id]));
        let old = in_order.take_while(|(_, entry)| entry.name.time() < limit);
        let old = old.filter(|(_, entry)| may_go(entry.state));
        let old: Vec<_> = old.map(|(id, _)| id).collect();
        old.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// When the newest line of the file came whose lines are the oldest.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let (_, id) = self.by_time.first()?;
        self.files.get(id).map(|entry| entry.name.time())
    }

    /// The lines on disk only, of batches that are numbered below a mark and can be read.
    pub(crate) fn waiting_below(&self, mark: u64) -> u64 {
        let below = self.waiting.range(..(mark, FileId(0)));
        below.map(|(_, id)| self.files[id].name.lines).sum()
    }

    pub(crate) fn is_waiting_below(&self, mark: u64) -> bool {
        self.waiting.range(..(mark, FileId(0))).next().is_some()
    }

    /// Is there a file that may be read?
    pub(crate) fn has_next(&self) -> bool {
        self.turns.iter().any(|turns| !turns.is_empty())
    }

    /// Is a file being read?
    pub(crate) fn is_loading(&self) -> bool {
        self.loading > 0
    }

    pub(crate) fn name(&self, id: FileId) -> Option<&FileName> {
        self.files.get(&id).map(|entry| &entry.name)
    }

    /// Lines that are on disk only.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tickets of what is on disk only.
    pub(crate) fn take_tickets(&mut self) -> Vec<Ticket> {
        let memos = self.files.values_mut().flat_map(|entry| &mut entry.memos);
        let tickets = memos.flat_map(|memo| std::mem::take(&mut memo.tickets));
        tickets.map(|(_, ticket)| ticket).collect()
    }
}

/// Whether the lines of a file are nowhere else.
pub(crate) fn is_on_disk_only(state: State) -> bool {
    matches!(state, State::Waiting | State::Loading | State::Unreadable)
}

fn may_go(state: State) -> bool {
    matches!(state, State::Waiting | State::Unreadable)
}

#[cfg(test)]
mod tests;
