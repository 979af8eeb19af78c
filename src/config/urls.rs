//! Comma-separated list of base URLs.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{Secret, api_path, shown::server_address};
use crate::error::ConfigError;

const A_BASE_URL: &str = "base URLs like http://localhost:8086, separated by commas";

/// Maximum length of a unix socket's path (`sun_path` without its NUL), in bytes.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The list as given. It may contain a password in the wrong place, so `Debug` leaves out the parts
/// that could be one.
#[derive(Clone, PartialEq)]
pub(crate) struct BaseUrls {
    list: String,
    parsed: Result<Parsed, ConfigError>,
}

#[derive(Clone, Debug, PartialEq)]
struct Parsed {
    urls: Vec<String>,
    credentials: Option<(String, Secret)>,
}

impl BaseUrls {
    pub(super) fn new(list: impl Into<String>) -> Self {
        let list = list.into();
        let parsed = parse(&list);
        Self { list, parsed }
    }

    /// The base URLs, at least one, without credentials and without a trailing slash, so that a
    /// path can be appended.
    pub(crate) fn parse(&self) -> Result<Vec<String>, ConfigError> {
        self.parsed
            .as_ref()
            .map(|parsed| parsed.urls.clone())
            .map_err(Clone::clone)
    }

    /// User and password from the URLs.
    pub(crate) fn credentials(&self) -> Option<(&str, &Secret)> {
        let parsed = self.parsed.as_ref().ok()?;
        let (user, password) = parsed.credentials.as_ref()?;
        Some((user, password))
    }
}

impl fmt::Debug for BaseUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&server_address(&self.list))
    }
}

fn parse(list: &str) -> Result<Parsed, ConfigError> {
    // For the whole list, as a comma in a password would split it.
    let refused = |allowed: &str| refused(list, allowed.to_owned());
    let mut urls = Vec::new();
    let mut all = Vec::new();
    for text in list.split(',') {
        let (text, credentials) =
            split_credentials(text.trim()).ok_or_else(|| refused(CREDENTIALS))?;
        if text.contains('@') {
            return Err(refused(CREDENTIALS));
        }
        let url = base_url(&text).map_err(|error| match list.contains('@') {
            // The text may be part of a password.
            true => ConfigError {
                value: server_address(list),
                ..error
            },
            false => error,
        })?;
        all.extend(credentials);
        urls.push(url);
    }
    let is_same = all.windows(2).all(|pair| pair[0] == pair[1]);
    if !is_same || !matches!(all.len(), 0 | 1) && all.len() != urls.len() {
        return Err(refused(
            "URLs with the same user and password, as one set is sent to all",
        ));
    }
    let credentials = all.pop();
    Ok(Parsed { urls, credentials })
}

const CREDENTIALS: &str = "base URLs, with user and password only as http://user:password@host, where special \
                           characters are escaped (%40 for an @, %2C for a comma, %2F for a slash)";

/// Takes `user:password@` out of a URL. `None` if the URL is ambiguous.
#[allow(
    clippy::type_complexity,
    reason = "a URL and perhaps a user and password"
)]
fn split_credentials(text: &str) -> Option<(String, Option<(String, Secret)>)> {
    let Some((before, rest)) = text.split_once('@') else {
        return Some((text.to_owned(), None));
    };
    let (scheme, user_info) = before.split_once("://")?;
    let (user, password) = user_info.split_once(':')?;
    let is_plain = |text: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(&byte);
        !text.is_empty() && text.bytes().all(is_part)
    };
    if !is_plain(user) || !is_plain(password) || scheme.eq_ignore_ascii_case("unix") {
        return None;
    }
    let decode = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let credentials = (decode(user)?, Secret::new(decode(password)?));
    Some((format!("{scheme}://{rest}"), Some(credentials)))
}

