//! The APIs of InfluxDB v1, v2 and v3: paths, parameters and credentials.
//!
//! Sources: the write endpoints of [v1], [v2] and [v3].
//!
//! [v1]: https://docs.influxdata.com/influxdb/v1/tools/api/#write-http-endpoint
//! [v2]: https://docs.influxdata.com/influxdb/v2/api/v2/#operation/PostWrite
//! [v3]: https://docs.influxdata.com/influxdb3/core/api/v3/#operation/PostWriteLP

use awc::http::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Api, Config, ConfigError, Consistency, Database, Precision, config::Credentials};

/// Characters that need no escape in a URL (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    api: Api,
    /// Percent-encoded; for v2.
    org: String,
    precision: Precision,
    consistency: Option<Consistency>,
    no_sync: bool,
}

impl Dialect {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            api: config.api,
            org: escaped(config.org.as_deref().unwrap_or_default()),
            precision: config.unit(),
            consistency: config.consistency,
            no_sync: config.no_sync,
        }
    }

    /// Unit of the timestamps.
    pub(super) fn unit(&self) -> Precision {
        self.precision
    }

    pub(super) fn set_unit(&mut self, unit: Precision) {
        self.precision = unit;
    }

    /// Path and query of a write.
    pub(crate) fn write_path(&self, database: &Database) -> String {
        let precision = self.precision();
        match self.api {
            Api::V1 => {
                let name = escaped(&database.name);
                let policy = match &database.retention_policy {
                    Some(policy) => format!("&rp={}", escaped(policy)),
                    None => String::new(),
                };
                let consistency = match self.consistency {
                    Some(level) => format!("&consistency={level}"),
                    None => String::new(),
                };
                format!("/write?db={name}{policy}&precision={precision}{consistency}")
            }
            Api::V2 => {
                let (org, bucket) = (&self.org, escaped(&database.to_string()));
                format!("/api/v2/write?org={org}&bucket={bucket}&precision={precision}")
            }
            Api::V3 => {
                let name = escaped(&database.to_string());
                let no_sync = if self.no_sync { "&no_sync=true" } else { "" };
                // Good lines are stored, and all bad ones are named.
                format!(
                    "/api/v3/write_lp?db={name}&precision={precision}&accept_partial=true{no_sync}"
                )
            }
        }
    }

    /// Path and query to create a database; only for v1, as the settings ensure.
    ///
    /// Source: [InfluxQL, identifiers](https://docs.influxdata.com/influxdb/v1/query_language/spec/#identifiers).
    pub(crate) fn create_database_path(&self, database: &Database) -> String {
        let name = database.name.replace('\\', "\\\\").replace('"', "\\\"");
        let query = format!("CREATE DATABASE \"{}\"", name.replace('\n', "\\n"));
        format!("/query?q={}", escaped(&query))
    }

    fn precision(&self) -> &'static str {
        match (self.api, self.precision) {
            (Api::V3, Precision::Nanoseconds) => "nanosecond",
            (Api::V3, Precision::Microseconds) => "microsecond",
            (Api::V3, Precision::Milliseconds) => "millisecond",
            (Api::V3, Precision::Seconds) => "second",
            (_, Precision::Nanoseconds) => "ns",
            // Only for lines stored for another API ([`Config::unit`]).
            (Api::V1, Precision::Microseconds) => "u",
            (Api::V2, Precision::Microseconds) => "us",
            (_, Precision::Milliseconds) => "ms",
            (_, Precision::Seconds) => "s",
        }
    }

    /// The header `Authorization`, marked as sensitive.
    pub(crate) fn authorization(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<HeaderValue>, ConfigError> {
        let (setting, text) = match (self.api, credentials) {
            (Api::V3, Credentials::Token(token)) => ("token", format!("Bearer {}", token.expose())),
            (_, Credentials::Token(token)) => ("token", format!("Token {}", token.expose())),
            (_, Credentials::Basic { user, password }) => {
                let password = password.as_ref().map(|secret| secret.expose());
                ("user", basic(user, password.unwrap_or_default()))
            }
            (_, Credentials::None) => return Ok(None),
        };
        let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
            ConfigError::new(setting, "[redacted]", "text without control characters")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// HTTP basic authentication (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {credentials}")
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(config: Config, database: Database) -> String {
        Dialect::new(&config).write_path(&database)
    }

    fn authorization(config: Config) -> Option<String> {
        let credentials = config.credentials(&crate::config::Files::default());
        let value = Dialect::new(&config).authorization(&credentials).unwrap()?;
        assert!(value.is_sensitive());
        Some(value.to_str().unwrap().to_owned())
    }

    fn one_week() -> Database {
        Database::new("my db&x=1").retention_policy("one week")
    }

    #[test]
    fn each_api_has_its_own_write_url() {
        assert_eq!(
            path(Config::v1("http://h"), one_week()),
            "/write?db=my%20db%26x%3D1&rp=one%20week&precision=ns"
        );
        assert_eq!(
            path(Config::v2("http://h", "my org", "t"), one_week()),
            "/api/v2/write?org=my%20org&bucket=my%20db%26x%3D1%2Fone%20week&precision=ns"
        );
        assert_eq!(
            path(Config::v3("http://h", "t"), "db".into()),
            "/api/v3/write_lp?db=db&precision=nanosecond&accept_partial=true"
        );
    }

    #[test]
    fn consistency_and_no_sync_are_sent_if_they_are_set() {
        let v1 = Config::v1("http://h").consistency(Consistency::Quorum);
        assert_eq!(
            path(v1, "db".into()),
            "/write?db=db&precision=ns&consistency=quorum"
        );
        let v3 = path(Config::v3("http://h", "t").no_sync(true), "db".into());
        assert!(v3.ends_with("&accept_partial=true&no_sync=true"), "{v3}");
    }

    #[test]
    fn the_name_of_a_database_that_is_created_is_quoted() {
        let dialect = Dialect::new(&Config::v1("http://h"));
        let path = dialect.create_database_path(&"a\"; DROP DATABASE \\".into());
        let wanted = escaped("CREATE DATABASE \"a\\\"; DROP DATABASE \\\\\"");
        assert_eq!(path, format!("/query?q={wanted}"));
    }

    #[test]
    fn each_api_has_its_own_words_for_the_precision() {
        let words = |config: Config| {
            [
                Precision::Nanoseconds,
                Precision::Microseconds,
                Precision::Milliseconds,
                Precision::Seconds,
            ]
            .map(|precision| Dialect::new(&config.clone().precision(precision)).precision())
        };
        assert_eq!(words(Config::v1("http://h")), ["ns", "ns", "ms", "s"]);
        let v2 = Config::v2("http://h", "o", "t");
        assert_eq!(words(v2), ["ns", "us", "ms", "s"]);
        assert_eq!(
            words(Config::v3("http://h", "t")),
            ["nanosecond", "microsecond", "millisecond", "second"]
        );
    }

    #[test]
    fn each_api_has_its_own_authorization() {
        let v1 = || Config::v1("http://h");
        assert_eq!(authorization(v1()), None);
        // The example of RFC 7617 §2.
        let basic = authorization(v1().user("Aladdin").password("open sesame"));
        assert_eq!(basic.unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(authorization(v1().token("t")).unwrap(), "Token t");
        let v2 = authorization(Config::v2("http://h", "o", "t"));
        assert_eq!(v2.unwrap(), "Token t");
        let v3 = authorization(Config::v3("http://h", "t"));
        assert_eq!(v3.unwrap(), "Bearer t");
    }
}
