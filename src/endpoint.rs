//! The server: its URLs, and the requests that it understands.

mod dialect;
mod http;

use std::{fmt, sync::Arc};

use awc::http::header::HeaderValue;

pub(crate) use self::{dialect::Dialect, http::Http};
use crate::{Config, ConfigError, Database};

/// Where batches go. Immutable: a changed setting makes a new one, for the next batch on.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    inner: Arc<Inner>,
    /// Which of the base URLs.
    at: usize,
}

#[derive(Debug)]
struct Inner {
    /// Without a slash at the end. At least one.
    base_urls: Vec<String>,
    dialect: Dialect,
    /// Marked as sensitive.
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let dialect = Dialect::new(config);
        let inner = Inner {
            base_urls: config.urls()?,
            authorization: dialect.authorization(config)?,
            dialect,
        };
        let inner = Arc::new(inner);
        Ok(Self { inner, at: 0 })
    }

    /// The same server at its next base URL, if it has several.
    pub(crate) fn next(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            at: (self.at + 1) % self.inner.base_urls.len(),
        }
    }

    pub(crate) fn write_url(&self, database: &Database) -> String {
        format!("{self}{}", self.inner.dialect.write_path(database))
    }

    pub(crate) fn create_database_url(&self, database: &Database) -> String {
        format!(
            "{self}{}",
            self.inner.dialect.create_database_path(database)
        )
    }

    pub(crate) fn ping_url(&self) -> String {
        format!("{self}/ping")
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.inner.authorization.as_ref()
    }
}

/// Its base URL.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.base_urls[self.at])
    }
}

/// What a server says of itself: the answer to [`Influx::ping`](crate::Influx::ping).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Its base URL.
    pub url: String,
    /// `X-Influxdb-Version`, for example `1.6.7`; servers that only speak its protocol may not
    /// send one.
    pub version: Option<String>,
}

/// Why a ping got no good answer.
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[non_exhaustive]
pub enum PingError {
    /// No connection, or no whole answer in time.
    #[display("{url} does not answer: {reason}")]
    Unreachable {
        /// The server's base URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// An answer, but not a good one.
    #[display("{url} answers with status {status}, not with 2xx")]
    Status {
        /// The server's base URL.
        url: String,
        /// The status code.
        status: u16,
    },
    /// Nothing was asked: delivery is switched off, or has stopped.
    #[display("no server was asked: delivery is disabled or has stopped")]
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_are_taken_in_turn() {
        let endpoint = Endpoint::new(&Config::v1("http://a:1,http://b:2/influx/")).unwrap();
        assert_eq!(
            endpoint.write_url(&"x".into()),
            "http://a:1/write?db=x&precision=ns"
        );
        let next = endpoint.next();
        assert_eq!(next.ping_url(), "http://b:2/influx/ping");
        assert_eq!(next.next().ping_url(), endpoint.ping_url());
    }

    #[test]
    fn credentials_are_sensitive_and_no_debug_output_shows_them() {
        for config in [
            Config::v1("http://a").user("ada").password("hunter2"),
            Config::v2("http://a", "org", "hunter2"),
        ] {
            let endpoint = Endpoint::new(&config).unwrap();
            assert!(endpoint.authorization().unwrap().is_sensitive());
            let debug = format!("{endpoint:?}");
            assert!(!debug.contains("hunter2"), "{debug}");
            // The base64 of `ada:hunter2`.
            assert!(!debug.contains("YWRhOmh1bnRlcjI="), "{debug}");
        }
    }
}
