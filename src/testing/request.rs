//! Received requests.

use std::{borrow::Cow, io::Read, time::Instant};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// A received request of any kind.
///
/// Recorded when its body is complete, or when its script stops reading; then `body` is incomplete.
///
/// ```
/// # let influx = actix_influxdb::testing::FakeInflux::start();
/// for request in influx.requests() {
///     println!("{} {} {:?}", request.method, request.path, request.param("db"));
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The method, for example `POST`.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// Path and query as sent.
    pub target: String,
    /// The decoded query parameters, in order.
    pub query: Vec<(String, String)>,
    /// The headers, in order, with names in lower case. Invalid UTF-8 in values is replaced by
    /// U+FFFD.
    pub headers: Vec<(String, String)>,
    /// The body as sent: without chunked framing, but still compressed if it was; see
    /// [`payload`](Self::payload).
    pub body: Bytes,
    /// The status of the response; `None` before the response, or if the connection was closed
    /// instead.
    pub status: Option<u16>,
    /// When the request's head had arrived.
    pub received_at: Instant,
    /// Number of the connection, counted from 1.
    pub connection: u64,
    /// The client's port.
    pub peer_port: u16,
}

impl Request {
    /// Returns the first query parameter with this name.
    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// Returns the first header with this name, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Whether the request is a write: a `POST` to `/write`, `/api/v2/write` or `/api/v3/write_lp`;
    /// or below `/influx` (VictoriaMetrics) or `/v1/influxdb` (GreptimeDB).
    pub fn is_write(&self) -> bool {
        let path = self.path.as_str();
        let inner = ["/influx/", "/v1/influxdb/"].iter();
        let inner = inner.filter_map(|base| path.strip_prefix(base)).next();
        self.method == "POST"
            && match inner {
                Some(path) => matches!(path, "write" | "api/v2/write"),
                None => matches!(path, "/write" | "/api/v2/write" | "/api/v3/write_lp"),
            }
    }

    /// Returns the body, uncompressed if `Content-Encoding` is `gzip`.
    ///
    /// # Errors
    ///
    /// InfluxDB's text for a body that is not valid gzip, or incomplete.
    pub fn payload(&self) -> Result<Cow<'_, [u8]>, String> {
        if self.header("content-encoding") != Some("gzip") {
            return Ok(Cow::Borrowed(&self.body));
        }
        let mut payload = Vec::new();
        match MultiGzDecoder::new(&*self.body).read_to_end(&mut payload) {
            Ok(_) => Ok(Cow::Owned(payload)),
            // Seen on 1.6.7: `EOF` for an empty body, `unexpected EOF` for an incomplete header or
            // body, `gzip: invalid header` and `gzip: invalid checksum`.
            Err(_) if self.body.is_empty() => Err("EOF".to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err("unexpected EOF".to_owned())
            }
            Err(_) if self.body.len() < 10 => Err("unexpected EOF".to_owned()),
            Err(_) if !self.body.starts_with(&[0x1f, 0x8b]) => {
                Err("gzip: invalid header".to_owned())
            }
            Err(_) => Err("gzip: invalid checksum".to_owned()),
        }
    }

    /// Returns the payload as text, for assertions, with invalid UTF-8 replaced by U+FFFD.
    ///
    /// # Panics
    ///
    /// If `Content-Encoding` is `gzip` and the body isn't.
    #[track_caller]
    pub fn text(&self) -> String {
        match self.payload() {
            Ok(payload) => String::from_utf8_lossy(&payload).into_owned(),
            Err(why) => panic!("the body isn't gzip: {why}"),
        }
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
