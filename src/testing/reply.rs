//! Encodes responses.

use bytes::Bytes;

/// How the client finds the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Content-Length`; none for a status without a body.
    Length,
    /// A `Content-Length` that may be wrong.
    Announced(u64),
    Chunked,
    /// The end of the connection.
    UntilClose,
}

#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) framing: Framing,
    /// Statuses of preceding interim responses (1xx).
    pub(super) interim: Vec<u16>,
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            framing: Framing::Length,
            interim: Vec::new(),
        }
    }

    /// A response of 1.6.7, with its usual headers.
    pub(super) fn influx(status: u16) -> Self {
        Self::new(status)
            .header("Content-Type", "application/json")
            .header("X-Influxdb-Build", "OSS")
            .header("X-Influxdb-Version", "1.6.7")
    }

    /// An error in the format of 1.6.7.
    pub(super) fn error(status: u16, text: &str) -> Self {
        let mut reply = Self::influx(status);
        if status == 401 {
            reply = reply.header("Www-Authenticate", "Basic realm=\"InfluxDB\"");
        } else {
            reply = reply.header("X-Influxdb-Error", &error_header(text));
        }
        reply.json(&serde_json::json!({ "error": text }))
    }

    /// A JSON body as encoded by Go: `<`, `>` and `&` escaped, with a line break at its end, and
    /// chunked above 2 KiB.
    pub(super) fn json(mut self, value: &serde_json::Value) -> Self {
        let mut json = value.to_string();
        for (raw, escaped) in [
            ('<', "\\u003c"),
            ('>', "\\u003e"),
            ('&', "\\u0026"),
            ('\u{2028}', "\\u2028"),
            ('\u{2029}', "\\u2029"),
        ] {
            if json.contains(raw) {
                json = json.replace(raw, escaped);
            }
        }
        json.push('\n');
        if json.len() > 2_048 {
            self.framing = Framing::Chunked;
        }
        self.body = json.into();
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether this response ends the connection.
    pub(super) fn ends_connection(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// Encodes the response, without a body if `head_only`.
    pub(super) fn to_bytes(&self, head_only: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 512);
        for status in &self.interim {
            let head = format!("HTTP/1.1 {status} {}\r\n\r\n", reason(*status));
            out.extend_from_slice(head.as_bytes());
        }
        out.extend_from_slice(
            format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).as_bytes(),
        );
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        // RFC 9110 §8.6: no Content-Length with 1xx and 204; a 304 has no body either.
        let bodiless = matches!(self.status, 100..=199 | 204 | 304);
        match self.framing {
            Framing::Length if bodiless && self.body.is_empty() => {}
            Framing::Length => {
                out.extend_from_slice(
                    format!("Content-Length: {}\r\n", self.body.len()).as_bytes(),
                );
            }
            Framing::Announced(length) => {
                out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::UntilClose => {}
        }
        out.extend_from_slice(b"\r\n");
        if !head_only {
            self.push_body(&mut out);
        }
        out
    }

    fn push_body(&self, out: &mut Vec<u8>) {
        if self.framing != Framing::Chunked {
            out.extend_from_slice(&self.body);
            return;
        }
        for chunk in self.body.chunks(2_048) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

/// The value of `X-Influxdb-Error`: the text's first 1,024 bytes, with line breaks as blanks. Seen
/// on 1.6.7: other control characters are sent unchanged, so clients may refuse the head (RFC 9110
/// §5.5).
fn error_header(text: &str) -> String {
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=text.len().min(1_024))
        .rev()
        .find(fits)
        .unwrap_or_default();
    text[..end].replace(['\r', '\n'], " ").trim().to_owned()
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Scripted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply) -> String {
        String::from_utf8(reply.to_bytes(false)).unwrap()
    }

    #[test]
    fn an_error_is_told_in_the_body_and_in_a_header() {
        assert_eq!(
            text(&Reply::error(404, "database not found: \"nope\"")),
            "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nX-Influxdb-Build: OSS\r\n\
             X-Influxdb-Version: 1.6.7\r\nX-Influxdb-Error: database not found: \"nope\"\r\n\
             Content-Length: 41\r\n\r\n{\"error\":\"database not found: \\\"nope\\\"\"}\n"
        );
    }

    #[test]
    fn the_header_is_cut_at_1024_bytes_and_has_no_line_breaks() {
        let header = error_header(&"bad\nline ".repeat(200));
        assert!(
            header.len() <= 1_024 && header.starts_with("bad line bad"),
            "{header}"
        );
        assert_eq!(error_header(&"é".repeat(600)).len(), 1_024);
    }

    #[test]
    fn a_no_content_answer_has_no_length() {
        assert_eq!(text(&Reply::new(204)), "HTTP/1.1 204 No Content\r\n\r\n");
    }

    // Seen on 1.6.7.
    #[test]
    fn angle_brackets_are_escaped_as_go_does() {
        let reply = Reply::error(400, "<b>& bad\u{2028}");
        assert_eq!(
            reply.body,
            "{\"error\":\"\\u003cb\\u003e\\u0026 bad\\u2028\"}\n"
        );
    }

    #[test]
    fn a_long_error_comes_in_chunks() {
        let sent = text(&Reply::error(400, &"x".repeat(3_000)));
        assert!(
            sent.contains("Transfer-Encoding: chunked\r\n\r\n800\r\n{\"error\""),
            "{sent}"
        );
        assert!(sent.ends_with("\"}\n\r\n0\r\n\r\n"), "{sent}");
    }
}
