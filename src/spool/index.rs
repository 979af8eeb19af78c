//! Index of a folder's files, in memory: what to read next, what to remove, what is pending. Pure.
//!
//! Files are read from the oldest on, alternating between databases (as far as file names tell
//! them), a few at a time. A file whose lines make no progress, for any reason, takes none of these
//! places, so that the others continue. Except at shutdown, nothing here iterates over all files.

mod database_files;
mod entry;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use foldhash::HashMap;

pub(crate) use self::entry::{Entry, Progress, SpooledBatch, State, is_on_disk_only};
use self::{
    database_files::DatabaseFiles,
    entry::{LoadProgress, is_removable},
};
use super::name::{FileName, SEVERAL};
use crate::{delivery::backlog::FileId, stats::report::Ticket};

/// Maximum number of files loaded at a time whose lines make progress.
const MAX_LOADED: usize = 4;

/// With this many bytes of files loaded, only databases without a loaded file load another.
const MAX_LOADED_BYTES: u64 = 16 << 20;

/// Failures after which an unreadable file is left alone until the next start.
const MAX_FAILURES: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Index {
    files: BTreeMap<FileId, Entry>,
    /// Files by the time of their newest line: a later file may have older lines.
    by_time: BTreeSet<(u64, FileId)>,
    databases: HashMap<String, DatabaseFiles>,
    /// The oldest loadable file of each database: of those without a loaded file, and of the others.
    next_files: [BTreeSet<(FileId, String)>; 2],
    /// Readable files that are on disk only, by batch number.
    waiting: BTreeSet<(u64, FileId)>,
    /// Lines that are on disk only.
    lines: u64,
    bytes: u64,
    /// Number of files loading or loaded, and not stuck, of databases that don't fail.
    busy: usize,
    loading: usize,
    loaded_bytes: u64,
}

fn id_of(name: &FileName) -> FileId {
    FileId(name.sequence)
}

impl Index {
    pub(crate) fn contains(&self, name: &FileName) -> bool {
        self.files.contains_key(&id_of(name))
    }

    /// Adds a file of an earlier process, with batch number `number`.
    pub(crate) fn recover(&mut self, name: FileName, bytes: u64, number: u64) {
        self.add_waiting(name, bytes, number, Vec::new());
    }

    /// Adds a file that this process has written, of batches that have left memory.
    pub(crate) fn stored(&mut self, name: FileName, bytes: u64, batches: Vec<SpooledBatch>) {
        let number = batches.iter().map(|batch| batch.number).min().unwrap_or(0);
        self.add_waiting(name, bytes, number, batches);
    }

    fn add_waiting(&mut self, name: FileName, bytes: u64, number: u64, batches: Vec<SpooledBatch>) {
        let id = id_of(&name);
        self.lines += name.lines;
        self.waiting.insert((number, id));
        self.change_database(&name.database, |database_files| {
            database_files.waiting.insert(id);
        });
        self.insert(name, bytes, number, State::Waiting, batches, 0);
    }

