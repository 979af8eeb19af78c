//! The files of a folder: written atomically, read, removed, moved aside; by one process at a time.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bytes::Bytes;

use super::{
    compression,
    disk::Disk,
    format::{self, Section, Unreadable},
    name::{self, BAD, FileName, LOCK, SEVERAL, TEMPORARY},
};

/// A folder locked by this process.
pub(crate) struct Store {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    /// Holds the lock.
    _lock: File,
    next_sequence: u64,
}

/// The result of opening a folder.
pub(crate) enum Opened {
    Open(Store, Listing),
    /// Another process has it locked.
    Taken {
        /// Its process id, if readable.
        by: Option<String>,
    },
}

/// The contents of a folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// In order.
    pub(crate) files: Vec<Found>,
    /// Names of files that don't belong to a spool, and were moved aside.
    pub(crate) moved_aside: Vec<String>,
    /// Names of files that could not be moved aside, with the reason.
    pub(crate) left: Vec<String>,
}

/// A file found in the folder.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
}

/// A file that was written.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
}

/// Why a file was not written.
#[derive(Debug, derive_more::From)]
pub(crate) enum StoreError {
    /// The file needs more bytes than there is room for.
    #[from(skip)]
    NoRoom {
        needs: u64,
    },
    Io(io::Error),
}

/// Why a file can't be loaded.
#[derive(Debug, derive_more::Display)]
pub(crate) enum LoadError {
    /// Another process removed the file.
    #[display("it is gone")]
    Gone,
    /// The file was renamed, if possible.
    #[display("{_0}")]
    Damaged(&'static str),
    /// The file stays in place for a build that can read it.
    #[display("{_0}")]
    NotForThisBuild(String),
    #[display("{_0}")]
    Io(io::Error),
}

/// A new folder with more foreign entries than this is refused.
const MAX_FOREIGN: usize = 8;

impl Store {
    /// Opens a folder and tidies up: removes temporary files, and moves aside files that don't
    /// belong to a spool.
    pub(crate) fn open(disk: Box<dyn Disk>, folder: &Path) -> io::Result<Opened> {
        disk.make_folder(folder)?;
        let lock_path = folder.join(LOCK);
        let before = disk.list(folder)?;
        let is_ours = before
            .iter()
            .any(|entry| entry.name.as_deref() == Some(LOCK));
        let is_foreign = |name: Option<&str>| name.is_none_or(|name| !belongs_here(name));
        let foreign = before
            .iter()
            .filter(|entry| is_foreign(entry.name.as_deref()));
        if !is_ours && foreign.count() > MAX_FOREIGN {
            return Err(io::Error::other(
                "the folder contains too many other files: a spool needs its own folder",
            ));
        }
        let Some(lock) = disk.lock(&lock_path)? else {
            let by = disk.read(&lock_path).ok();
            let by = by.and_then(|text| String::from_utf8(text).ok());
            let by = by.map(|text| text.trim().to_owned());
            return Ok(Opened::Taken {
                by: by.filter(|text| !text.is_empty()),
            });
        };
        let mut listing = Listing::default();
        // Listed again: before the lock, another process may have changed it.
        let entries = disk.list(folder)?;
        let names: Vec<_> = entries
            .iter()
            .filter_map(|entry| entry.name.clone())
            .collect();
        for entry in entries {
            let Some(name) = entry.name.filter(|_| entry.is_file) else {
                continue;
            };
            let path = folder.join(&name);
            if let Some(file) = FileName::parse(&name) {
                listing.files.push(Found {
                    name: file,
                    bytes: entry.bytes,
                });
            } else if is_temporary(&name) {
                // Harmless if it can't be removed.
                _ = disk.remove(&path);
            } else if name != LOCK && !name.ends_with(BAD) {
                let aside = aside(&name, |aside| names.contains(aside));
                match disk.rename(&path, &folder.join(aside)) {
                    Ok(()) => listing.moved_aside.push(name),
                    Err(error) => listing.left.push(format!("{name} ({error})")),
                }
            }
        }
        listing.files.sort_by_key(|file| file.name.sequence);
        let last = listing.files.last();
        let store = Self {
            disk,
            folder: folder.to_owned(),
            _lock: lock,
            next_sequence: last.map_or(1, |file| file.name.sequence + 1),
        };
        Ok(Opened::Open(store, listing))
    }

