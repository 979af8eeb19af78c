use super::*;

/// What is said of a server that sends this and closes, or holds, the connection; at once, or when
/// it has the request.
async fn reason(bytes: &'static [u8], is_banner: bool, closes: bool) -> String {
    let server = RawServer::start(move |mut peer, _| {
        if !is_banner {
            peer.request();
        }
        peer.send(bytes);
        match closes {
            true => peer.end(),
            false => peer.hold(),
        }
    });
    let (outcome, elapsed) = timed(Client::of(&server).write(vec![b'x'; 100_000])).await;
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
    unreadable(outcome)
}

#[actix::test]
async fn a_server_that_speaks_no_http_is_named_in_plain_words() {
    for (bytes, wanted) in [
        (
            &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
            "it answered \"SSH-2.0-OpenSSH_9.2p1\", as an SSH server",
        ),
        (b"-ERR unknown command 'POST'\r\n", "Redis"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS: use https"),
        (
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
            "HTTP/2",
        ),
        (b"220 mail.example ESMTP\r\n", "mail"),
        (b"<html>old</html>", "HTTP/0.9"),
        (b"\xff\xfe\x00garbage", "\\xff\\xfe\\x00garbage"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "HTTP/2.0 200 OK"),
        (
            b"HTTP/1.1 twenty\r\n\r\n",
            "not HTTP/1.1: \"HTTP/1.1 twenty\"",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "101",
        ),
        (b"S", "it answered \"S\""),
    ] {
        for (is_banner, closes) in [(false, true), (false, false), (true, false), (true, true)] {
            let reason = reason(bytes, is_banner, closes).await;
            assert!(reason.contains(wanted), "{wanted}: {reason}");
            assert!(reason.contains("127.0.0.1:"), "{reason}");
            assert!(
                reason.len() < 300 && !reason.contains(char::is_control),
                "{reason}"
            );
        }
    }
}

#[actix::test]
async fn a_connection_that_is_cut_before_the_response_is_cut_off() {
    for begun in ["", "H", "HTTP/1.1 2", "HTTP/1.1 204 No Content\r\n"] {
        for resets in [false, true] {
            let server = RawServer::start(move |mut peer, _| {
                peer.request();
                peer.send(begun);
                match resets {
                    true => peer.reset(),
                    false => peer.end(),
                }
            });
            let outcome = Client::of(&server).write("m f=1").await;
            assert!(
                matches!(outcome, Outcome::CutOff { .. }),
                "{begun:?}: {outcome:?}"
            );
            assert_eq!(
                server.connections(),
                1,
                "a new connection is no reason to send it again"
            );
        }
    }
}

#[actix::test]
async fn a_port_where_nobody_listens_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = Http::new()
        .write(&endpoint(url), &"db".into(), Bytes::new(), LONG)
        .await;
    let Outcome::NotConnected { reason, is_refused } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        is_refused && reason.contains("Connection refused"),
        "{reason}"
    );
}
