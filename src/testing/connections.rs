//! Open connections and their threads.

use std::{
    any::Any,
    collections::HashMap,
    net::{Shutdown, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{connection::serve, state::Shared};

#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<u64, Connection>,
    accepted: u64,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Connection {
    stream: Arc<TcpStream>,
    phase: Phase,
}

/// State of a connection, as far as closing idle ones is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Within a request, or before the first.
    Busy,
    /// The response is being sent, without a scripted delay.
    Answering,
    /// Like `Answering`, then closed.
    Closing,
    /// Kept alive after a response.
    Idle,
}

impl Connections {
    /// Registers a connection. Returns its number.
    pub(super) fn open(&mut self, stream: &Arc<TcpStream>) -> u64 {
        self.accepted += 1;
        let connection = Connection {
            stream: Arc::clone(stream),
            phase: Phase::Busy,
        };
        self.open.insert(self.accepted, connection);
        self.accepted
    }

    pub(super) fn closed(&mut self, number: u64) {
        self.open.remove(&number);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn enter(&mut self, number: u64, phase: Phase) {
        if let Some(connection) = self.open.get_mut(&number) {
            connection.phase = phase;
        }
    }

    /// Notes that the response is sent. Returns whether the connection may stay open.
    pub(super) fn answered(&mut self, number: u64) -> bool {
        match self.open.get_mut(&number) {
            Some(connection) if connection.phase != Phase::Closing => {
                connection.phase = Phase::Idle;
                true
            }
            _ => false,
        }
    }

    /// Closes idle connections, and those whose response is being sent afterwards.
    pub(super) fn close_idle(&mut self) {
        for connection in self.open.values_mut() {
            match connection.phase {
                Phase::Idle => {
                    connection.phase = Phase::Closing;
                    shut_down(&connection.stream);
                }
                Phase::Answering => connection.phase = Phase::Closing,
                Phase::Busy | Phase::Closing => {}
            }
        }
    }

    /// Whether all connections found by [`close_idle`](Self::close_idle) are closed.
    pub(super) fn idle_are_closed(&self) -> bool {
        self.open
            .values()
            .all(|connection| connection.phase != Phase::Closing)
    }

    /// Closes every connection.
    pub(super) fn shut_down(&self) {
        self.open
            .values()
            .for_each(|connection| shut_down(&connection.stream));
    }

    /// Keeps a connection's thread, to join it when the server stops.
    pub(super) fn keep_thread(&mut self, thread: JoinHandle<()>) {
        self.threads.retain(|thread| !thread.is_finished());
        self.threads.push(thread);
    }

    pub(super) fn take_threads(&mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.threads)
    }
}

fn shut_down(stream: &TcpStream) {
    // An error means that the client has closed it.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Registers a connection and starts its thread.
pub(super) fn adopt(shared: &Arc<Shared>, stream: TcpStream) {
    // Responses are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let stream = Arc::new(stream);
    let mut state = shared.lock();
    if state.stopping {
        return;
    }
    let number = state.connections.open(&stream);
    let shared_state = Arc::clone(shared);
    let thread = thread::Builder::new()
        .name(format!("fake-influx-{number}"))
        .spawn(move || {
            let serving = AssertUnwindSafe(|| serve(&shared_state, number, &stream));
            let outcome = catch_unwind(serving);
            shared_state.change(|state| {
                state.connections.closed(number);
                // The registry's reference is dropped: dropping this one closes the connection.
                drop(stream);
                if let Err(panic) = outcome {
                    state.panics.push(panic_text(&*panic));
                }
            });
        });
    match thread {
        Ok(thread) => state.connections.keep_thread(thread),
        Err(error) => {
            state.connections.closed(number);
            state
                .panics
                .push(format!("no thread for connection {number}: {error}"));
        }
    }
    drop(state);
    shared.change(|_| ());
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no text)")
        .to_owned()
}
