//! Requests that arrived.

use std::{borrow::Cow, io::Read, time::Instant};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// A request that arrived, of whatever kind.
///
/// A request is kept when its body is complete, or when the script of its answer stops reading: then
/// `body` holds what was read until then.
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
    /// The path, without the query and as it was sent.
    pub path: String,
    /// Path and query as they were sent.
    pub target: String,
    /// The query's parameters, decoded, in the order they were sent.
    pub query: Vec<(String, String)>,
    /// The headers, in the order they were sent, names in lower case. Bytes of a value that aren't
    /// UTF-8 are replaced by U+FFFD.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent: without the framing of `Transfer-Encoding: chunked`, but still
    /// compressed if it was; see [`payload`](Self::payload).
    pub body: Bytes,
    /// The status that was answered: `None` while there is no answer, and for good if the connection
    /// was cut instead.
    pub status: Option<u16>,
    /// When the request's head had arrived.
    pub received_at: Instant,
    /// Number of the connection, 1 for the first one that was accepted.
    pub connection: u64,
    /// The port that the client sent it from.
    pub peer_port: u16,
}

impl Request {
    /// Returns the first query parameter of this name.
    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// Returns the first header of this name, which has to be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Whether the request is a write: a `POST` to `/write`, `/api/v2/write` or `/api/v3/write_lp`; or, of servers
    /// that have them elsewhere, below `/influx` (VictoriaMetrics) or `/v1/influxdb` (GreptimeDB).
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
    /// InfluxDB's text for a body that isn't gzip, or not all of one.
    pub fn payload(&self) -> Result<Cow<'_, [u8]>, String> {
        if self.header("content-encoding") != Some("gzip") {
            return Ok(Cow::Borrowed(&self.body));
        }
        let mut payload = Vec::new();
        match MultiGzDecoder::new(&*self.body).read_to_end(&mut payload) {
            Ok(_) => Ok(Cow::Owned(payload)),
            // Seen on 1.6.7: `EOF` for no body, `unexpected EOF` for less than a header, or a body
            // that ends early, `gzip: invalid header` and `gzip: invalid checksum`.
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

    /// The payload as text, for assertions: bytes that aren't UTF-8 are replaced by U+FFFD.
    ///
    /// # Panics
    ///
    /// If the body claims to be gzip and isn't.
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
