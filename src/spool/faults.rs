//! A file system that fails at a chosen step, or whose process ends there: for tests.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

use super::disk::{Disk, FileSystem, Listed};

/// What happens at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and nothing of it is done.
    Fail,
    /// It fails when half of it is done (where a step can be halved).
    Half,
    /// The process ends before it: no later step does anything.
    EndBefore,
    /// It is done, and then the process ends.
    EndAfter,
    /// The process ends when half of it is done.
    EndHalfway,
}

pub(crate) const FAULTS: [Fault; 5] = [
    Fault::Fail,
    Fault::Half,
    Fault::EndBefore,
    Fault::EndAfter,
    Fault::EndHalfway,
];

/// Counts the steps, and lets one of them go wrong.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    fault: Fault,
    /// The number of the step, from 0.
    at: usize,
    steps: Arc<AtomicUsize>,
    /// In order.
    names: Arc<Mutex<Vec<&'static str>>>,
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl Faulty {
    pub(crate) fn new(fault: Fault, at: usize) -> Self {
        Self {
            fault,
            at,
            steps: Arc::default(),
            names: Arc::default(),
        }
    }

    /// How many steps there were.
    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Relaxed)
    }

    /// The names of the steps since the last call.
    pub(crate) fn take_names(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.names.lock())
    }

    fn step<T>(
        &self,
        name: &'static str,
        whole: impl FnOnce() -> io::Result<T>,
        half: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<T> {
        let step = self.steps.fetch_add(1, Relaxed);
        self.names.lock().push(name);
        let is_over = self.at < step
            && matches!(
                self.fault,
                Fault::EndBefore | Fault::EndAfter | Fault::EndHalfway
            );
        if is_over {
            return Err(broken());
        }
        if step != self.at {
            return whole();
        }
        match self.fault {
            Fault::Fail | Fault::EndBefore => Err(broken()),
            Fault::Half | Fault::EndHalfway => half().and_then(|()| Err(broken())),
            Fault::EndAfter => whole().and_then(|_| Err(broken())),
        }
    }
}

impl Disk for Faulty {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.step("make_folder", || FileSystem.make_folder(folder), || Ok(()))
    }

    fn lock(&self, file: &Path) -> io::Result<Option<File>> {
        // The file is there, but not locked.
        self.step(
            "lock",
            || FileSystem.lock(file),
            || File::create(file).map(drop),
        )
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        self.step("list", || FileSystem.list(folder), || Ok(()))
    }

    fn create(&self, file: &Path) -> io::Result<File> {
        self.step("create", || FileSystem.create(file), || Ok(()))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let half = &bytes[..bytes.len() / 2];
        let mut other = file.try_clone()?;
        self.step(
            "write",
            || FileSystem.write(file, bytes),
            || FileSystem.write(&mut other, half),
        )
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step("sync", || FileSystem.sync(file), || Ok(()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", || FileSystem.rename(from, to), || Ok(()))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step("sync_folder", || FileSystem.sync_folder(folder), || Ok(()))
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.step("read", || FileSystem.read(file), || Ok(()))
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.step("remove", || FileSystem.remove(file), || Ok(()))
    }
}
