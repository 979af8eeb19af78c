//! What the spool does to the file system, step by step, so that tests can let each step fail.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

/// The steps. Each may fail, and the process may end before and after each.
pub(crate) trait Disk: Send {
    /// Makes the folder, for its owner only, if there is none.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Takes the lock of the operating system on a file; `None` if another has it. It is given back
    /// when the file is closed, also by the end of the process.
    fn lock(&self, file: &Path) -> io::Result<Option<File>>;
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;
    /// Creates a file, for its owner only, that is not there yet.
    fn create(&self, file: &Path) -> io::Result<File>;
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes renames in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// One entry of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// `None` if it is not Unicode.
    pub(crate) name: Option<String>,
    pub(crate) bytes: u64,
    pub(crate) is_file: bool,
}

/// The file system itself.
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
        let mut options = for_the_owner();
        let mut file = options.read(true).write(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // For the message of the other process: a disk without room must not keep it from being locked.
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
            // One that has just gone is none.
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
        for_the_owner().write(true).create_new(true).open(file)
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
        // Elsewhere a folder can't be opened, and renames are durable by themselves.
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

/// Lines may hold personal data.
fn for_the_owner() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
