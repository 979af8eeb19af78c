//! Recognizes other protocols than HTTP/1.

/// First bytes of other protocols, and their servers.
const KNOWN: [(&[u8], &str); 15] = [
    (b"SSH-", "an SSH server"),
    (b"-ERR", "a Redis server"),
    (b"-NOAUTH", "a Redis server"),
    (b"-DENIED", "a Redis server"),
    (b"-MISCONF", "a Redis server"),
    (b"220", "a mail or FTP server"),
    (b"421", "a mail or FTP server"),
    (b"500 ", "a mail or FTP server"),
    (b"502 ", "a mail or FTP server"),
    (b"554", "a mail or FTP server"),
    (b"+OK", "a POP3 server"),
    (b"* OK", "an IMAP server"),
    (b"RFB ", "a VNC server"),
    (b"ICY ", "a SHOUTcast server"),
    (b"AMQP", "an AMQP broker"),
];

/// Number of bytes that are shown.
const SHOWN: usize = 60;

/// Describes what came instead of an HTTP/1 response, to follow "it answered".
pub(super) fn describe(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN)]
        .trim_ascii_end()
        .escape_ascii();
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    match bytes {
        // A TLS record: alert or handshake, version 3.x.
        [0x15 | 0x16, 3, ..] => "in TLS: use https://".to_owned(),
        // The first HTTP/2 frame, SETTINGS (RFC 9113 §3.4), or GOAWAY.
        [0, 0, _, 4 | 7, ..] | [b'P', b'R', b'I', b' ', b'*', ..] => {
            "in HTTP/2: use a server or proxy with HTTP/1.1".to_owned()
        }
        // The first packet of MySQL: length, number 0, protocol 10.
        [_, _, 0, 0, 10, ..] => format!("\"{shown}{dots}\", as a MySQL server does"),
        // PostgreSQL's ErrorResponse: length and first field.
        [b'E', 0, 0, _, _, b'S', ..] => format!("\"{shown}{dots}\", as a PostgreSQL server does"),
        [b'<', ..] => format!("\"{shown}{dots}\", a page without headers (HTTP/0.9)"),
        _ => match KNOWN.iter().find(|(start, _)| bytes.starts_with(start)) {
            Some((_, who)) => format!("\"{shown}{dots}\", as {who} does"),
            None => format!("\"{shown}{dots}\""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_is_told_by_the_first_bytes() {
        for (bytes, wanted) in [
            (&b"\x15\x03\x01\0\x02\x02\x46"[..], "TLS: use https"),
            (b"\x16\x03\x03\0\x7a", "TLS: use https"),
            (b"\0\0\x12\x04\0\0\0\0\0", "HTTP/2"),
            (
                b"SSH-2.0-OpenSSH_9.2\r\n",
                "\"SSH-2.0-OpenSSH_9.2\", as an SSH server",
            ),
            (b"-ERR unknown command\r\n", "Redis"),
            (b"220 mx ESMTP\r\n", "mail"),
            (b"\x4a\0\0\0\x0a8.0.33\0", "MySQL"),
            (b"E\0\0\0\x8bSFATAL\0", "PostgreSQL"),
            (b"<html>", "HTTP/0.9"),
            (b"\x01\"", "\"\\x01\\\"\""),
        ] {
            let said = describe(bytes);
            assert!(said.contains(wanted), "{said}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_on_one_line() {
        for byte in 0..=255 {
            let said = describe(&[byte; 10_000]);
            assert!(
                said.len() < 400 && !said.contains(char::is_control),
                "{said}"
            );
        }
    }
}
