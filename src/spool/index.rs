//! What is in the folder, kept in memory: what is read next, what has to go, what is pending. Pure.
//!
//! Files are read from the oldest on, those of each database (as far as their names tell it) in turn
//! with those of the others: a database that can't be written has few files loaded, and the others go
//! on. Nothing here looks through all files but the end.

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

/// At most so many files are loaded at a time, of databases that work.
const MAX_LOADED: usize = 4;

/// And of those that don't, so many bytes of files.
const MAX_LOADED_BYTES: u64 = 16 << 20;

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
    /// Could the last one not be written?
    fails: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    files: BTreeMap<FileId, Entry>,
    families: HashMap<String, Family>,
    /// The oldest file of each family that may be loaded.
    turns: BTreeSet<(FileId, String)>,
    /// Files that are on disk only and can be read, by their batches' numbers.
    waiting: BTreeSet<(u64, FileId)>,
    /// Lines that are on disk only.
    lines: u64,
    bytes: u64,
    /// Loading or loaded, of families that don't fail.
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
            name,
        };
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
        let busy = |family: &Family| match family.fails {
            true => 0,
            false => family.loaded,
        };
        // One that fails has one file loaded, which is its probe.
        let turn = |family: &Family| {
            let may_load = !family.fails || family.loaded == 0;
            family.waiting.first().copied().filter(|_| may_load)
        };
        let (turn_before, busy_before) = (turn(family), busy(family));
        change(family);
        if family.loaded == 0 {
            family.fails = false;
        }
        self.busy = self.busy + busy(family) - busy_before;
        let turn_after = turn(family);
        if family.loaded == 0 && family.waiting.is_empty() {
            self.families.remove(key);
        }
        if turn_before != turn_after {
            if let Some(id) = turn_before {
                self.turns.remove(&(id, key.to_owned()));
            }
            if let Some(id) = turn_after {
                self.turns.insert((id, key.to_owned()));
            }
        }
    }

    /// The file to read next, if one more may be loaded; `at_most` are loaded at a time.
    pub(crate) fn next(&mut self, at_most: usize) -> Option<(FileId, FileName)> {
        // Files of databases that fail keep no other from being read.
        let is_much = self.loaded_bytes >= MAX_LOADED_BYTES && self.busy > 0;
        if is_much || self.busy >= MAX_LOADED.min(at_most) {
            return None;
        }
        let (id, key) = self.turns.first().cloned()?;
        let entry = self.files.get_mut(&id)?;
        entry.state = State::Loading;
        self.loading += 1;
        self.loaded_bytes += entry.bytes;
        let name = entry.name.clone();
        self.change_family(&key, |family| {
            family.waiting.remove(&id);
            family.loaded += 1;
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
            family.loaded -= 1;
            if !is_left {
                family.waiting.insert(id);
            }
        });
        is_left
    }

    /// Whether lines of a loaded file could be written.
    pub(crate) fn set_fails(&mut self, id: FileId, fails: bool) {
        let Some(entry) = self.files.get(&id) else {
            return;
        };
        let key = entry.name.database.clone();
        // A file of many databases says nothing of the others of its kind.
        if key != SEVERAL
            && self
                .families
                .get(&key)
                .is_some_and(|own| own.fails != fails)
        {
            self.change_family(&key, |family| family.fails = fails);
        }
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
                family.loaded -= usize::from(is_loaded);
            });
        }
        Some(entry)
    }

    /// Takes the oldest files out, until there is room for so many bytes more.
    pub(crate) fn make_room(&mut self, bytes: u64, max_bytes: u64) -> Vec<Entry> {
        let mut out = Vec::new();
        while self.bytes + bytes > max_bytes {
            let mut files = self.files.iter();
            let oldest = files.find(|(_, entry)| may_go(entry.state));
            let Some(id) = oldest.map(|(id, _)| *id) else {
                break;
            };
            out.extend(self.remove(id));
        }
        out
    }

    /// Whether so many bytes more are within the limit.
    pub(crate) fn has_room(&self, bytes: u64, max_bytes: u64) -> bool {
        self.bytes + bytes <= max_bytes
    }

    /// Takes out what came before `limit`.
    pub(crate) fn expire(&mut self, limit: SystemTime) -> Vec<Entry> {
        let old = self.files.iter().take_while(|(_, e)| e.name.time() < limit);
        let old = old.filter(|(_, entry)| may_go(entry.state));
        let old: Vec<_> = old.map(|(id, _)| *id).collect();
        old.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// When the newest line of the oldest file came.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let oldest = self.files.first_key_value();
        oldest.map(|(_, entry)| entry.name.time())
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
        !self.turns.is_empty()
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
