//! Connects to the first of several addresses that accepts (RFC 8305).

use std::{io, net::SocketAddr};

use actix_rt::{net::TcpStream, time::sleep};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream::FuturesUnordered,
};

/// Delay before the next address is tried too (RFC 8305 §5).
const ATTEMPT_DELAY: std::time::Duration = std::time::Duration::from_millis(250);

/// Returns the first connection; other attempts are dropped.
///
/// # Errors
///
/// If no address accepts: each with its error.
pub(super) async fn connect(
    addresses: Vec<SocketAddr>,
) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let mut errors = Vec::new();
    let mut attempts = FuturesUnordered::new();
    let mut waiting = interleaved(addresses).into_iter();
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(async move { (address, TcpStream::connect(address).await) });
        }
        let ended = match waiting.len() {
            0 => attempts.next().await,
            _ => match select(attempts.next(), Box::pin(sleep(ATTEMPT_DELAY))).await {
                Either::Left((ended, _)) => ended,
                Either::Right(_) => continue,
            },
        };
        match ended {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((address, Err(error))) => errors.push((address, error)),
            None => return Err(errors),
        }
    }
}

/// In the resolver's order (RFC 6724), alternating between the families (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_v6_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let of = |is_v6| {
        addresses
            .iter()
            .filter(move |address| address.is_ipv6() == is_v6)
    };
    let (mut first, mut second) = (of(is_v6_first), of(!is_v6_first));
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(first.next());
        order.extend(second.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener},
        time::{Duration, Instant},
    };

    use socket2::{Domain, Type};

    use super::*;

    /// Takes no connection any more: what is sent to it is swallowed.
    pub(super) struct Full {
        _listener: socket2::Socket,
        _waiting: Vec<std::net::TcpStream>,
        address: SocketAddr,
    }

    impl Full {
        fn new() -> Self {
            let listener = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            listener.bind(&any.into()).unwrap();
            listener.listen(0).unwrap();
            let address = listener.local_addr().unwrap().as_socket().unwrap();
            let connect = || {
                let limit = Duration::from_millis(300);
                std::net::TcpStream::connect_timeout(&address, limit).ok()
            };
            Self {
                _waiting: std::iter::from_fn(connect).collect(),
                _listener: listener,
                address,
            }
        }
    }

    fn live() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn refusing() -> SocketAddr {
        live().1
    }

    async fn connected(addresses: Vec<SocketAddr>) -> (SocketAddr, Duration) {
        let began = Instant::now();
        let stream = connect(addresses).await.unwrap();
        (stream.peer_addr().unwrap(), began.elapsed())
    }

    #[actix::test]
    async fn an_address_that_swallows_costs_a_quarter_of_a_second() {
        let full = Full::new();
        let (_listener, live) = live();
        let (peer, elapsed) = connected(vec![full.address, live]).await;
        assert_eq!(peer, live);
        assert!((250..1_500).contains(&elapsed.as_millis()), "{elapsed:?}");
    }

    #[actix::test]
    async fn an_address_that_refuses_costs_nothing() {
        let (_listener, live) = live();
        let (peer, elapsed) = connected(vec![refusing(), refusing(), live]).await;
        assert_eq!(peer, live);
        assert!(elapsed < Duration::from_millis(240), "{elapsed:?}");
    }

    #[actix::test]
    async fn each_address_is_tried_and_has_its_error() {
        let addresses = vec![refusing(), refusing()];
        let errors = connect(addresses.clone()).await.unwrap_err();
        assert_eq!(
            errors
                .iter()
                .map(|(address, _)| *address)
                .collect::<Vec<_>>(),
            addresses
        );
        assert!(connect(Vec::new()).await.unwrap_err().is_empty());
    }

    #[test]
    fn the_families_take_turns_from_the_first_one_on() {
        let of = |names: &[&str]| -> Vec<SocketAddr> {
            names.iter().map(|name| name.parse().unwrap()).collect()
        };
        let (a, b, c) = ("127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1");
        let (x, y) = ("[::1]:1", "[::2]:1");
        assert_eq!(interleaved(of(&[x, y, a, b, c])), of(&[x, a, y, b, c]));
        assert_eq!(interleaved(of(&[a, b, x])), of(&[a, x, b]));
        assert_eq!(interleaved(of(&[a, b])), of(&[a, b]));
        assert_eq!(interleaved(Vec::new()), Vec::new());
    }
}
