use super::*;

const LARGE: usize = 16 << 20;

#[actix::test]
async fn an_error_is_read_while_the_server_takes_no_more_of_the_request() {
    let cut: [fn(server::Peer); 3] = [
        |peer| peer.hold(),
        |peer| peer.reset(),
        |mut peer| peer.end(),
    ];
    for (status, head) in [
        (413, "HTTP/1.1 413 X\r\nContent-Length: 9\r\n\r\ntoo large"),
        (
            401,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 X\r\nContent-Length: 9\r\n\r\ntoo large",
        ),
        (
            413,
            "HTTP/1.0 413 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large",
        ),
    ] {
        for then in cut {
            let server = RawServer::start(move |mut peer, _| {
                peer.head();
                peer.send(head);
                then(peer);
            });
            let client = Client::of(&server);
            for connections in 1..3 {
                let (outcome, elapsed) = timed(client.write(vec![b'x'; LARGE])).await;
                let answer = answered(outcome);
                assert_eq!((answer.status, &*answer.body), (status, "too large"));
                assert!(answer.is_whole);
                assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
                assert_eq!(server.connections(), connections);
            }
        }
    }
}

#[actix::test]
async fn an_error_that_comes_late_in_the_request_is_read_too() {
    let server = RawServer::start(|mut peer, _| {
        peer.head();
        let taken = &mut std::io::Read::take(&mut peer.0, (LARGE - 100_000) as u64);
        std::io::copy(taken, &mut std::io::sink()).unwrap();
        peer.send("HTTP/1.1 413 X\r\nContent-Length: 9\r\n\r\ntoo large");
        peer.reset();
    });
    let answer = answered(Client::of(&server).write(vec![b'x'; LARGE]).await);
    assert_eq!((answer.status, &*answer.body), (413, "too large"));
}

#[actix::test]
async fn a_success_is_no_proof_while_the_request_is_not_all_taken() {
    for head in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        let cut: [fn(server::Peer); 3] = [
            |peer| peer.hold(),
            |peer| peer.reset(),
            |mut peer| peer.drain(),
        ];
        for then in cut {
            let server = RawServer::start(move |mut peer, _| {
                peer.head();
                peer.send(head);
                then(peer);
            });
            let (outcome, elapsed) = timed(Client::of(&server).write(vec![b'x'; LARGE])).await;
            let Outcome::NotAnswered { reason } = &outcome else {
                panic!("{outcome:?}");
            };
            assert!(
                reason.contains("before all of the request was sent"),
                "{reason}"
            );
            assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
        }
    }
}

#[actix::test]
async fn an_error_at_once_is_an_answer() {
    // Some proxies say so to whoever connects, before a word of the request.
    let server = RawServer::start(|mut peer, _| {
        peer.send("HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy");
        peer.end();
    });
    let answer = answered(Client::of(&server).write("m f=1").await);
    assert_eq!((answer.status, &*answer.body), (503, "busy"));
    assert_eq!(answer.retry_after.as_deref(), Some("3"));
}

#[actix::test]
async fn the_request_arrives_whole_beside_interim_responses() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = RawServer::start(move |mut peer, _| {
        let head = peer.head().unwrap();
        peer.send("HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = vec![0; LARGE];
        std::io::Read::read_exact(&mut peer.0, &mut body).unwrap();
        sender.send((head, body)).unwrap();
        peer.send("HTTP/1.1 204 No Content\r\n\r\n");
        peer.drain();
    });
    let body: Bytes = (0..LARGE)
        .map(|number| number as u8)
        .collect::<Vec<_>>()
        .into();
    let answer = answered(Client::of(&server).write(body.clone()).await);
    assert_eq!(answer.status, 204);
    let (head, received) = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(
        head.starts_with("POST /write?db=db&precision=ns HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(received == body, "the body is as it was");
}
