//! The one way in which connections are made: by name and address, through a proxy, in TLS, or to a unix socket; below
//! the stream that reads heads. [`route`](super::route) says which.

use std::{
    cell::Cell,
    error::Error,
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    rc::Rc,
    time::Duration,
};

#[cfg(unix)]
use actix_rt::net::UnixStream;
use actix_rt::{net::TcpStream, time::timeout};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host as _, Resolve};
use awc::http::Uri;
use futures_util::{FutureExt as _, future::LocalBoxFuture};

use super::{
    fault::{Fault, FaultKind},
    happy_eyeballs,
    host::Hosts,
    route::{Kind, Route},
    stream::Stream,
    transport::Socket,
    tunnel,
};
use crate::threads;

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
        let host = self
            .hosts
            .get(authority)
            .ok_or_else(|| not_connected(format!("nothing is known of {authority}"), false))?;
        // So that a host that swallows what is sent to it is told from a server that is slow.
        let limit = (host.limit() / 2).min(MAX_TIME);
        let phase = Cell::new("connection to");
        let opened = timeout(limit, self.open(uri, &host.route(), &phase)).await;
        let socket = opened.unwrap_or_else(|_| {
            let reason = format!("no {} {} within {limit:?}", phase.get(), host.name);
            Err(not_connected(reason, false))
        })?;
        Ok(Stream::new(socket, host))
    }

    /// Tells with `phase` what is waited for.
    async fn open(
        &self,
        uri: &Uri,
        route: &Route,
        phase: &Cell<&'static str>,
    ) -> Result<Socket, Fault> {
        #[cfg(unix)]
        if let Kind::Unix(path) = &route.kind {
            let connected = UnixStream::connect(path).await;
            return connected
                .map(Socket::Unix)
                .map_err(|error| no_socket(path, &error));
        }
        // The brackets around an IPv6 address are the URL's.
        let (host, port) = (uri.hostname(), uri.port_u16().unwrap_or(80));
        let stream = match &route.proxy {
            None => self.tcp(without_brackets(host), port).await?,
            Some(proxy) => {
                phase.set("connection to the proxy for");
                let there = self.tcp(without_brackets(&proxy.host), proxy.port).await;
                let mut stream = there.map_err(|fault| {
                    let reason = format!("the proxy at {proxy} can't be reached: {}", fault.reason);
                    not_connected(reason, false)
                })?;
                phase.set("connection from the proxy to");
                tunnel::open(&mut stream, proxy, &format!("{host}:{port}")).await?;
                stream
            }
        };
        match &route.kind {
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => {
                phase.set("TLS handshake with");
                let stream = tls.connect(without_brackets(host), stream).await?;
                Ok(Socket::Tls(Box::new(stream)))
            }
            _ => Ok(Socket::Tcp(stream)),
        }
    }

    async fn tcp(&self, name: &str, port: u16) -> Result<TcpStream, Fault> {
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
        Ok(stream)
    }
}

fn without_brackets(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// A server that is not running leaves no socket, or one that nobody listens on.
#[cfg(unix)]
fn no_socket(path: &std::path::Path, error: &io::Error) -> Fault {
    use io::ErrorKind as Kind;
    let path = path.display();
    let reason = format!("{path}: {error}");
    match error.kind() {
        Kind::NotFound | Kind::ConnectionRefused => not_connected(reason, true),
        Kind::PermissionDenied => {
            let reason = format!("{reason} (the user of this process may not write to the socket)");
            Fault::new(FaultKind::Misconfigured, reason)
        }
        _ => not_connected(reason, false),
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
        let host = host.to_owned();
        async move {
            let lookup = move || (host, port).to_socket_addrs();
            let no_thread = |error| format!("nothing could look it up ({error})");
            let found = threads::elsewhere(lookup).await.map_err(no_thread)?;
            Ok(found?.collect())
        }
        .boxed_local()
    }
}

#[cfg(test)]
mod tests;
