//! File system operations of the spool, each of which can fail in tests.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

/// The operations. Each may fail, and the process may end before and after each.
pub(crate) trait Disk: Send {
    /// Creates the folder if missing, accessible to its owner only.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Locks a file; `None` if another process has it locked. Released when the file is closed,
    /// also by the end of the process.
    fn lock(&self, file: &Path) -> io::Result<Option<File>>;
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;
    /// Creates a new file, accessible to its owner only.
    fn create(&self, file: &Path) -> io::Result<File>;
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes renames in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// `None` if it is not Unicode.
    pub(crate) name: Option<String>,
    pub(crate) bytes: u64,
    pub(crate) is_file: bool,
}

/// The real file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSystem;

impl Disk for FileSystem {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let mut options = owner_only();
        let mut file = options.read(true).write(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The process id, for the other process's message; a full disk must not prevent locking.
        let id = format!("{}\n", std::process::id());
        _ = file.set_len(0);
        _ = file.rewind();
        _ = file.write_all(id.as_bytes());
        Ok(Some(file))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Ignores entries that have just been removed.
            let Ok(about) = entry.metadata() else {
                continue;
            };
            listed.push(Listed {
                name: entry.file_name().into_string().ok(),
                bytes: about.len(),
                is_file: about.is_file(),
            });
        }
        Ok(listed)
    }

    fn create(&self, file: &Path) -> io::Result<File> {
        owner_only().write(true).create_new(true).open(file)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // On other systems folders can't be opened, and renames are durable.
        match cfg!(unix) {
            true => File::open(folder)?.sync_all(),
            false => Ok(()),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }
}

/// Lines may contain personal data.
fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
