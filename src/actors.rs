//! The actors, on a thread and an actix `System` of their own.

mod budget;
mod buffer;
mod disk;
mod ingest;
mod log_limit;
pub mod messages;
mod pool;
mod replay;
mod reply;
mod subscribers;
mod writer;

use std::{io, sync::Arc, thread};

use actix::{Actor, Addr, AsyncContext as _, Context, System};

pub(crate) use self::buffer::has_another_server;
pub use self::ingest::IngestActor;
use self::{
    buffer::BufferActor, disk::DiskActor, messages::internal::Wake, pool::Pool,
    replay::ReplayActor, writer::WriterActor,
};
use crate::{
    StartError,
    config::Files,
    endpoint::{Endpoint, Http},
    influx::own_thread,
    influx::shared::Shared,
    logging,
    spool::disk::FileSystem,
};

/// Addresses of a pipeline's actors.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// The address for programs.
    pub(crate) ingest: Addr<IngestActor>,
    /// The address for the handle, whose messages don't wait behind those of programs.
    pub(crate) buffer: Addr<BufferActor>,
}

impl Addresses {
    /// Addresses without actors: messages to them are dropped.
    pub(crate) fn without_actors() -> Self {
        Self {
            ingest: Context::new().address(),
            buffer: Context::new().address(),
        }
    }
}

/// Starts the thread `influx` with the actors on it.
///
/// The thread outlives the program's own `System`, so measurements that are pending when that one stops
/// are still delivered.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Addresses, StartError> {
    let files = Files::read(&shared.config())?;
    let endpoints = Endpoint::with_files(&shared.config(), &files)?;
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("influx".to_owned())
        .spawn(move || {
            own_thread::mark();
            let system = System::new();
            let addresses = system.block_on(async { wire(shared, endpoints, files) });
            // The receiver is waiting, or its thread has ended.
            _ = sender.send(addresses);
            if let Err(error) = system.run() {
                logging::error!("the system of the influx actors ended with an error: {error}");
            }
        })
        .map_err(StartError::Thread)?;
    receiver
        .recv()
        .map_err(|_| StartError::Thread(io::Error::other("the thread ended while it was starting")))
}

fn wire(shared: Arc<Shared>, endpoints: Vec<Endpoint>, files: Files) -> Addresses {
    let http = Http::new();
    let start_replay = Box::new(|| ReplayActor::default().start().recipient());
    let pool = {
        let http = http.clone();
        Pool::new(shared.config().max_clients, move || {
            WriterActor::new(http.clone()).start().recipient()
        })
    };
    let mut buffer = BufferActor::new(Arc::clone(&shared), endpoints, http, pool, start_replay);
    buffer.set_files(files);
    if let Some(folder) = shared.config().spool_dir.clone() {
        let start = || DiskActor::start(|| Box::new(FileSystem));
        buffer.set_spool(Box::new(start), folder);
    }
    join(shared, buffer)
}

/// Starts the ingest actor and the buffer actor.
fn join(shared: Arc<Shared>, mut buffer: BufferActor) -> Addresses {
    let context = Context::new();
    let address: Addr<BufferActor> = context.address();
    let ingest = IngestActor::new(Arc::clone(&shared), address.clone()).start();
    buffer.set_ingest(ingest.clone().recipient());
    context.run(buffer);
    let waker = address.clone();
    shared.intake.wake_with(move || waker.do_send(Wake));
    Addresses {
        ingest,
        buffer: address,
    }
}
