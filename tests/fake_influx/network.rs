//! A server that is away, and connections that end while nobody uses them.

use std::{io::ErrorKind, net::TcpStream};

use actix_influxdb::testing::{Answer, FakeInflux};

use crate::client::{Client, Cut, MOMENT, PATIENCE, write};

#[test]
fn connecting_is_refused_until_the_server_listens_again() {
    let influx = FakeInflux::start();
    let mut open = Client::new(&influx);
    open.get("/ping").response();
    for round in 0..3 {
        influx.refuse();
        influx.refuse();
        let error = TcpStream::connect(influx.addr()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(open.get("/ping").response().status, 204);
        influx.accept_again();
        influx.accept_again();
        assert_eq!(write(&influx, "d", &format!("m v=1 {round}")).status, 204);
    }
    assert_eq!((influx.count("d"), influx.connection_count()), (3, 4));
}

#[test]
fn a_server_that_refuses_may_be_dropped() {
    let influx = FakeInflux::start();
    influx.refuse();
    drop(influx);
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let influx = FakeInflux::start();
    let mut idle = Client::new(&influx);
    idle.post("d", "m v=1 1").response();
    let mut fresh = Client::new(&influx);
    influx.answer_next(Answer::accept().stall_before_response());
    let mut busy = Client::new(&influx).patience(MOMENT);
    busy.post("d", "m v=1 2");
    influx.wait_for_points("d", 2, PATIENCE);

    influx.close_idle();
    assert_eq!(idle.end(), Cut::End(Vec::new()));
    assert_eq!(fresh.get("/ping").response().status, 204);
    influx.release();
    assert_eq!(busy.patience(PATIENCE).response().status, 204);
}

#[test]
fn a_connection_is_idle_as_soon_as_the_client_has_its_answer() {
    let influx = FakeInflux::start();
    for _ in 0..100 {
        let mut client = Client::new(&influx);
        client.get("/ping").response();
        influx.close_idle();
        assert_eq!(client.end(), Cut::End(Vec::new()));
    }
}

#[test]
fn many_clients_write_at_once() {
    let influx = FakeInflux::start();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let influx = &influx;
            scope.spawn(move || {
                let mut client = Client::new(influx);
                for n in 0..50 {
                    let body = format!("m,thread={thread} v=1 {n}\nm,thread={thread} w=1 {n}");
                    assert_eq!(client.post("d", &body).response().status, 204);
                }
            });
        }
    });
    assert_eq!((influx.count("d"), influx.received_count("d")), (400, 800));
    assert_eq!((influx.write_count(), influx.connection_count()), (400, 8));
}

/// As a connection of another client would, which gets a port that is free.
#[cfg(target_os = "linux")]
#[test]
fn nobody_gets_the_port_while_it_goes_from_listening_to_refusing_and_back() {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Instant,
    };

    use socket2::{Domain, Socket, Type};

    let fake = FakeInflux::start();
    let address = fake.addr();
    let (is_over, began) = (AtomicBool::new(false), Instant::now());
    let others = || {
        while !is_over.load(Ordering::Relaxed) && began.elapsed() < PATIENCE {
            let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            assert!(other.bind(&address.into()).is_err(), "it has got the port");
        }
    };
    std::thread::scope(|scope| {
        let others = [scope.spawn(others), scope.spawn(others)];
        for _ in 0..500 {
            fake.refuse();
            assert!(TcpStream::connect(address).is_err());
            fake.accept_again();
            assert!(TcpStream::connect(address).is_ok());
        }
        is_over.store(true, Ordering::Relaxed);
        for other in others {
            other.join().unwrap();
        }
    });
}
