//! The actors, on a thread and an actix `System` of their own.

mod buffer;
mod log_limit;
mod pool;
mod replay;
mod reply;
mod subscribers;
mod writer;

use std::{io, sync::Arc, thread};

use actix::{Actor, Addr, System};

pub(crate) use self::buffer::Reconfigure;
pub use self::buffer::{BufferActor, Deliver, Flush, GetStats, Ping, Shutdown, Subscribe, Update};
use self::{pool::Pool, replay::ReplayActor, writer::WriterActor};
use crate::{
    endpoint::{Endpoint, Http},
    logging, own_thread,
    shared::Shared,
};

/// Starts the thread `influx` with the actors on it.
///
/// It outlives the program's own `System`, so what is pending when that one stops is still
/// delivered.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Addr<BufferActor>, crate::StartError> {
    let endpoints = Endpoint::all(&shared.config())?;
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("influx".to_owned())
        .spawn(move || {
            own_thread::mark();
            let system = System::new();
            let address = system.block_on(async { wire(shared, endpoints) });
            // The receiver waits, or its thread is gone: then nobody needs the address.
            _ = sender.send(address);
            if let Err(error) = system.run() {
                logging::error!("the system of the influx actors ended with an error: {error}");
            }
        })?;
    receiver
        .recv()
        .map_err(|_| io::Error::other("it ended while it was starting").into())
}

fn wire(shared: Arc<Shared>, endpoints: Vec<Endpoint>) -> Addr<BufferActor> {
    let http = Http::new();
    let start_replay = Box::new(|| ReplayActor.start().recipient());
    let pool = {
        let http = http.clone();
        Pool::new(shared.config().max_clients, move || {
            WriterActor::new(http.clone()).start().recipient()
        })
    };
    let buffer = BufferActor::new(Arc::clone(&shared), endpoints, http, pool, start_replay);
    let address = buffer.start();
    let waker = address.clone();
    shared.intake.wake_with(move || waker.do_send(buffer::Wake));
    address
}