    /// Writes batches into one file of at most `room` bytes. When this returns, they survive the
    /// end of the process and a crash of the machine; on an error, nothing of them is left.
    pub(crate) fn store(
        &mut self,
        sections: &[Section],
        newest: SystemTime,
        room: u64,
    ) -> Result<Stored, StoreError> {
        let mut contents = format::encode(sections);
        if compression::IS_AVAILABLE {
            contents = compression::compress(&contents)?;
        }
        let needs = contents.len() as u64;
        if needs > room {
            return Err(StoreError::NoRoom { needs });
        }
        let database = match sections {
            [first, others @ ..] if others.iter().all(|own| own.database == first.database) => {
                name::escaped(&first.database.to_string())
            }
            _ => SEVERAL.to_owned(),
        };
        let name = FileName {
            sequence: self.next_sequence,
            newest: name::millis(newest),
            lines: sections.iter().map(|part| part.lines.len() as u64).sum(),
            database,
            is_compressed: compression::IS_AVAILABLE,
        };
        // Not reused, whatever is left of the file.
        self.next_sequence += 1;
        let path = self.folder.join(name.to_string());
        let temporary = self.folder.join(format!("{name}{TEMPORARY}"));
        let written = self.write_whole(&temporary, &path, &contents);
        if let Err(error) = written {
            _ = self.disk.remove(&temporary);
            _ = self.disk.remove(&path);
            return Err(error.into());
        }
        Ok(Stored { name, bytes: needs })
    }

    fn write_whole(&self, temporary: &Path, path: &Path, contents: &[u8]) -> io::Result<()> {
        let mut file = self.disk.create(temporary)?;
        self.disk.write(&mut file, contents)?;
        self.disk.sync(&file)?;
        drop(file);
        self.disk.rename(temporary, path)?;
        self.disk.sync_folder(&self.folder)
    }

    /// Reads a file; moves it aside if it is damaged.
    pub(crate) fn load(&self, name: &FileName) -> Result<Vec<Section>, LoadError> {
        let path = self.folder.join(name.to_string());
        if name.is_compressed && !compression::IS_AVAILABLE {
            return Err(LoadError::NotForThisBuild(
                "it is compressed, and this build lacks the feature gzip".to_owned(),
            ));
        }
        let contents = self.disk.read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LoadError::Gone,
            _ => LoadError::Io(error),
        })?;
        match read(name, contents) {
            Ok(sections) => Ok(sections),
            Err(Unreadable::Damaged(reason)) => {
                _ = self
                    .disk
                    .rename(&path, &self.folder.join(format!("{name}{BAD}")));
                Err(LoadError::Damaged(reason))
            }
            Err(newer @ Unreadable::Newer(_)) => Err(LoadError::NotForThisBuild(newer.to_string())),
        }
    }

    /// Removes a file; a missing file is no error.
    pub(crate) fn remove(&self, name: &FileName) -> io::Result<()> {
        match self.disk.remove(&self.folder.join(name.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Decodes the contents of a file with this name.
pub(crate) fn read(name: &FileName, contents: Vec<u8>) -> Result<Vec<Section>, Unreadable> {
    let contents = match name.is_compressed {
        true => compression::decompress(&contents)
            .map_err(|_| Unreadable::Damaged("it is not a complete gzip file"))?,
        false => Bytes::from(contents),
    };
    let sections = format::decode(&contents)?;
    let lines: u64 = sections.iter().map(|part| part.lines.len() as u64).sum();
    match lines == name.lines {
        true => Ok(sections),
        false => Err(Unreadable::Damaged(
            "the number of lines differs from its name",
        )),
    }
}

/// An unused name for a file that is moved aside.
fn aside(name: &str, is_taken: impl Fn(&String) -> bool) -> String {
    let numbered = (1..).map(|number| format!("{name}.{number}{BAD}"));
    let mut names = std::iter::once(format!("{name}{BAD}")).chain(numbered);
    names.find(|aside| !is_taken(aside)).unwrap_or_default()
}

/// Whether this is the name of a spool's temporary file.
fn is_temporary(name: &str) -> bool {
    let name = name.strip_suffix(TEMPORARY);
    name.is_some_and(|name| FileName::parse(name).is_some())
}

/// Whether this is a name that a spool or a file system creates.
fn belongs_here(name: &str) -> bool {
    name == LOCK
        || name == "lost+found"
        || name.ends_with(BAD)
        || is_temporary(name)
        || FileName::parse(name).is_some()
}

#[cfg(test)]
mod tests;
