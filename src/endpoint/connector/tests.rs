use std::{
    net::{Ipv4Addr, TcpListener},
    time::Instant,
};

use socket2::{Domain, Type};

use super::*;

fn live() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Answers each name with these addresses.
struct Fixed(Vec<SocketAddr>);

impl Resolve for Fixed {
    fn lookup<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        async { Ok(self.0.clone()) }.boxed_local()
    }
}

struct Broken;

impl Resolve for Broken {
    fn lookup<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        async { Err("no such name".into()) }.boxed_local()
    }
}

async fn open(resolver: impl Resolve + 'static, url: &str) -> Result<TcpStream, Fault> {
    let connector = Connector::with_resolver(Hosts::default(), resolver);
    let (route, phase) = (Route::tcp(), Cell::new(""));
    let socket = connector
        .open(&url.parse().unwrap(), &route, &phase)
        .await?;
    match socket {
        Socket::Tcp(stream) => Ok(stream),
        other => panic!("{other:?}"),
    }
}

fn refusal(fault: Fault) -> (String, bool) {
    match fault.kind {
        FaultKind::NotConnected { is_refused } => (fault.reason, is_refused),
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn a_connection_sends_at_once_and_is_asked_whether_it_is_there() {
    let (_listener, address) = live();
    let stream = open(SystemResolver, &format!("http://{address}"))
        .await
        .unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(socket2::SockRef::from(&stream).keepalive().unwrap());
}

#[cfg(target_os = "linux")]
#[actix::test]
async fn a_connection_fails_when_what_is_sent_is_not_acknowledged() {
    use super::super::transport::Transport as _;

    let (_listener, address) = live();
    let stream = open(SystemResolver, &format!("http://{address}"))
        .await
        .unwrap();
    let socket = Socket::Tcp(stream);
    for time in [Some(Duration::from_secs(2)), None] {
        socket.fail_unacknowledged_after(time);
        let Socket::Tcp(stream) = &socket else {
            panic!("{socket:?}");
        };
        assert_eq!(
            socket2::SockRef::from(stream).tcp_user_timeout().unwrap(),
            time
        );
    }
}

#[actix::test]
async fn localhost_is_found_at_whichever_of_its_addresses_somebody_listens() {
    for listener in [
        TcpListener::bind("127.0.0.1:0"),
        TcpListener::bind("[::1]:0"),
    ] {
        let Ok(listener) = listener else {
            // Without IPv6.
            continue;
        };
        let address = listener.local_addr().unwrap();
        let stream = open(
            SystemResolver,
            &format!("http://localhost:{}", address.port()),
        )
        .await;
        match stream {
            Ok(stream) => assert_eq!(stream.peer_addr().unwrap(), address),
            // `localhost` may have one address only.
            Err(fault) => assert!(address.is_ipv6(), "{fault:?}"),
        }
        let stream = open(SystemResolver, &format!("http://{address}"))
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }
}

#[actix::test]
async fn an_address_that_swallows_does_not_keep_the_next_from_being_tried() {
    let full = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    full.listen(0).unwrap();
    let swallows = full.local_addr().unwrap().as_socket().unwrap();
    let limit = Duration::from_millis(300);
    let connect = || std::net::TcpStream::connect_timeout(&swallows, limit).ok();
    let _waiting: Vec<_> = std::iter::from_fn(connect).collect();

    let (_listener, address) = live();
    let began = Instant::now();
    let stream = open(Fixed(vec![swallows, address]), "http://name")
        .await
        .unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    assert!(began.elapsed() < Duration::from_millis(1_500));

    // Alone, it costs the time for connecting, which is a part of the whole.
    let hosts = Hosts::default();
    let host = hosts.reached_by("name", "name", &Route::tcp());
    host.set_limit(Duration::from_millis(400));
    let connector = Connector::with_resolver(hosts, Fixed(vec![swallows]));
    let began = Instant::now();
    let fault = connector
        .connect(&"http://name".parse().unwrap())
        .await
        .unwrap_err();
    let (reason, is_refused) = refusal(fault);
    assert!(
        reason.contains("no connection to name within 200ms"),
        "{reason}"
    );
    assert!(!is_refused && began.elapsed() < Duration::from_millis(1_500));
}

#[actix::test]
async fn refused_is_what_every_address_refuses() {
    let refusing = || live().1;
    let fault = open(Fixed(vec![refusing(), refusing()]), "http://name")
        .await
        .unwrap_err();
    let (reason, is_refused) = refusal(fault);
    assert!(is_refused);
    assert_eq!(reason.matches("refused").count(), 2, "{reason}");

    let of = |kinds: &[io::ErrorKind]| {
        let errors = kinds.iter().map(|kind| (refusing(), (*kind).into()));
        refusal(failed(errors.collect()))
    };
    use io::ErrorKind::{ConnectionRefused, HostUnreachable};
    assert!(of(&[ConnectionRefused, ConnectionRefused]).1);
    assert!(!of(&[ConnectionRefused, HostUnreachable]).1);
    assert!(!of(&[HostUnreachable, ConnectionRefused]).1);
    let (reason, _) = of(&[HostUnreachable; 100]);
    assert!(
        reason.ends_with("; and 96 more") && reason.len() < 400,
        "{reason}"
    );
}

#[actix::test]
async fn a_name_without_an_address_is_said_so() {
    for fault in [
        open(Broken, "http://name").await.unwrap_err(),
        open(Fixed(Vec::new()), "http://name").await.unwrap_err(),
    ] {
        let (reason, is_refused) = refusal(fault);
        assert!(
            reason.starts_with("name has no address") && !is_refused,
            "{reason}"
        );
    }
}

#[actix::test]
async fn a_name_that_no_thread_can_be_had_for_is_a_failure_and_not_a_panic() {
    use crate::threads;
    threads::refusal::set(true);
    let refused = open(SystemResolver, "http://localhost:1").await;
    threads::refusal::set(false);
    let (reason, is_refused) = refusal(refused.unwrap_err());
    assert!(
        reason.contains("localhost has no address: nothing could look it up"),
        "{reason}"
    );
    assert!(!is_refused);
    let (reason, is_refused) = refusal(
        open(SystemResolver, "http://localhost:1")
            .await
            .unwrap_err(),
    );
    assert!(is_refused, "{reason}");
}
