use super::*;

/// Two requests: the answer to each, and how many connections that took.
async fn twice(response: &str) -> (Answer, Answer, usize) {
    let server = RawServer::answering(response.to_owned());
    let client = Client::of(&server);
    let first = answered(client.write("m f=1").await);
    let second = answered(client.write("m f=1").await);
    (first, second, server.connections())
}

#[actix::test]
async fn each_response_is_read_as_rfc_9112_says_and_within_milliseconds() {
    for (response, status, body, connections) in [
        // A 204 ends with its head, whatever it says; then the connection is suspect.
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", 1),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            204,
            "",
            1,
        ),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
            204,
            "",
            2,
        ),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
            204,
            "",
            2,
        ),
        (
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            204,
            "",
            2,
        ),
        (
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            204,
            "",
            2,
        ),
        (
            "HTTP/1.1 204 X\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
            204,
            "",
            2,
        ),
        // HTTP/1.0.
        ("HTTP/1.0 204 No Content\r\n\r\n", 204, "", 2),
        (
            "HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n",
            204,
            "",
            1,
        ),
        (
            "HTTP/1.0 204 X\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
            204,
            "",
            1,
        ),
        (
            "HTTP/1.0 400 X\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.0 400 X\r\nContent-Length: 2\r\n\r\nno",
            400,
            "no",
            2,
        ),
        // Lengths.
        (
            "HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\nno",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.1 400 X\r\nContent-Length: 2, 2\r\n\r\nno",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\nno!",
            400,
            "no",
            2,
        ),
        (
            "HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nno\r\n0\r\nT: x\r\n\r\n",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.1 400 X\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            400,
            "no",
            2,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", 1),
        (
            "HTTP/1.1 400 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
            400,
            "no",
            2,
        ),
        // Oddities of form.
        ("HTTP/1.1 400\r\ncontent-length:2\r\n\r\nno", 400, "no", 1),
        ("HTTP/1.1  400  \nContent-Length : 2\n\nno", 400, "no", 1),
        (
            "HTTP/1.1 400 X\r\nA: b\r\n c\r\nContent-Length:\r\n\t2\r\n\r\nno",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.1 400 X\r\n bad\r\nno colon\r\nB@d: \u{1}\r\nContent-Length: 2\r\n\r\nno",
            400,
            "no",
            1,
        ),
        (
            "\r\n\r\nHTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\nno",
            400,
            "no",
            1,
        ),
        (
            "HTTP/1.1 599 X\r\nContent-Length: 2\r\n\r\nno",
            599,
            "no",
            1,
        ),
        (
            "HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nno",
            999,
            "no",
            1,
        ),
    ] {
        let ((first, second, count), elapsed) = timed(twice(response)).await;
        for answer in [first, second] {
            let seen = (answer.status, &*answer.body, answer.is_whole);
            assert_eq!(seen, (status, body, true), "{response:?}");
        }
        assert_eq!(count, connections, "{response:?}");
        assert!(
            elapsed < Duration::from_secs(2),
            "{response:?}: {elapsed:?}"
        );
    }
}

#[actix::test]
async fn a_response_without_a_length_ends_with_its_connection() {
    for head in [
        "HTTP/1.1 400 X\r\nContent-Type: application/json\r\n\r\n",
        "HTTP/1.0 400 X\r\n\r\n",
        "HTTP/1.1 400 X\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 400 X\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 400 X\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let server = RawServer::start(move |mut peer, _| {
            peer.request();
            peer.send(head);
            peer.send("{\"error\":\"why\"}");
            peer.end();
        });
        let client = Client::of(&server);
        for connections in 1..3 {
            let answer = answered(client.write("m f=1").await);
            let seen = (answer.status, &*answer.body, answer.is_whole);
            assert_eq!(seen, (400, "{\"error\":\"why\"}", true), "{head:?}");
            assert_eq!(server.connections(), connections);
        }
    }
}