    /// Adds a file with copies of `holders` batches in memory.
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
        batches: Vec<SpooledBatch>,
        holders: usize,
    ) {
        self.bytes += bytes;
        let entry = Entry {
            bytes,
            state,
            number,
            spooled_batches: batches,
            holders,
            failures: 0,
            progress: LoadProgress::default(),
            name,
        };
        self.by_time.insert((entry.name.newest, id_of(&entry.name)));
        self.files.insert(id_of(&entry.name), entry);
    }

    /// Changes the files of a database, and updates its turn.
    fn change_database(&mut self, key: &str, change: impl FnOnce(&mut DatabaseFiles)) {
        if !self.databases.contains_key(key) {
            self.databases
                .insert(key.to_owned(), DatabaseFiles::default());
        }
        let Some(database_files) = self.databases.get_mut(key) else {
            return;
        };
        let turn = |database_files: &DatabaseFiles| {
            Some((
                usize::from(database_files.loaded > 0),
                database_files.turn()?,
            ))
        };
        let (turn_before, busy_before) = (turn(database_files), database_files.busy());
        change(database_files);
        if database_files.loaded == 0 {
            database_files.fails = false;
        }
        self.busy = self.busy + database_files.busy() - busy_before;
        let turn_after = turn(database_files);
        if database_files.loaded == 0 && database_files.waiting.is_empty() {
            self.databases.remove(key);
        }
        if turn_before != turn_after {
            if let Some((list, id)) = turn_before {
                self.next_files[list].remove(&(id, key.to_owned()));
            }
            if let Some((list, id)) = turn_after {
                self.next_files[list].insert((id, key.to_owned()));
            }
        }
    }

    /// The file to read next, if another may be loaded; at most `at_most` are loaded at a time.
    pub(crate) fn next(&mut self, at_most: usize) -> Option<(FileId, FileName)> {
        // Stuck files don't prevent that others are read.
        let is_much = self.loaded_bytes >= MAX_LOADED_BYTES;
        if (is_much && self.busy > 0) || self.busy >= MAX_LOADED.min(at_most) {
            return None;
        }
        let [first, more] = &self.next_files;
        let more = more.first().filter(|_| !is_much);
        let (id, key) = first.first().into_iter().chain(more).min().cloned()?;
        let entry = self.files.get_mut(&id)?;
        entry.state = State::Loading;
        entry.progress = LoadProgress::default();
        self.loading += 1;
        self.loaded_bytes += entry.bytes;
        let name = entry.name.clone();
        self.change_database(&key, |database_files| {
            database_files.waiting.remove(&id);
            database_files.add(LoadProgress::default());
        });
        Some((id, name))
    }

    /// Notes that a file was read, with its number of batches. Returns what is known of them.
    pub(crate) fn loaded(&mut self, id: FileId, batches: usize) -> Option<Vec<SpooledBatch>> {
        let entry = self.files.get_mut(&id)?;
        entry.state = State::Loaded;
        entry.holders = batches;
        self.loading -= 1;
        self.lines -= entry.name.lines;
        self.waiting.remove(&(entry.number, id));
        Some(std::mem::take(&mut entry.spooled_batches))
    }

    /// Notes that a file could not be read, for now or for good. Returns whether it is left alone
    /// from now on.
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
        self.change_database(&key, |database_files| {
            database_files.subtract(LoadProgress::default());
            if !is_left {
                database_files.waiting.insert(id);
            }
        });
        is_left
    }

    /// Notes the effect of a POST on the lines of a loaded file.
    pub(crate) fn note_progress(&mut self, id: FileId, progress: Progress) {
        self.change_progress(id, |load| load.note(progress));
    }

    /// Notes that lines of a loaded file can't be sent now.
    pub(crate) fn set_stuck(&mut self, id: FileId) {
        self.change_progress(id, |progress| progress.is_stuck = true);
    }

    fn change_progress(&mut self, id: FileId, change: impl FnOnce(&mut LoadProgress)) {
        let Some(entry) = self.files.get_mut(&id) else {
            return;
        };
        if entry.state != State::Loaded {
            return;
        }
        let before = entry.progress;
        change(&mut entry.progress);
        let (after, key) = (entry.progress, entry.name.database.clone());
        self.change_database(&key, |database_files| {
            database_files.subtract(before);
            database_files.add(after);
        });
    }

    /// Notes whether a database can't be sent to. `key` is its name as in file names.
    pub(crate) fn set_fails(&mut self, key: &str, fails: bool) {
        let changes = |files: &DatabaseFiles| files.loaded > 0 && files.fails != fails;
        if self.databases.get(key).is_some_and(changes) {
            self.change_database(key, |files| files.fails = fails);
        }
    }

    /// Whether the file has lines of several databases.
    pub(crate) fn is_shared(&self, id: FileId) -> bool {
        let entry = self.files.get(&id);
        entry.is_some_and(|entry| entry.name.database == SEVERAL)
    }

    /// Whether any file is loaded, or being read.
    pub(crate) fn has_loaded(&self) -> bool {
        self.loaded_bytes > 0
    }

    /// Notes that another batch in memory needs the file.
    pub(crate) fn hold(&mut self, id: FileId) {
        if let Some(entry) = self.files.get_mut(&id) {
            entry.holders += 1;
        }
    }

    /// Notes that a batch no longer needs the file. Returns its name if it must be removed.
    pub(crate) fn release(&mut self, id: FileId) -> Option<FileName> {
        let entry = self.files.get_mut(&id)?;
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders > 0 || !matches!(entry.state, State::Loaded | State::Copy) {
            return None;
        }
        self.remove(id).map(|entry| entry.name)
    }

    /// Removes a file from the index.
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
            self.change_database(&entry.name.database, |database_files| {
                database_files.waiting.remove(&id);
                if is_loaded {
                    database_files.subtract(entry.progress);
                }
            });
        }
        Some(entry)
    }

    /// Removes the oldest files from the index until `bytes` more fit; none, if they never would.
    pub(crate) fn make_room(&mut self, bytes: u64, max_bytes: u64) -> Vec<Entry> {
        let mut left = self.bytes;
        let mut out = Vec::new();
        let mut files = self
            .files
            .iter()
            .filter(|(_, entry)| is_removable(entry.state));
        while left + bytes > max_bytes {
            let Some((id, entry)) = files.next() else {
                return Vec::new();
            };
            left -= entry.bytes;
            out.push(*id);
        }
        out.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Whether `bytes` more fit.
    pub(crate) fn has_room(&self, bytes: u64, max_bytes: u64) -> bool {
        self.bytes + bytes <= max_bytes
    }

    /// Removes files older than `limit` from the index.
    pub(crate) fn expire(&mut self, limit: SystemTime) -> Vec<Entry> {
        let in_order = self.by_time.iter().map(|(_, id)| (*id, &self.files[id]));
        let old = in_order.take_while(|(_, entry)| entry.name.time() < limit);
        let old = old.filter(|(_, entry)| is_removable(entry.state));
        let old: Vec<_> = old.map(|(id, _)| id).collect();
        old.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// When the newest line was recorded of the file with the oldest lines.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let (_, id) = self.by_time.first()?;
        self.files.get(id).map(|entry| entry.name.time())
    }

    /// Number of readable lines that are on disk only, in batches numbered below a mark.
    pub(crate) fn waiting_below(&self, mark: u64) -> u64 {
        let below = self.waiting.range(..(mark, FileId(0)));
        below.map(|(_, id)| self.files[id].name.lines).sum()
    }

    pub(crate) fn is_waiting_below(&self, mark: u64) -> bool {
        self.waiting.range(..(mark, FileId(0))).next().is_some()
    }

    /// Whether there is a file to read.
    pub(crate) fn has_next(&self) -> bool {
        self.next_files
            .iter()
            .any(|next_files| !next_files.is_empty())
    }

    /// Whether a file is being read.
    pub(crate) fn is_loading(&self) -> bool {
        self.loading > 0
    }

    pub(crate) fn name(&self, id: FileId) -> Option<&FileName> {
        self.files.get(&id).map(|entry| &entry.name)
    }

    /// Number of lines that are on disk only.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Number of files.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the tickets of lines that are on disk only.
    pub(crate) fn take_tickets(&mut self) -> Vec<Ticket> {
        let spooled_batches = self
            .files
            .values_mut()
            .flat_map(|entry| &mut entry.spooled_batches);
        let tickets = spooled_batches.flat_map(|spooled| std::mem::take(&mut spooled.tickets));
        tickets.map(|(_, ticket)| ticket).collect()
    }
}

#[cfg(test)]
mod tests;
