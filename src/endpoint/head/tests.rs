use super::*;

/// The head that awc gets, and what the connection is good for.
fn read(head: &str) -> Result<(Head, String), String> {
    read_bytes(head.as_bytes())
}

fn read_bytes(head: &[u8]) -> Result<(Head, String), String> {
    assert_eq!(end_of_head(head, 0), Some(head.len()), "{head:?}");
    let mut out = Vec::new();
    let read = read_head(head, &mut out)?;
    finish(&read, &mut out);
    Ok((read, String::from_utf8(out).unwrap()))
}

fn framing(fields: &str) -> (Framing, bool) {
    let (head, _) = read(&format!("HTTP/1.1 400 Bad\r\n{fields}\r\n")).unwrap();
    (head.framing, head.is_reusable)
}

fn chunked() -> Framing {
    Framing::Chunked(Chunks::default())
}

#[test]
fn the_length_is_taken_as_rfc_9112_6_3_says() {
    for (fields, wanted) in [
        ("Content-Length: 2\r\n", (Framing::Length(2), true)),
        ("content-length:2\r\n", (Framing::Length(2), true)),
        ("CONTENT-LENGTH \t:\t 2 \t\r\n", (Framing::Length(2), true)),
        ("Content-Length: 0\r\n", (Framing::Length(0), true)),
        // The same length several times.
        (
            "Content-Length: 2\r\nContent-Length: 2\r\n",
            (Framing::Length(2), true),
        ),
        ("Content-Length: 2, 2,2\r\n", (Framing::Length(2), true)),
        // Larger than any number here.
        (
            "Content-Length: 99999999999999999999999\r\n",
            (Framing::Length(u64::MAX), true),
        ),
        ("Transfer-Encoding: chunked\r\n", (chunked(), true)),
        ("transfer-encoding: CHUNKED;x=y\r\n", (chunked(), true)),
        ("Transfer-Encoding: gzip, chunked\r\n", (chunked(), true)),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            (chunked(), true),
        ),
        // Chunks come before a length, and the connection is suspect.
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
            (chunked(), false),
        ),
        (
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
            (chunked(), false),
        ),
        (
            "Content-Length: x\r\nTransfer-Encoding: chunked\r\n",
            (chunked(), false),
        ),
        // Not chunked in the end: until the connection is closed.
        ("Transfer-Encoding: gzip\r\n", (Framing::UntilClose, false)),
        (
            "Transfer-Encoding: chunked, gzip\r\n",
            (Framing::UntilClose, false),
        ),
        (
            "Transfer-Encoding: gzip\r\nContent-Length: 2\r\n",
            (Framing::UntilClose, false),
        ),
        (
            "Transfer-Encoding: identity\r\nContent-Length: 2\r\n",
            (Framing::Length(2), true),
        ),
        ("", (Framing::UntilClose, false)),
        ("Connection: keep-alive\r\n", (Framing::UntilClose, false)),
        // Who ends the connection.
        (
            "Content-Length: 2\r\nConnection: close\r\n",
            (Framing::Length(2), false),
        ),
        (
            "Content-Length: 2\r\nConnection: x, Close\r\n",
            (Framing::Length(2), false),
        ),
        (
            "Content-Length: 2\r\nConnection: keep-alive\r\n",
            (Framing::Length(2), true),
        ),
    ] {
        assert_eq!(framing(fields), wanted, "{fields:?}");
    }
}

#[test]
fn a_length_that_is_none_or_two_makes_a_response_unusable() {
    for fields in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: 2 2\r\n",
        "Content-Length: 2.0\r\n",
        "Content-Length:\r\n",
        "Content-Length: ,\r\n",
        "Content-Length: \u{ff12}\r\n",
    ] {
        let error = read(&format!("HTTP/1.1 400 Bad\r\n{fields}\r\n")).unwrap_err();
        assert!(error.starts_with("it"), "{fields:?}: {error}");
    }
}

