//! The server: its URLs, and the requests that it understands.

mod body;
mod connector;
mod dialect;
mod exchange;
mod fault;
mod foreign;
mod framing;
mod happy_eyeballs;
mod head;
mod host;
mod http;
mod ping;
mod product;
mod reader;
mod stream;
mod transport;

use std::{fmt, sync::Arc};

use awc::http::header::HeaderValue;

pub(crate) use self::product::{Identity, Told};
#[cfg(fuzzing)]
pub(crate) use self::stream::check::check_response;
pub(crate) use self::{dialect::Dialect, http::Http};
pub use self::{
    ping::{PingError, ServerInfo},
    product::Product,
};
use crate::{Config, ConfigError, Database, Precision};

/// Where batches go. Immutable: a changed setting makes a new one, for the next batch on.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    inner: Arc<Inner>,
    /// Without a slash at the end.
    base_url: Arc<str>,
}

#[derive(Clone, Debug)]
struct Inner {
    dialect: Dialect,
    /// Marked as sensitive.
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// One for each base URL, at least one.
    pub(crate) fn all(config: &Config) -> Result<Vec<Self>, ConfigError> {
        let dialect = Dialect::new(config);
        let inner = Arc::new(Inner {
            authorization: dialect.authorization(config)?,
            dialect,
        });
        let endpoint = |base_url: String| Self {
            inner: Arc::clone(&inner),
            base_url: base_url.into(),
        };
        Ok(config.urls()?.into_iter().map(endpoint).collect())
    }

    /// The same, for lines whose timestamps have this unit; `None`: that of the configuration.
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
        format!("{self}{}", self.inner.dialect.write_path(database))
    }

    /// Where writes go, without parameters: for messages.
    pub(crate) fn write_path(&self) -> String {
        let path = self.inner.dialect.write_path(&Database::new(""));
        let path = path.split('?').next().unwrap_or_default();
        format!("{self}{path}")
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
            Config::v2("http://a", "org", "hunter2"),
        ] {
            let endpoint = Endpoint::all(&config).unwrap().remove(0);
            assert!(endpoint.authorization().unwrap().is_sensitive());
            let debug = format!("{endpoint:?}");
            assert!(!debug.contains("hunter2"), "{debug}");
            // The base64 of `ada:hunter2`.
            assert!(!debug.contains("YWRhOmh1bnRlcjI="), "{debug}");
        }
    }
}
