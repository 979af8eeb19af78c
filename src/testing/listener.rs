//! The port: listening, or reserved without listening.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use socket2::{Domain, Socket, Type};

use super::{connections::adopt, state::Shared};

/// Maximum number of connections waiting to be accepted.
const BACKLOG: i32 = 1_024;

#[derive(Debug)]
pub(super) enum Port {
    /// With a second socket that is bound and not listening, where the system allows that: so the
    /// port is never free for a moment, in which a client's connection could get it.
    Open(Listener, Option<Socket>),
    /// Bound, so that no other process gets the port, but not listening: connections are refused.
    Held(Socket),
    /// Only while changing between the two.
    Changing,
}

#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Port {
    /// Listens on a free loopback port.
    pub(super) fn open(shared: &Arc<Shared>) -> (Self, SocketAddr) {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let holding = hold(address_of(&socket));
        let listener = Listener::start(socket, shared);
        let address = listener.address;
        (Self::Open(listener, holding), address)
    }

    pub(super) fn refuse(&mut self) {
        *self = match std::mem::replace(self, Self::Changing) {
            Self::Open(listener, holding) => {
                let address = listener.address;
                listener.stop();
                Self::Held(holding.unwrap_or_else(|| bind(address)))
            }
            other => other,
        };
    }

    pub(super) fn accept_again(&mut self, shared: &Arc<Shared>) {
        *self = match std::mem::replace(self, Self::Changing) {
            Self::Held(socket) => {
                let holding = hold(address_of(&socket));
                Self::Open(Listener::start(socket, shared), holding)
            }
            other => other,
        };
    }

    /// Releases the port.
    pub(super) fn close(&mut self) {
        if let Self::Open(listener, _) = std::mem::replace(self, Self::Changing) {
            listener.stop();
        }
    }
}

fn address_of(socket: &Socket) -> SocketAddr {
    let address = socket.local_addr().ok().and_then(|own| own.as_socket());
    address.expect("a bound socket has an address")
}

/// Linux lets a second socket have an address while none listens there.
fn hold(address: SocketAddr) -> Option<Socket> {
    cfg!(target_os = "linux").then(|| bind(address))
}

fn bind(address: SocketAddr) -> Socket {
    let bind = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // On Windows the option would let others use the port.
        if cfg!(unix) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        std::io::Result::Ok(socket)
    };
    bind().unwrap_or_else(|error| panic!("FakeInflux can't listen on {address}: {error}"))
}

impl Listener {
    fn start(socket: Socket, shared: &Arc<Shared>) -> Self {
        socket.listen(BACKLOG).expect("a bound socket listens");
        let listener = TcpListener::from(socket);
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, shared) = (Arc::clone(&stop), Arc::clone(shared));
        let accept = move || {
            for stream in listener.incoming() {
                if theirs.load(Ordering::Acquire) {
                    break;
                }
                if let Ok(stream) = stream {
                    adopt(&shared, stream);
                }
            }
        };
        let name = "fake-influx".to_owned();
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(accept)
            .expect("a thread starts");
        Self {
            address,
            stop,
            thread,
        }
    }

    /// Stops listening, before it returns.
    fn stop(self) {
        self.stop.store(true, Ordering::Release);
        // `accept` has no timeout: a connection from here makes it return.
        while !self.thread.is_finished() && TcpStream::connect(self.address).is_err() {
            std::thread::yield_now();
        }
        // The thread only passes connections on, and their panics are stored there.
        let _ = self.thread.join();
    }
}
