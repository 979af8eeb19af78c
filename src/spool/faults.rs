//! A file system that fails at a chosen step, or whose process ends there, for tests.

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

/// The fault at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fails without effect.
    Fail,
    /// Fails halfway (if the step can be halved).
    Half,
    /// The process ends before: no later step has an effect.
    EndBefore,
    /// The process ends afterwards.
    EndAfter,
    /// The process ends halfway.
    EndHalfway,
}

pub(crate) const FAULTS: [Fault; 5] = [
    Fault::Fail,
    Fault::Half,
    Fault::EndBefore,
    Fault::EndAfter,
    Fault::EndHalfway,
];

/// Counts the steps, and makes one of them fail.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    fault: Fault,
    /// Index of the step, from 0.
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

    /// Number of steps so far.
    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Relaxed)
    }

    /// Names of the steps since the last call.
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
        // Halfway, the file exists but is not locked.
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
