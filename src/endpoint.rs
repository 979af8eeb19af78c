//! Servers: their URLs, the APIs that they speak, and the connections to them.

mod body;
mod connector;
mod dialect;
mod exchange;
mod fault;
mod foreign;
mod framing;
#[cfg(feature = "gzip")]
mod gzip;
mod happy_eyeballs;
mod head;
mod host;
mod http;
mod payload;
mod ping;
mod product;
mod reader;
mod route;
mod stream;
#[cfg(feature = "rustls")]
mod tls;
mod transport;
mod tunnel;

use std::{fmt, sync::Arc};

use awc::http::header::{HeaderName, HeaderValue};

pub(crate) use self::product::{Identification, Identity};
use self::route::{Kind, Route};
#[cfg(fuzzing)]
pub(crate) use self::stream::check::check_response;
pub(crate) use self::{dialect::Dialect, http::Http, payload::Payload};
pub use self::{
    ping::{PingError, ServerInfo},
    product::Product,
};
use crate::{Config, ConfigError, Database, Precision, config::Files};

/// A server that batches are sent to. Immutable: a changed setting makes a new one, used from the
/// next batch on.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    inner: Arc<Inner>,
    /// Without a trailing slash.
    base_url: Arc<str>,
    /// The base URL given to the HTTP client.
    target: Arc<str>,
    route: Arc<Route>,
    /// `None` if bodies are not compressed.
    #[cfg(feature = "gzip")]
    gzip: Option<gzip::Gzip>,
}

#[derive(Clone, Debug)]
struct Inner {
    dialect: Dialect,
    /// Marked as sensitive.
    authorization: Option<HeaderValue>,
    /// Set by the program; marked as sensitive.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Endpoint {
    /// Endpoints for all base URLs, at least one. Blocks while it reads the files in the settings.
    pub(crate) fn all(config: &Config) -> Result<Vec<Self>, ConfigError> {
        Self::with_files(config, &Files::read(config)?)
    }

    /// Like [`all`](Self::all), with the contents of the files.
    pub(crate) fn with_files(config: &Config, files: &Files) -> Result<Vec<Self>, ConfigError> {
        let dialect = Dialect::new(config);
        let inner = Arc::new(Inner {
            authorization: dialect.authorization(&config.credentials(files))?,
            headers: config.headers.values()?,
            dialect,
        });
        let urls = config.urls()?;
        let proxy = config.resolved_proxy()?.map(Arc::new);
        #[cfg(feature = "rustls")]
        let tls = match urls.iter().any(|url| url.starts_with("https:")) {
            true => Some(tls::Tls::new(config, files)?),
            false => None,
        };
        let endpoint = |base_url: String| {
            let kind = match &*base_url {
                #[cfg(unix)]
                url if url.starts_with("unix:") => {
                    Kind::Unix(route::socket(url).unwrap_or_default())
                }
                #[cfg(feature = "rustls")]
                url if url.starts_with("https:") => tls.clone().map_or(Kind::Tcp, Kind::Tls),
                _ => Kind::Tcp,
            };
            let proxy = proxy.clone();
            Self {
                inner: Arc::clone(&inner),
                target: route::target(&base_url).into(),
                base_url: base_url.into(),
                route: Arc::new(Route { kind, proxy }),
                #[cfg(feature = "gzip")]
                gzip: config.gzip.then(gzip::Gzip::default),
            }
        };
        Ok(urls.into_iter().map(endpoint).collect())
    }

    /// The endpoint for lines in this unit; `None` for that of the configuration.
    pub(crate) fn in_unit(self, unit: Option<Precision>) -> Self {
        let Some(unit) = unit.filter(|unit| *unit != self.inner.dialect.unit()) else {
            return self;
        };
        let mut inner = Inner::clone(&self.inner);
        inner.dialect.set_unit(unit);
        Self {
            inner: Arc::new(inner),
            ..self
        }
    }

    pub(crate) fn write_url(&self, database: &Database) -> String {
        let path = self.inner.dialect.write_path(database);
        format!("{}{path}", self.target)
    }

    /// URL of writes without its query, for messages.
    pub(crate) fn write_path(&self) -> String {
        let path = self.inner.dialect.write_path(&Database::new(""));
        let path = path.split('?').next().unwrap_or_default();
        format!("{self}{path}")
    }

    pub(crate) fn create_database_url(&self, database: &Database) -> String {
        let path = self.inner.dialect.create_database_path(database);
        format!("{}{path}", self.target)
    }

    pub(crate) fn ping_url(&self) -> String {
        format!("{}/ping", self.target)
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.inner.authorization.as_ref()
    }

    /// Headers that the program adds to each request.
    fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.inner.headers
    }

    fn route(&self) -> &Route {
        &self.route
    }

    /// Host and port, or the path of a socket, for messages.
    fn host_name(&self) -> &str {
        let rest = self
            .base_url
            .split_once("://")
            .map_or(&*self.base_url, |(_, rest)| rest);
        match self.base_url.starts_with("unix:") {
            true => rest,
            false => rest.split('/').next().unwrap_or(rest),
        }
    }
}

/// Shows the base URL.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_each_base_url() {
        let all = Endpoint::all(&Config::v1("http://a:1,http://b:2/influx/")).unwrap();
        let write_url = all[0].write_url(&"x".into());
        assert_eq!(write_url, "http://a:1/write?db=x&precision=ns");
        assert_eq!(all[1].ping_url(), "http://b:2/influx/ping");
        assert_eq!(all.len(), 2);
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn messages_show_the_url_as_it_was_set_and_awc_gets_another() {
        let all = Endpoint::all(&Config::v1("https://h/x,unix:///run/i.sock")).unwrap();
        assert_eq!(all[0].to_string(), "https://h/x");
        assert_eq!(all[0].host_name(), "h");
        assert_eq!(all[0].write_path(), "https://h/x/write");
        assert_eq!(all[0].ping_url(), "http://tls@h:443/x/ping");
        assert_eq!(all[1].host_name(), "/run/i.sock");
        assert_eq!(all[1].write_path(), "unix:///run/i.sock/write");
    }

    #[test]
    fn lines_of_another_unit_are_written_with_that_unit() {
        let config = Config::v1("http://a:1").precision(Precision::Seconds);
        let endpoint = Endpoint::all(&config).unwrap().remove(0);
        for (unit, word) in [
            (None, "s"),
            (Some(Precision::Seconds), "s"),
            (Some(Precision::Milliseconds), "ms"),
        ] {
            let url = endpoint.clone().in_unit(unit).write_url(&"x".into());
            assert_eq!(url, format!("http://a:1/write?db=x&precision={word}"));
        }
    }

    #[test]
    fn credentials_are_sensitive_and_no_debug_output_shows_them() {
        for config in [
            Config::v1("http://a").user("ada").password("hunter2"),
            Config::v1("http://ada:hunter2@a"),
            Config::v2("http://a", "org", "hunter2"),
            Config::v1("http://a").header("Authorization", "hunter2"),
        ] {
            let endpoint = Endpoint::all(&config).unwrap().remove(0);
            let headers = endpoint.headers().iter().map(|(_, value)| value);
            let mut all = endpoint.authorization().into_iter().chain(headers);
            assert!(all.next().unwrap().is_sensitive());
            let debug = format!("{endpoint:?}");
            assert!(!debug.contains("hunter2"), "{debug}");
            // The base64 of `ada:hunter2`.
            assert!(!debug.contains("YWRhOmh1bnRlcjI="), "{debug}");
        }
    }
}
