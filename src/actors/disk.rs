//! Does the spool's work on the disk, on its own thread: no recording thread nor the buffer actor
//! waits for a disk.
//!
//! | message | from | answer |
//! |---|---|---|
//! | [`DiskWork`] | the buffer actor | [`DiskDone`], also if this actor dies |

use actix::{Actor, Handler, SyncContext};

use super::messages::internal::{DiskDone, DiskResult, DiskWork, Task};
use crate::spool::{
    disk::Disk,
    store::{Opened, Store},
};

/// Creates the file system of a store.
pub(crate) type MakeDisk = fn() -> Box<dyn Disk>;

/// Holds the store while the folder is open.
pub(crate) struct Worker {
    make_disk: Box<dyn Fn() -> Box<dyn Disk> + Send>,
    store: Option<Store>,
}

impl Worker {
    pub(crate) fn new(make_disk: impl Fn() -> Box<dyn Disk> + Send + 'static) -> Self {
        Self {
            make_disk: Box::new(make_disk),
            store: None,
        }
    }

    pub(crate) fn work(&mut self, work: DiskWork) {
        let DiskWork { task, reply } = work;
        let result = self.result_of(task);
        reply.send(|lost| DiskDone { result, ..lost });
    }

    fn result_of(&mut self, task: Task) -> DiskResult {
        if let Task::Open(folder) = task {
            // Releases the lock first, if held.
            self.store = None;
            return match Store::open((self.make_disk)(), &folder) {
                Ok(Opened::Open(store, listing)) => {
                    self.store = Some(store);
                    DiskResult::Opened(listing)
                }
                Ok(Opened::Taken { by }) => DiskResult::Taken { by },
                Err(error) => DiskResult::Failed(error),
            };
        }
        let Some(store) = &mut self.store else {
            return DiskResult::NotOpen;
        };
        match task {
            Task::Store { sections, newest } => match store.store(&sections, newest) {
                Ok(stored) => DiskResult::Stored(stored),
                Err(error) => DiskResult::Failed(error),
            },
            Task::Load(name) => match store.load(&name) {
                Ok(sections) => DiskResult::Loaded(sections),
                Err(error) => DiskResult::NotLoaded(error),
            },
            Task::Remove(names) => {
                let mut result = DiskResult::Done;
                for name in &names {
                    if let Err(error) = store.remove(name) {
                        result = DiskResult::Failed(error);
                    }
                }
                result
            }
            Task::Open(_) | Task::Close => {
                self.store = None;
                DiskResult::Done
            }
        }
    }
}

pub(crate) struct DiskActor(Worker);

impl DiskActor {
    pub(crate) fn new(make_disk: MakeDisk) -> Self {
        Self(Worker::new(make_disk))
    }
}

impl Actor for DiskActor {
    type Context = SyncContext<Self>;
}

impl Handler<DiskWork> for DiskActor {
    type Result = ();

    fn handle(&mut self, work: DiskWork, _: &mut Self::Context) {
        self.0.work(work);
    }
}