fn base_url(text: &str) -> Result<String, ConfigError> {
    let unix = text
        .get(..5)
        .filter(|scheme| scheme.eq_ignore_ascii_case("unix:"));
    if unix.is_some() {
        return unix_socket(text);
    }
    let url = Url::parse(text).map_err(|error| refused(text, format!("{A_BASE_URL} ({error})")))?;
    if let Some(base) = api_path::base_of(&url) {
        return Err(refused(
            text,
            format!(
                "the server's base URL, {}: the library itself adds the path of the API, and the \
                 database is each measurement's",
                server_address(&base)
            ),
        ));
    }
    match url.scheme() {
        "http" => {}
        "https" if cfg!(feature = "rustls") => {}
        "https" => {
            return Err(refused(
                text,
                "http:// only: https needs the feature `rustls` of actix-influxdb, which this program was \
                 built without",
            ));
        }
        _ => return Err(refused(text, A_BASE_URL)),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(text, format!("{A_BASE_URL}, without ? or #")));
    }
    let is_usable = match url.host() {
        None => false,
        Some(Host::Domain(name)) => is_host_name(name),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
    };
    if !is_usable || url.port() == Some(0) {
        return Err(refused(
            text,
            format!(
                "{A_BASE_URL} (a host is a name of letters, digits, `-`, `_` and dots, or an IP address)"
            ),
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether the labels have 1 to 63 bytes, 253 in all (RFC 1035 §2.3.4). Underscores occur in
/// container networks. Names in other scripts have been converted to Punycode before.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_part);
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Parses a URL like `unix:///run/influxdb.sock`.
fn unix_socket(text: &str) -> Result<String, ConfigError> {
    let refused = |why: String| {
        refused(
            text,
            format!("{A_BASE_URL}, or unix:///run/influxdb.sock with an absolute path{why}"),
        )
    };
    if cfg!(not(unix)) {
        return Err(refused(" (on Unix systems only)".to_owned()));
    }
    let path = text[5..]
        .strip_prefix("//")
        .filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| refused(String::new()))?;
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let is_control = |byte: &u8| byte.is_ascii_control();
    if path.ends_with('/') || path.contains(['?', '#']) || bytes.iter().any(is_control) {
        return Err(refused(", of a file, without ? or #".to_owned()));
    }
    if bytes.len() > MAX_SOCKET_PATH {
        return Err(refused(format!(" of at most {MAX_SOCKET_PATH} bytes")));
    }
    Ok(format!("unix://{path}"))
}

fn refused(text: &str, allowed: impl Into<String>) -> ConfigError {
    ConfigError::new("url", server_address(text), allowed.into())
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
            "http://a!b",
            "http://a..b",
            "http://a$b:8086",
            "http://-\u{202e}x",
            "http://[fe80::1%25eth0]",
            "http://1.2.3.256",
            "unix:/var/run/influx.sock",
            "unix://run/influx.sock",
            "unix://",
            "unix:///",
            "unix:///run/",
            "unix:///run/x?y",
            "unix:///run/%00x",
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

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn https_without_the_feature_names_the_feature() {
        assert_eq!(
            parse("https://db.example").unwrap_err(),
            "url is \"https://db.example\": http:// only: https needs the feature `rustls` of \
             actix-influxdb, which this program was built without"
        );
    }

    #[test]
    fn hosts_in_other_scripts_and_forms_are_normalized() {
        for (url, expected) in [
            (
                "http://bücher.example:8086",
                "http://xn--bcher-kva.example:8086",
            ),
            ("http://BÜCHER.example", "http://xn--bcher-kva.example"),
            ("http://0x7f.1", "http://127.0.0.1"),
            ("http://[0:0:0:0:0:0:0:1]:8086", "http://[::1]:8086"),
            ("http://db_1.internal.:8086", "http://db_1.internal.:8086"),
        ] {
            assert_eq!(parse(url), Ok(vec![expected.to_owned()]));
        }
        let long = format!("http://{}.example", "x".repeat(64));
        assert!(parse(&long).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_is_an_absolute_path() {
        for url in ["unix:///run/influxdb.sock", "UNIX:///run/influxdb.sock"] {
            assert_eq!(parse(url), Ok(vec!["unix:///run/influxdb.sock".to_owned()]));
        }
        let long = format!("unix:///{}", "x".repeat(110));
        let error = parse(&long).unwrap_err();
        assert!(error.contains("bytes"), "{error}");
    }

    #[test]
    fn credentials_are_taken_out_of_urls() {
        let urls =
            BaseUrls::new("http://ada:p%40ss%2Cw%C3%B6rd@a:1/x,http://ada:p%40ss%2Cw%C3%B6rd@b");
        let expected = vec!["http://a:1/x".to_owned(), "http://b".to_owned()];
        assert_eq!(urls.parse(), Ok(expected));
        let (user, password) = urls.credentials().unwrap();
        assert_eq!((user, password.expose()), ("ada", "p@ss,wörd"));
        let shown = format!("{urls:?} {:?}", urls.parsed);
        assert!(
            !shown.contains("p@ss") && !shown.contains("p%40ss"),
            "{shown}"
        );
        let one_of_two = BaseUrls::new("http://ada:x@a,http://b");
        assert!(one_of_two.credentials().is_some());
    }

    #[test]
    fn what_may_be_a_password_in_a_url_is_not_repeated() {
        for list in [
            "http://admin:hunter2,hunter2@db.example",
            "http://admin:hunter2@hunter2@db.example",
            "http://admin:hunter2/hunter2@db.example",
            "http://admin:hunter2?hunter2#hunter2@db.example",
            "http://db.example?p=hunter2@hunter2",
            "http://ok,admin:hunter2@db.example",
            "http://ok:hunter2@a,http://other:hunter2@db.example",
            "http://hunter2@db.example",
            "http://:hunter2@db.example",
            "unix://admin:hunter2@/run/x",
            "http://admin:hunter2@",
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
    }

    #[test]
    fn a_url_without_secrets_prints_as_it_is() {
        let urls = BaseUrls::new("http://a:1,http://b:2/x");
        assert_eq!(format!("{urls:?}"), r#""http://a:1,http://b:2/x""#);
    }
}
