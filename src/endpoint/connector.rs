//! The one way in which connections are made. TLS, unix sockets and tunnels through a proxy belong here,
//! between the resolver and the stream that reads heads: see [`transport`](super::transport).
//!
//! awc pools connections by the authority of their URL, and would do TLS itself, above the stream, for
//! `https`. So what kind of transport is meant has to be a part of that authority, and the URL that awc is given
//! stays `http`.

use std::{error::Error, io, net::SocketAddr, rc::Rc, time::Duration};

use actix_rt::{net::TcpStream, time::timeout};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host as _, Resolve};
use awc::http::Uri;
use futures_util::{FutureExt as _, future::LocalBoxFuture};

use super::{
    fault::{Fault, FaultKind},
    happy_eyeballs,
    host::Hosts,
    stream::Stream,
    transport::Socket,
};

/// The longest that connecting may take, names and all attempts included.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Of how many addresses a failure tells.
const MAX_TOLD: usize = 4;

/// When a connection that says nothing is asked whether it is still there, how often, and how many
/// times: so that one that is dead is found before the next batch, 10 s later by default.
const KEEP_ALIVE: socket2::TcpKeepalive = socket2::TcpKeepalive::new()
    .with_time(Duration::from_secs(3))
    .with_interval(Duration::from_secs(1))
    .with_retries(3);

/// How much of a request the system may hold that it can't send yet, in bytes. By itself, Linux takes whole
/// batches (4 MiB) for a server that reads nothing: then all of it seems to be written, and an early answer
/// can't be told from one to the whole request.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_UNSENT: u32 = 128 << 10;

#[derive(Clone)]
pub(super) struct Connector {
    hosts: Hosts,
    resolver: Rc<dyn Resolve>,
}

impl Connector {
    pub(super) fn new(hosts: Hosts) -> Self {
        Self::with_resolver(hosts, System)
    }

    pub(super) fn with_resolver(hosts: Hosts, resolver: impl Resolve + 'static) -> Self {
        let resolver = Rc::new(resolver);
        Self { hosts, resolver }
    }

    async fn connect(&self, uri: &Uri) -> Result<Stream<Socket>, Fault> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = self.hosts.get(authority);
        // So that a host that swallows what is sent to it is told from a server that is slow.
        let limit = (host.limit() / 2).min(MAX_TIME);
        let opened = timeout(limit, self.open(uri)).await;
        let socket = opened.unwrap_or_else(|_| {
            let reason = format!("no connection to {authority} within {limit:?}");
            Err(not_connected(reason, false))
        })?;
        Ok(Stream::new(socket, host))
    }

    async fn open(&self, uri: &Uri) -> Result<Socket, Fault> {
        let name = uri.hostname();
        // The brackets around an IPv6 address are the URL's.
        let name = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        let port = uri.port_u16().unwrap_or(80);
        let addresses =
            match name.parse() {
                Ok(address) => vec![SocketAddr::new(address, port)],
                Err(_) => self.resolver.lookup(name, port).await.map_err(|error| {
                    not_connected(format!("{name} has no address: {error}"), false)
                })?,
            };
        if addresses.is_empty() {
            return Err(not_connected(format!("{name} has no address"), false));
        }
        let stream = happy_eyeballs::connect(addresses).await.map_err(failed)?;
        prepare(&stream);
        Ok(Socket::Tcp(stream))
    }
}

impl Service<ConnectInfo<Uri>> for Connector {
    type Response = Connection<Uri, Stream<Socket>>;
    // Never `InvalidInput`: at that, awc panics.
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    actix_service::always_ready!();

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let (connector, uri) = (self.clone(), request.request().clone());
        async move {
            let stream = connector.connect(&uri).await;
            let stream = stream.map_err(|fault| ConnectError::Io(fault.into()))?;
            Ok(Connection::new(uri, stream))
        }
        .boxed_local()
    }
}

/// What connections need that are kept. None of it may fail a request: without it, they are slower to
/// deliver, or to be found dead.
fn prepare(stream: &TcpStream) {
    // The end of a batch would else wait up to 40 ms for the server to acknowledge what was sent
    // before (Nagle's algorithm, which awc leaves on).
    _ = stream.set_nodelay(true);
    let socket = socket2::SockRef::from(stream);
    _ = socket.set_tcp_keepalive(&KEEP_ALIVE);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        _ = socket.set_tcp_notsent_lowat(MAX_UNSENT);
    }
}

/// No address took a connection: the first few with their errors.
fn failed(errors: Vec<(SocketAddr, io::Error)>) -> Fault {
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let is_refused = errors.iter().all(|(_, error)| is_refused(error));
    let texts = errors
        .iter()
        .map(|(address, error)| format!("{address}: {error}"));
    let mut reason = texts.take(MAX_TOLD).collect::<Vec<_>>().join("; ");
    if errors.len() > MAX_TOLD {
        reason.push_str(&format!("; and {} more", errors.len() - MAX_TOLD));
    }
    not_connected(reason, is_refused)
}

fn not_connected(reason: String, is_refused: bool) -> Fault {
    Fault::new(FaultKind::NotConnected { is_refused }, reason)
}

/// The system's resolver.
struct System;

impl Resolve for System {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        let lookup = tokio::net::lookup_host((host, port));
        async { Ok(lookup.await?.collect()) }.boxed_local()
    }
}

#[cfg(test)]
mod tests;