#[actix::test]
async fn a_response_with_two_lengths_or_none_that_is_a_number_is_not_readable() {
    for fields in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: two\r\n",
        "Content-Length: -2\r\n",
    ] {
        let server = RawServer::answering(format!("HTTP/1.1 400 X\r\n{fields}\r\nno"));
        let reason = unreadable(Client::of(&server).write("m f=1").await);
        assert!(reason.contains("can't be used"), "{reason}");
    }
}

#[actix::test]
async fn interim_responses_are_passed_over_however_they_come() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
                   HTTP/1.1 102 Processing\r\n\r\n";
    let server = RawServer::start(move |mut peer, _| {
        let mut number = 0;
        while peer.request().is_some() {
            number += 1;
            // Each request has an answer of its own.
            let last = format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", 400 + number);
            match number {
                1 => peer.send(format!("{interim}{last}")),
                2 => {
                    peer.send(interim);
                    std::thread::sleep(Duration::from_millis(30));
                    peer.send(last);
                }
                3 => peer.dribble(format!("{interim}{last}"), Duration::from_micros(100)),
                _ => peer.send(format!("{}{last}", interim.repeat(30))),
            }
        }
    });
    let client = Client::of(&server);
    for number in 1..=5 {
        let answer = answered(client.write("m f=1").await);
        assert_eq!(answer.status, 400 + number);
    }
    assert_eq!(server.connections(), 1);
}

#[actix::test]
async fn interim_responses_without_end_are_given_up() {
    let server = RawServer::answering("HTTP/1.1 102 Processing\r\n\r\n".repeat(2_000));
    let reason = unreadable(Client::of(&server).write("m f=1").await);
    assert!(reason.contains("interim responses"), "{reason}");
    let server = RawServer::answering("HTTP/1.1 102 Processing\r\n\r\n");
    let limit = Duration::from_millis(200);
    let outcome = Client::of(&server).write_within(limit, "m f=1").await;
    assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome:?}");
}

#[actix::test]
async fn a_head_that_dribbles_is_read_and_one_that_never_ends_times_out() {
    let server = RawServer::start(|mut peer, _| {
        peer.request();
        let head = "HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno";
        peer.dribble(head, Duration::from_millis(1));
        peer.request();
        peer.dribble(
            "HTTP/1.1 204 No Content\r\nX: ".to_owned() + &"x".repeat(10_000),
            Duration::from_millis(1),
        );
    });
    let client = Client::of(&server);
    let answer = answered(client.write("m f=1").await);
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (503, Some("7"))
    );
    let (outcome, elapsed) = timed(client.write_within(Duration::from_millis(300), "m f=1")).await;
    assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome:?}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[actix::test]
async fn a_head_without_end_is_bounded() {
    let server = RawServer::start(|mut peer, _| {
        peer.request();
        peer.send(b"HTTP/1.1 204 No Content\r\n");
        let line = format!("X: {}\r\n", "x".repeat(1_000));
        for _ in 0..1_000 {
            peer.send(&line);
        }
        peer.drain();
    });
    let reason = unreadable(Client::of(&server).write("m f=1").await);
    assert!(reason.contains("longer than"), "{reason}");
}

#[actix::test]
async fn header_values_come_as_they_are_with_control_characters_too() {
    let server = RawServer::answering(
        b"HTTP/1.1 400 Bad\x01\r\nX-Influxdb-Error: unable to parse 'a \x01\xc3\xa4 5%': x\r\n\
          Location: /here\r\nContent-Type: text/plain\r\nX-Bad: \x00\r\nContent-Length: 2\r\n\r\nno",
    );
    let answer = answered(Client::of(&server).write("m f=1").await);
    assert_eq!(
        answer.error.as_deref(),
        Some("unable to parse 'a \u{1}ä 5%': x")
    );
    assert_eq!(answer.location.as_deref(), Some("/here"));
    assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    assert_eq!((answer.status, &*answer.body), (400, "no"));
}
