//! Does the spool's work on the disk, on its own thread: no recording thread nor the buffer actor
//! waits for a disk.
//!
//! | message | from | answer |
//! |---|---|---|
//! | [`DiskWork`] | the buffer actor | [`DiskDone`], also if this actor or its thread dies |
//! | [`Ended`] | the thread, when it dies | none |

use std::sync::mpsc;

use actix::{
    Actor, ActorContext as _, Addr, AsyncContext as _, Context, Handler, Message, Recipient,
    WeakAddr,
};

use super::messages::internal::{DiskDone, DiskResult, DiskWork, Task};
use crate::{
    spool::{
        disk::Disk,
        store::{Opened, Store, StoreError},
    },
    threads,
};

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
            Task::Store {
                sections,
                newest,
                room,
            } => match store.store(&sections, newest, room) {
                Ok(stored) => DiskResult::Stored(stored),
                Err(StoreError::NoRoom { needs }) => DiskResult::NoRoom { needs },
                Err(StoreError::Io(error)) => DiskResult::Failed(error),
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

/// Passes work on to the thread.
pub(crate) struct DiskActor {
    thread: mpsc::Sender<DiskWork>,
}

impl DiskActor {
    /// Starts the thread. Without one, returns the address of an actor that has ended.
    pub(crate) fn start(
        make_disk: impl Fn() -> Box<dyn Disk> + Send + 'static,
    ) -> Recipient<DiskWork> {
        let context = Context::new();
        let address: Addr<Self> = context.address();
        let (thread, work) = mpsc::channel();
        let end = End(address.downgrade());
        let started = threads::start("influx-disk", move || {
            // The actor ends with the thread, for any reason.
            let _end = end;
            let mut worker = Worker::new(make_disk);
            work.into_iter().for_each(|work| worker.work(work));
        });
        if started.is_ok() {
            context.run(Self { thread });
        }
        address.recipient()
    }
}

impl Actor for DiskActor {
    type Context = Context<Self>;
}

impl Handler<DiskWork> for DiskActor {
    type Result = ();

    fn handle(&mut self, work: DiskWork, context: &mut Self::Context) {
        // A message that can't be sent drops its reply, which answers it.
        if self.thread.send(work).is_err() {
            context.stop();
        }
    }
}

/// Ends the actor when dropped.
struct End(WeakAddr<DiskActor>);

#[derive(Message)]
#[rtype(result = "()")]
struct Ended;

impl Drop for End {
    fn drop(&mut self) {
        if let Some(actor) = self.0.upgrade() {
            actor.do_send(Ended);
        }
    }
}

impl Handler<Ended> for DiskActor {
    type Result = ();

    fn handle(&mut self, _: Ended, context: &mut Self::Context) {
        context.stop();
    }
}
