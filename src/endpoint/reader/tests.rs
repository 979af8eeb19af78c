use proptest::prelude::*;

use super::*;

/// What is made of these pieces: the final head as awc gets it and what follows it, or nothing yet.
/// A head, its body and what came after it.
type Read = (Head, Vec<u8>, Vec<u8>);

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Read>, Unreadable> {
    let mut reader = HeadReader::default();
    let mut out = Vec::new();
    let mut read = None;
    for piece in pieces {
        reader.push(piece);
        if read.is_none() {
            read = reader.next(&mut out)?;
        }
    }
    Ok(read.map(|head| (head, out, reader.rest().to_vec())))
}

fn status(bytes: &[u8]) -> Result<Option<u16>, Unreadable> {
    Ok(read([bytes])?.map(|(head, ..)| head.status))
}

fn foreign(bytes: &[u8]) -> Option<String> {
    match status(bytes) {
        Err(Unreadable::Foreign(what)) => Some(what),
        _ => None,
    }
}

fn fault(bytes: &[u8]) -> Option<String> {
    match status(bytes) {
        Err(Unreadable::Faulty(what)) => Some(what),
        _ => None,
    }
}

#[test]
fn interim_heads_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n\
                   HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 199\n\n";
    let all = format!("{interim}HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno");
    let (head, _, rest) = read([all.as_bytes()]).unwrap().unwrap();
    assert_eq!((head.status, &rest[..]), (400, &b"no"[..]));
    assert_eq!(status(interim.as_bytes()), Ok(None));
}

#[test]
fn interim_heads_are_bounded_in_number_and_size() {
    let heads = |count: usize, fields: &str| {
        let interim = format!("HTTP/1.1 102 Processing\r\n{fields}\r\n");
        interim.repeat(count) + "HTTP/1.1 204 No Content\r\n\r\n"
    };
    assert_eq!(status(heads(MAX_INTERIM, "").as_bytes()), Ok(Some(204)));
    let many = fault(heads(MAX_INTERIM + 1, "").as_bytes()).unwrap();
    assert!(many.contains("101 interim responses"), "{many}");
    let large = format!("X: {}\r\n", "y".repeat(10_000));
    assert!(fault(heads(10, &large).as_bytes()).is_some());
}

#[test]
fn a_101_that_nobody_asked_for_is_a_fault() {
    let fault = fault(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n").unwrap();
    assert!(fault.contains("101"), "{fault}");
}

#[test]
fn a_head_without_an_end_is_a_fault() {
    let line = format!("X: {}\r\n", "y".repeat(998));
    let head = format!("HTTP/1.1 204 No Content\r\n{}", line.repeat(64));
    assert_eq!(status(head.as_bytes()), Ok(None));
    let head = format!("{head}{}", line.repeat(2));
    assert!(
        fault(head.as_bytes())
            .unwrap()
            .contains("longer than 65536 bytes")
    );
}

#[test]
fn line_ends_before_a_head_are_passed_over() {
    assert_eq!(status(b"\r\n\n\r\nHTTP/1.1 204\r\n\r\n"), Ok(Some(204)));
}

#[test]
fn what_is_no_http_is_told_when_there_is_enough_of_it_to_say_what_it_is() {
    assert!(foreign(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap().contains("SSH"));
    assert!(
        foreign(b"\x15\x03\x01\0\x02\x02\x46")
            .unwrap()
            .contains("TLS")
    );
    assert!(foreign(&[b'x'; MIN_FOREIGN]).is_some());
    // More may come.
    for start in ["H", "HTTP/", "SS", "SSH-2.0", "\x15\x03"] {
        assert_eq!(status(start.as_bytes()), Ok(None), "{start}");
    }
}

proptest! {
    /// However a server's bytes are cut: no panic, the same result, and bounded memory.
    #[test]
    fn the_pieces_make_no_difference(
        bytes in prop_oneof![response(), any_bytes()],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.into_iter().rev() {
            let (start, piece) = rest.split_at(cut);
            pieces.push(piece);
            rest = start;
        }
        pieces.push(rest);
        pieces.reverse();
        let (whole, cut) = (read([&bytes[..]]), read(pieces));
        // What is said of something foreign depends on how much of it there is.
        match (&whole, &cut) {
            (Err(Unreadable::Foreign(_)), Err(Unreadable::Foreign(_))) => {}
            _ => prop_assert_eq!(whole, cut),
        }
    }

    /// What comes out is a head with one length that httparse takes, never an interim one, and of the
    /// status that the server gave.
    #[test]
    fn what_awc_gets_is_a_plain_head(bytes in response()) {
        if let Ok(Some((head, out, _))) = read([&bytes[..]]) {
            let mut out = out;
            head::finish(&head, &mut out);
            let mut fields = [httparse::EMPTY_HEADER; 32];
            let mut parsed = httparse::Response::new(&mut fields);
            prop_assert_eq!(parsed.parse(&out), Ok(httparse::Status::Complete(out.len())));
            prop_assert_eq!(parsed.code, Some(head.status));
            prop_assert!(head.status >= 200);
            let is_length = |name: &str| matches!(name, "content-length" | "transfer-encoding");
            let lengths = parsed.headers.iter().filter(|field| is_length(field.name)).count();
            prop_assert!(lengths <= 1);
            let wanted = head.status.to_string();
            prop_assert!(String::from_utf8_lossy(&bytes).contains(&wanted));
        }
    }

    /// A well-formed response is read as what it is, and what follows it is left alone.
    #[test]
    fn a_good_response_is_read_as_it_is(
        interim in prop::collection::vec(100_u16..=199, 0..4),
        status in 200_u16..=599,
        length in 0_u64..1_000,
        rest in any_bytes(),
    ) {
        let mut bytes = Vec::new();
        for status in interim.into_iter().filter(|status| *status != 101) {
            bytes.extend(format!("HTTP/1.1 {status} X\r\nX: y\r\n\r\n").bytes());
        }
        bytes.extend(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n").bytes());
        bytes.extend(&rest);
        let (head, _, left) = read([&bytes[..]]).unwrap().unwrap();
        prop_assert_eq!(head.status, status);
        prop_assert_eq!(left, rest);
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

/// Something like a response: its parts, in any order and of any kind.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => prop::sample::select(vec![
            "HTTP/1.1 ", "HTTP/1.0 ", "HTTP/2 ", "204", "200 OK", "400 Bad", "100 Continue", "101 X", "103", "099",
            "\r\n", "\r\n\r\n", "\n", "\n\n", "\r", " ", "\t", ":", ",", "Content-Length: ", "content-length: 5",
            "Transfer-Encoding: chunked", "Transfer-Encoding: ", "gzip", "Connection: close", "keep-alive",
            "X-Influxdb-Error: ", "Retry-After: 5", "Location: x", "7", "-", "+", "99999999999999999999",
        ]).prop_map(|part| part.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let parts = prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat());
    prop_oneof![
        parts.clone(),
        parts.prop_map(|parts| [&b"HTTP/1.1 400 X\r\n"[..], &parts, b"\r\n\r\n"].concat()),
    ]
}
