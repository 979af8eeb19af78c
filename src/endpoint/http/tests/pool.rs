use std::sync::{Arc, Condvar, Mutex};

use futures_util::future::join_all;

use super::*;

const WRITTEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Answers nobody until there are as many requests, then all of them; so each has a connection of its
/// own.
#[derive(Clone, Default)]
struct Together(Arc<(Mutex<usize>, Condvar)>);

impl Together {
    fn wait_for(&self, count: usize) {
        let (waiting, changed) = &*self.0;
        let mut waiting = waiting.lock().unwrap();
        *waiting += 1;
        changed.notify_all();
        while *waiting < count {
            waiting = changed.wait(waiting).unwrap();
        }
    }
}

#[actix::test]
async fn a_connection_that_the_server_closes_as_it_is_used_again_is_no_failure() {
    let server = RawServer::start(|mut peer, _| {
        peer.request();
        peer.send(WRITTEN);
        // It has the next request, or its beginning, and goes.
        peer.head();
        peer.reset();
    });
    let client = Client::of(&server);
    for number in 0..10 {
        let outcome = client.write("m f=1").await;
        assert_eq!(answered(outcome).status, 204, "{number}");
    }
}

#[actix::test]
async fn bytes_that_come_late_on_an_idle_connection_are_no_answer_to_the_next_request() {
    for late in [
        "ok",
        "\r\n",
        "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (sender, receiver) = std::sync::mpsc::channel();
        let server = RawServer::start(move |mut peer, number| {
            while peer.request().is_some() {
                peer.send(WRITTEN);
                if number == 1 {
                    std::thread::sleep(Duration::from_millis(20));
                    peer.send(late);
                    sender.send(()).unwrap();
                }
            }
        });
        let client = Client::of(&server);
        assert_eq!(answered(client.write("m f=1").await).status, 204);
        receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        let (outcome, elapsed) = timed(client.write("m f=1")).await;
        assert_eq!(answered(outcome).status, 204, "{late:?}");
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
        assert_eq!(server.connections(), 2);
    }
}

#[actix::test]
async fn bytes_that_come_just_as_the_next_request_goes_out_cost_a_new_connection() {
    // What no response begins with, between the request and its answer.
    for late in ["ok", "ok\r\n", "\0"] {
        let server = RawServer::start(move |mut peer, number| {
            let mut requests = 0;
            while peer.request().is_some() {
                requests += 1;
                if (number, requests) == (1, 2) {
                    peer.send(late);
                }
                peer.send(WRITTEN);
            }
        });
        let client = Client::of(&server);
        assert_eq!(answered(client.write("m f=1").await).status, 204);
        let (outcome, elapsed) = timed(client.write("m f=1")).await;
        assert_eq!(answered(outcome).status, 204, "{late:?}");
        assert!(elapsed < Duration::from_millis(1_900), "{elapsed:?}");
        assert_eq!(server.connections(), 2);
    }
}

#[actix::test]
async fn ten_dead_connections_cost_one_timeout_together() {
    let together = Together::default();
    let server = RawServer::start(move |mut peer, number| {
        peer.request();
        if number <= 10 {
            together.wait_for(10);
            peer.send(WRITTEN);
            // Hears nothing more, and says nothing.
            return peer.hold();
        }
        peer.send(WRITTEN);
        while peer.request().is_some() {
            peer.send(WRITTEN);
        }
    });
    let client = Client::of(&server);
    for answer in join_all((0..10).map(|_| client.write("m f=1"))).await {
        assert_eq!(answered(answer).status, 204);
    }
    assert_eq!(server.connections(), 10);
    // One after the other: the first finds it out for all.
    let limit = Duration::from_secs(1);
    let (outcome, elapsed) = timed(client.write_within(limit, "m f=1")).await;
    assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome:?}");
    assert!(elapsed < Duration::from_millis(1_900), "{elapsed:?}");
    let (outcomes, elapsed) = timed(async {
        let mut outcomes = Vec::new();
        for _ in 0..10 {
            outcomes.push(client.write_within(limit, "m f=1").await);
        }
        outcomes
    })
    .await;
    for outcome in outcomes {
        assert_eq!(answered(outcome).status, 204);
    }
    assert!(elapsed < Duration::from_millis(900), "{elapsed:?}");
    assert_eq!(server.connections(), 11);
}

#[actix::test]
async fn ten_dead_connections_that_are_used_at_once_cost_one_timeout_too() {
    let together = Together::default();
    let server = RawServer::start(move |mut peer, number| {
        peer.request();
        if number <= 10 {
            together.wait_for(10);
            peer.send(WRITTEN);
            return peer.hold();
        }
        peer.send(WRITTEN);
        peer.drain();
    });
    let client = Client::of(&server);
    join_all((0..10).map(|_| client.write("m f=1"))).await;
    let limit = Duration::from_secs(1);
    let writes = || join_all((0..10).map(|_| client.write_within(limit, "m f=1")));
    let (outcomes, elapsed) = timed(writes()).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::TimedOut { .. }))
    );
    assert!(elapsed < Duration::from_millis(1_900), "{elapsed:?}");
    let (outcomes, elapsed) = timed(writes()).await;
    assert!(
        outcomes
            .into_iter()
            .all(|outcome| answered(outcome).status == 204)
    );
    assert!(elapsed < Duration::from_millis(900), "{elapsed:?}");
}

#[actix::test]
async fn a_live_server_that_reads_nothing_for_a_while_has_its_whole_time() {
    let server = RawServer::start(|mut peer, _| {
        peer.request();
        peer.send(WRITTEN);
        std::thread::sleep(Duration::from_millis(2_500));
        peer.request();
        peer.send(WRITTEN);
        peer.drain();
    });
    let client = Client::of(&server);
    // A quarter of it is the time for what is not acknowledged: 1 s.
    let limit = Duration::from_secs(4);
    assert_eq!(
        answered(client.write_within(limit, "m f=1").await).status,
        204
    );
    let large = vec![b'x'; 16 << 20];
    assert_eq!(
        answered(client.write_within(limit, large).await).status,
        204
    );
    assert_eq!(server.connections(), 1);
}

#[actix::test]
async fn a_failure_of_one_host_leaves_the_connections_of_others_alone() {
    let good = RawServer::answering(WRITTEN);
    let bad = RawServer::start(|peer, _| peer.hold());
    let client = Client::of(&good);
    assert_eq!(answered(client.write("m f=1").await).status, 204);
    let limit = Duration::from_millis(50);
    let outcome = client
        .http
        .write(&endpoint(bad.url()), &"db".into(), Bytes::new(), limit)
        .await;
    assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome:?}");
    assert_eq!(answered(client.write("m f=1").await).status, 204);
    assert_eq!(good.connections(), 1);
}
