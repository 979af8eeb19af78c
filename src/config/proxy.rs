//! HTTP proxy for connections.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{Config, Secret, shown};
use crate::error::ConfigError;

const A_PROXY: &str =
    "the URL of an HTTP proxy like http://proxy:3128, perhaps with user:password@";

/// An HTTP proxy for `CONNECT`. Displayed as its host and port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Proxy {
    /// In the format of URLs: an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User and password, decoded.
    pub(crate) credentials: Option<(Secret, Secret)>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Config {
    pub(crate) fn resolved_proxy(&self) -> Result<Option<Proxy>, ConfigError> {
        self.proxy
            .as_ref()
            .map(|url| proxy(url.expose()))
            .transpose()
    }
}

fn proxy(text: &str) -> Result<Proxy, ConfigError> {
    let refused = |why: &str| {
        let allowed = format!("{A_PROXY}{why}");
        ConfigError::new("proxy", shown::server_address(text), allowed)
    };
    let url = Url::parse(text.trim()).map_err(|_| refused(""))?;
    match url.scheme() {
        "http" => {}
        "https" | "socks4" | "socks5" | "socks5h" => {
            return Err(refused(" (TLS or SOCKS to the proxy is not supported)"));
        }
        _ => return Err(refused("")),
    }
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare {
        return Err(refused(", without a path"));
    }
    let decode = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().ok()?;
        (!text.contains(char::is_control)).then(|| Secret::new(text))
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => {
            let decoded = decode(user).zip(decode(password.unwrap_or_default()));
            let decoded = decoded.filter(|(user, _)| !user.expose().contains(':'));
            Some(decoded.ok_or_else(|| refused(""))?)
        }
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let port = url.port_or_known_default().filter(|port| *port != 0);
    match (host, port) {
        (Some(host), Some(port)) => Ok(Proxy {
            host: host.to_owned(),
            port,
            credentials,
        }),
        _ => Err(refused("")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_a_port_and_perhaps_credentials() {
        let parsed = |url: &str| proxy(url).map(|proxy| proxy.to_string());
        assert_eq!(parsed("http://proxy:3128"), Ok("proxy:3128".to_owned()));
        assert_eq!(parsed(" http://[::1]/ "), Ok("[::1]:80".to_owned()));
        let with = proxy("http://ada:s%40me@proxy:3128").unwrap();
        let (user, password) = with.credentials.as_ref().unwrap();
        assert_eq!((user.expose(), password.expose()), ("ada", "s@me"));
        assert!(!format!("{with:?} {with}").contains("s@me"));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for url in [
            "proxy:3128",
            "proxy",
            "https://ada:hunter2@proxy",
            "socks5://ada:hunter2@proxy",
            "http://ada:hunter2@proxy/path",
            "http://ada:hunter2@",
            "http://proxy?hunter2",
            "http://proxy:0",
            "http://a%3Ab:hunter2@proxy",
            "http://ada:hunter2%0A@proxy",
        ] {
            let config = Config::default().proxy(url);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with("proxy is "), "{error}");
            assert!(error.contains("http://proxy:3128"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            assert!(!format!("{config:?}").contains("hunter2"));
        }
    }
}