#[test]
fn a_204_and_a_304_end_with_their_heads_whatever_they_say() {
    for status in [204, 304] {
        for (fields, is_clean) in [
            ("", true),
            ("Content-Length: 0\r\n", true),
            // A body may follow all the same.
            ("Content-Length: 2\r\n", false),
            ("Content-Length: 2\r\nContent-Length: 3\r\n", false),
            ("Content-Length: x\r\n", false),
            ("Transfer-Encoding: chunked\r\n", false),
            ("Connection: close\r\n", false),
        ] {
            let (head, _) = read(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n")).unwrap();
            assert_eq!(
                (head.framing, head.is_reusable),
                (Framing::Nothing, is_clean),
                "{fields:?}"
            );
        }
    }
}

#[test]
fn http_1_0_keeps_a_connection_only_if_it_says_so() {
    for (line, fields, is_reusable) in [
        ("HTTP/1.0 204 X", "", false),
        ("HTTP/1.0 204 X", "Connection: keep-alive\r\n", true),
        (
            "HTTP/1.0 200 X",
            "Connection: keep-alive\r\nContent-Length: 2\r\n",
            true,
        ),
        ("HTTP/1.0 200 X", "Content-Length: 2\r\n", false),
        ("HTTP/1.0 200 X", "Connection: keep-alive\r\n", false),
        // Chunks are not of HTTP/1.0 (§6.1): they are read, and the connection is suspect.
        (
            "HTTP/1.0 200 X",
            "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
            false,
        ),
        ("HTTP/1.2 204 X", "", true),
        ("HTTP/1.9 204 X", "", true),
    ] {
        let (head, _) = read(&format!("{line}\r\n{fields}\r\n")).unwrap();
        assert_eq!(head.is_reusable, is_reusable, "{line}, {fields:?}");
    }
}

#[test]
fn status_lines_are_read_with_all_their_oddities() {
    for (line, status) in [
        ("HTTP/1.1 204 No Content", 204),
        ("HTTP/1.1 204 ", 204),
        ("HTTP/1.1 204", 204),
        ("HTTP/1.1  204  No  Content", 204),
        ("HTTP/1.1\t204\tX", 204),
        ("HTTP/1.1 999 \u{1}\u{ff}", 999),
        ("HTTP/1.0 500 ü", 500),
    ] {
        for end in ["\r\n\r\n", "\n\n", "\r\n\n", "\n\r\n"] {
            let (head, _) = read(&format!("{line}{end}")).unwrap();
            assert_eq!(head.status, status, "{line:?}");
        }
    }
    for line in [
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 20",
        "HTTP/1.1 2044",
        "HTTP/1.1 2x4 X",
        "HTTP/1.1 099 X",
        "HTTP/1.1 -204 X",
        "HTTP/1.1204 X",
        "HTTP/1.10 204 X",
        "HTTP/1.x 204 X",
        "HTTP/2 204",
        "http/1.1 204 X",
        " HTTP/1.1 204 X",
    ] {
        let error = status_line(line.as_bytes()).unwrap_err();
        assert!(error.contains("is not HTTP/1.1"), "{line:?}: {error}");
    }
}

#[test]
fn folded_lines_bare_line_feeds_and_broken_lines_cost_no_response() {
    let head = "HTTP/1.1 400 Bad\n X-Before: passed over\nContent-Type: text/plain;\r\n\t charset=utf-8\n\
                no colon here\r\n: no name\r\nBad Name: x\r\nX-\u{1}: y\r\ncontent-length:\r\n 2\r\n\
                Retry-After: 7\r\r\n\r\n";
    let (head, out) = read(head).unwrap();
    assert_eq!(head.framing, Framing::Length(2));
    assert_eq!(
        out,
        "HTTP/1.1 400 \r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 7\r\n\
         content-length: 2\r\n\r\n"
    );
}

#[test]
fn control_characters_in_a_value_are_handed_on_escaped() {
    let head = b"HTTP/1.1 400 Bad\r\nX-Influxdb-Error: unable to parse 'a \x01\x00\xff 5%'\r\n\
                 Via: \x02\r\nContent-Length: 0\r\n\r\n";
    let (_, out) = read_bytes(head).unwrap();
    assert!(
        out.contains("x-influxdb-error: unable to parse 'a %01%00%FF 5%25'\r\n"),
        "{out}"
    );
    assert!(!out.contains("ia:"), "{out}");
}

#[test]
fn a_long_value_is_cut() {
    let head = format!(
        "HTTP/1.1 400 X\r\nLocation: {}\r\n\r\n",
        "\u{1}".repeat(60_000)
    );
    let (_, out) = read(&head).unwrap();
    assert!(out.len() < 3 * MAX_VALUE + 100);
}

#[test]
fn what_awc_reads_has_one_length() {
    for (fields, wanted) in [
        (
            "Content-Length: 2, 2\r\n",
            "HTTP/1.1 400 \r\ncontent-length: 2\r\n\r\n",
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\nContent-Length: 2\r\n",
            "HTTP/1.1 400 \r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        ),
        ("", "HTTP/1.0 400 \r\nconnection: close\r\n\r\n"),
    ] {
        let (_, out) = read(&format!("HTTP/1.1 400 Bad\r\n{fields}\r\n")).unwrap();
        assert_eq!(out, wanted);
    }
}

#[test]
fn the_end_of_a_head_is_found_wherever_the_search_begins() {
    for head in ["a\r\n\r\n", "a\n\n", "a\nb\n\r\n", "a\r\nb\n\n"] {
        for from in 0..head.len() {
            assert_eq!(
                end_of_head(head.as_bytes(), from),
                Some(head.len()),
                "{head:?} from {from}"
            );
        }
        let cut = &head.as_bytes()[..head.len() - 1];
        assert_eq!(end_of_head(cut, 0), None, "{head:?}");
    }
}
