//! Where the servers are: a comma-separated list of base URLs.

use std::fmt;

use url::Url;

use super::{api_path, shown::place};
use crate::error::ConfigError;

const A_BASE_URL: &str = "base URLs like http://localhost:8086, separated by commas";

/// The list as it was given. It may hold a password that doesn't belong there, so it prints
/// without the parts that could.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BaseUrls(String);

impl BaseUrls {
    pub(super) fn new(list: impl Into<String>) -> Self {
        Self(list.into())
    }

    /// Each base URL, at least one, without a slash at its end: a path can be appended.
    pub(crate) fn parse(&self) -> Result<Vec<String>, ConfigError> {
        // Looked for in the whole list: a comma in a password would cut it in two.
        if self.0.contains('@') {
            return Err(refused(
                &self.0,
                "URLs without `user:password@`: use user() and password(), or INFLUXDB_USER and \
                 INFLUXDB_PASSWORD (an @ in a path is written %40)",
            ));
        }
        self.0.split(',').map(base_url).collect()
    }
}

impl fmt::Debug for BaseUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(&self.0))
    }
}

fn base_url(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let url = Url::parse(text).map_err(|error| refused(text, format!("{A_BASE_URL} ({error})")))?;
    if let Some(base) = api_path::base_of(&url) {
        return Err(refused(
            text,
            format!(
                "the server's base URL, {}: the library itself adds the path of the API, and the \
                 database is each measurement's",
                place(&base)
            ),
        ));
    }
    match url.scheme() {
        "http" => {}
        "https" => {
            return Err(refused(
                text,
                "http:// only: https needs a build with TLS, which this version doesn't have yet",
            ));
        }
        _ => return Err(refused(text, A_BASE_URL)),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(text, format!("{A_BASE_URL}, without ? or #")));
    }
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(refused(text, A_BASE_URL));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn refused(text: &str, allowed: impl Into<String>) -> ConfigError {
    ConfigError::new("url", place(text), allowed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> Result<Vec<String>, String> {
        BaseUrls::new(list)
            .parse()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn base_urls_are_split_at_commas_and_end_without_a_slash() {
        for (list, urls) in [
            ("http://localhost:8086", vec!["http://localhost:8086"]),
            ("http://localhost:8086/", vec!["http://localhost:8086"]),
            (" HTTP://DB.Example ", vec!["http://db.example"]),
            ("http://[::1]:8086", vec!["http://[::1]:8086"]),
            ("http://proxy/influx/a//", vec!["http://proxy/influx/a"]),
            ("http://proxy/a%40b", vec!["http://proxy/a%40b"]),
            (
                "http://a:1, http://b:2/x/",
                vec!["http://a:1", "http://b:2/x"],
            ),
        ] {
            assert_eq!(
                parse(list),
                Ok(urls.into_iter().map(String::from).collect()),
                "{list}"
            );
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for list in [
            "",
            " ",
            ",",
            "http://a,",
            "localhost",
            "localhost:8086",
            "/var/run/influx.sock",
            "ftp://localhost",
            "http://",
            "http://:8086",
            "http://a:0",
            "http://a:65536",
            "http://a b",
            "http://::1:8086",
            "http://a?db=x",
            "http://a#x",
            "http://a?",
            "unix:/var/run/influx.sock",
        ] {
            let error = parse(list).expect_err(list);
            assert!(
                error.contains("base URLs like http://localhost:8086, separated by commas"),
                "{list}: {error}"
            );
        }
    }

    #[test]
    fn the_error_quotes_the_one_url_that_is_wrong() {
        assert_eq!(
            parse("http://a,localhost:8086").unwrap_err(),
            r#"url is "localhost:8086": base URLs like http://localhost:8086, separated by commas"#
        );
    }

    #[test]
    fn https_is_refused_with_the_reason() {
        assert_eq!(
            parse("https://db.example").unwrap_err(),
            "url is \"https://db.example\": http:// only: https needs a build with TLS, \
             which this version doesn't have yet"
        );
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for list in [
            "http://admin:hunter2@db.example",
            "http://admin:hunter2,hunter2@db.example",
            "http://admin:hunter2@hunter2@db.example",
            "http://admin:hunter2/hunter2@db.example",
            "http://admin:hunter2?hunter2#hunter2@db.example",
            "http://db.example?p=hunter2@hunter2",
            "http://ok,admin:hunter2@db.example",
            r"http:\\admin:hunter2@db.example",
            "hunter2@",
            "http://db.example?u=admin&p=hunter2",
            "http://db.example?u=admin,p=hunter2",
            "http://db.example#hunter2",
            "//db.example?hunter2",
        ] {
            let error = parse(list).expect_err(list);
            assert!(!error.contains("hunter2"), "{list}: {error}");
            let debug = format!("{:?}", BaseUrls::new(list));
            assert!(!debug.contains("hunter2"), "{list}: {debug}");
        }
        assert_eq!(
            parse("http://admin:hunter2@db.example").unwrap_err(),
            "url is \"http://[redacted]\": URLs without `user:password@`: use user() and \
             password(), or INFLUXDB_USER and INFLUXDB_PASSWORD (an @ in a path is written %40)"
        );
    }

    #[test]
    fn a_url_without_secrets_prints_as_it_is() {
        let urls = BaseUrls::new("http://a:1,http://b:2/x");
        assert_eq!(format!("{urls:?}"), r#""http://a:1,http://b:2/x""#);
    }
}
