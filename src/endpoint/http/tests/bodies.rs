use super::*;

/// What is made of a response whose body does not end as its head says, and how long that takes.
async fn read(
    head: &'static str,
    then: impl Fn(server::Peer) + Send + Sync + 'static,
) -> (Answer, Duration) {
    let server = RawServer::start(move |mut peer, _| {
        peer.request();
        peer.send(head);
        then(peer);
    });
    let (outcome, elapsed) = timed(Client::of(&server).write("m f=1")).await;
    (answered(outcome), elapsed)
}

const HEADS: [&str; 5] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nwhy",
    "HTTP/1.1 400 Bad\r\nContent-Length: 1000\r\n\r\nwhy",
    "HTTP/1.1 500 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n",
    "HTTP/1.1 400 Bad\r\n\r\nwhy",
    "HTTP/1.0 400 Bad\r\n\r\nwhy",
];

#[actix::test]
async fn a_body_that_stalls_costs_half_a_second_and_not_its_status() {
    for head in HEADS {
        let (answer, elapsed) = read(head, server::Peer::hold).await;
        assert!(matches!(answer.status, 200 | 400 | 500), "{head:?}");
        assert_eq!((&*answer.body, answer.is_whole), ("why", false), "{head:?}");
        assert!(
            (450..1_500).contains(&elapsed.as_millis()),
            "{head:?}: {elapsed:?}"
        );
    }
}

#[actix::test]
async fn a_body_that_is_cut_does_not_cost_its_status() {
    for head in &HEADS[..3] {
        let ends: [fn(server::Peer); 2] = [|mut peer| peer.end(), |peer| peer.reset()];
        for end in ends {
            let (answer, elapsed) = read(head, end).await;
            assert!(matches!(answer.status, 200 | 400 | 500), "{head:?}");
            assert!(!answer.is_whole, "{head:?}");
            assert!("why".starts_with(&answer.body), "{head:?}: {}", answer.body);
            assert!(elapsed < Duration::from_millis(450), "{elapsed:?}");
        }
    }
}

#[actix::test]
async fn a_body_that_never_ends_is_given_up_after_two_seconds() {
    let (answer, elapsed) = read(HEADS[1], |mut peer| {
        peer.dribble("y".repeat(900), Duration::from_millis(20));
    })
    .await;
    assert_eq!((answer.status, answer.is_whole), (400, false));
    assert!(answer.body.starts_with("whyyy"), "{}", answer.body);
    assert!((1_900..4_000).contains(&elapsed.as_millis()), "{elapsed:?}");
}

#[actix::test]
async fn a_large_body_is_read_as_far_as_it_matters() {
    let server = RawServer::start(|mut peer, _| {
        peer.request();
        peer.send("HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("1000\r\n{}\r\n", "y".repeat(0x1000));
        // Without an end.
        while std::io::Write::write_all(&mut peer.0, chunk.as_bytes()).is_ok() {}
    });
    let (outcome, elapsed) = timed(Client::of(&server).write("m f=1")).await;
    let answer = answered(outcome);
    assert_eq!(
        (answer.status, answer.body.len(), answer.is_whole),
        (400, 64 << 10, true)
    );
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[actix::test]
async fn chunks_that_are_none_end_the_body() {
    let (answer, elapsed) = read(
        "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\nzz\r\n",
        server::Peer::hold,
    )
    .await;
    let seen = (answer.status, &*answer.body, answer.is_whole);
    assert_eq!(seen, (400, "why", false));
    assert!(elapsed < Duration::from_millis(450), "{elapsed:?}");
    // In one piece with what is good, after the head.
    let head = "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (answer, _) = read(head, |mut peer| {
        std::thread::sleep(Duration::from_millis(30));
        peer.send("3\r\nwhy\r\nzz\r\n");
        peer.hold();
    })
    .await;
    assert_eq!((&*answer.body, answer.is_whole), ("why", false));
}

#[actix::test]
async fn the_whole_takes_no_longer_than_its_limit() {
    let server = RawServer::start(|mut peer, _| {
        peer.request();
        std::thread::sleep(Duration::from_millis(150));
        peer.send(HEADS[1]);
        peer.hold();
    });
    let limit = Duration::from_millis(300);
    let (outcome, elapsed) = timed(Client::of(&server).write_within(limit, "m f=1")).await;
    assert!(!answered(outcome).is_whole);
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[actix::test]
async fn a_connection_with_a_body_that_did_not_end_is_not_used_again() {
    let server = RawServer::start(|mut peer, number| {
        while peer.request().is_some() {
            if number == 1 {
                peer.send(HEADS[1]);
                std::thread::sleep(Duration::from_millis(700));
                peer.send("y".repeat(997));
            } else {
                peer.send("HTTP/1.1 204 X\r\n\r\n");
            }
        }
    });
    let client = Client::of(&server);
    assert_eq!(answered(client.write("m f=1").await).status, 400);
    assert_eq!(answered(client.write("m f=1").await).status, 204);
    assert_eq!(server.connections(), 2);
}
