//! Makes connections: to a resolved address, through a proxy, in TLS, or to a unix socket, as the
//! [`route`](super::route) says.

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

/// Maximum time for connecting, with DNS and all attempts.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Maximum number of addresses listed in an error.
const MAX_LISTED: usize = 4;

/// TCP keep-alive: finds a dead connection before the next batch, by default 10 s later.
const KEEP_ALIVE: socket2::TcpKeepalive = socket2::TcpKeepalive::new()
    .with_time(Duration::from_secs(3))
    .with_interval(Duration::from_secs(1))
    .with_retries(3);

/// Maximum number of unsent bytes in the socket's buffer. By default, Linux buffers whole batches
/// (4 MiB) for a server that reads nothing: then the request seems to be written, and an early
/// response can't be distinguished from one to the whole request.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_UNSENT: u32 = 128 << 10;

#[derive(Clone)]
pub(super) struct Connector {
    hosts: Hosts,
    resolver: Rc<dyn Resolve>,
}

impl Connector {
    pub(super) fn new(hosts: Hosts) -> Self {
        Self::with_resolver(hosts, SystemResolver)
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
            .ok_or_else(|| not_connected(format!("{authority} is unknown"), false))?;
        // Less than the request's limit, so that an unreachable host is distinguished from a slow server.
        let limit = (host.limit() / 2).min(MAX_TIME);
        let phase = Cell::new("connection to");
        let opened = timeout(limit, self.open(uri, &host.route(), &phase)).await;
        let socket = opened.unwrap_or_else(|_| {
            let reason = format!("no {} {} within {limit:?}", phase.get(), host.name);
            Err(not_connected(reason, false))
        })?;
        Ok(Stream::new(socket, host))
    }

    /// Connects; `phase` says what is in progress.
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
        // In a URL, an IPv6 address has brackets.
        let (host, port) = (uri.hostname(), uri.port_u16().unwrap_or(80));
        let stream = match &route.proxy {
            None => self.tcp(without_brackets(host), port).await?,
            Some(proxy) => {
                phase.set("connection to the proxy for");
                let connected = self.tcp(without_brackets(&proxy.host), proxy.port).await;
                let mut stream = connected.map_err(|fault| {
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

/// A server that is not running leaves no socket, or one without a listener.
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
    // Never `InvalidInput`: awc panics at that.
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

/// Sets socket options. Errors are ignored: without them, writes are slower, or a dead connection
/// is found later.
fn prepare(stream: &TcpStream) {
    // Otherwise the end of a batch waits up to 40 ms for the server's ACK (Nagle's algorithm, which
    // awc leaves on).
    _ = stream.set_nodelay(true);
    let socket = socket2::SockRef::from(stream);
    _ = socket.set_tcp_keepalive(&KEEP_ALIVE);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        _ = socket.set_tcp_notsent_lowat(MAX_UNSENT);
    }
}

/// The fault if no address accepted a connection: the first errors.
fn failed(errors: Vec<(SocketAddr, io::Error)>) -> Fault {
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let is_refused = errors.iter().all(|(_, error)| is_refused(error));
    let texts = errors
        .iter()
        .map(|(address, error)| format!("{address}: {error}"));
    let mut reason = texts.take(MAX_LISTED).collect::<Vec<_>>().join("; ");
    if errors.len() > MAX_LISTED {
        reason.push_str(&format!("; and {} more", errors.len() - MAX_LISTED));
    }
    not_connected(reason, is_refused)
}

fn not_connected(reason: String, is_refused: bool) -> Fault {
    Fault::new(FaultKind::NotConnected { is_refused }, reason)
}

/// The resolver of the operating system.
struct SystemResolver;

impl Resolve for SystemResolver {
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
