//! The route to an endpoint: TCP, TLS or a unix socket, and possibly a proxy.
//!
//! awc pools connections by the URL's authority, and would do TLS itself for `https`. So awc gets
//! an `http` URL whose authority identifies the endpoint: routes other than TCP have a userinfo
//! part, which is part of the pool's key and is never sent.

#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

#[cfg(feature = "rustls")]
use super::tls::Tls;
use crate::config::Proxy;

/// How connections to an endpoint are made. When it changes, existing connections are not used
/// again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    pub(super) kind: Kind,
    /// `None` for unix sockets.
    pub(super) proxy: Option<Arc<Proxy>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Tcp,
    #[cfg(unix)]
    Unix(PathBuf),
    #[cfg(feature = "rustls")]
    Tls(Tls),
}

impl Route {
    /// Plain TCP.
    #[cfg(any(test, fuzzing))]
    pub(super) fn tcp() -> Self {
        Self {
            kind: Kind::Tcp,
            proxy: None,
        }
    }
}

/// The base URL for awc.
pub(super) fn target(base_url: &str) -> String {
    if let Some(rest) = base_url.strip_prefix("https://") {
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let has_port = authority.rfind(':') > authority.rfind(']');
        let port = if has_port { "" } else { ":443" };
        return format!("http://tls@{authority}{port}{path}");
    }
    match base_url.strip_prefix("unix://") {
        Some(path) => {
            // In hexadecimal digits, as authorities are compared case-insensitively, but paths are not.
            let path = percent_decode_str(path).map(|byte| format!("{byte:02x}"));
            format!("http://{}@localhost", path.collect::<String>())
        }
        None => base_url.to_owned(),
    }
}

/// The path in a unix socket's URL.
#[cfg(unix)]
pub(super) fn socket(base_url: &str) -> Option<PathBuf> {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
    let path = base_url.strip_prefix("unix://")?;
    let bytes = percent_decode_str(path).collect();
    Some(OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use awc::http::Uri;

    use super::*;

    #[test]
    fn awc_gets_http_urls_whose_authorities_tell_the_endpoints_apart() {
        for (base_url, expected) in [
            ("http://h:8086/x", "http://h:8086/x"),
            ("https://h", "http://tls@h:443"),
            ("https://h/x/y", "http://tls@h:443/x/y"),
            ("https://h:8086/x", "http://tls@h:8086/x"),
            ("https://[::1]", "http://tls@[::1]:443"),
            ("https://[::1]:8086", "http://tls@[::1]:8086"),
            (
                "unix:///run/a%20b.sock",
                "http://2f72756e2f6120622e736f636b@localhost",
            ),
        ] {
            assert_eq!(target(base_url), expected);
            let uri: Uri = expected.parse().unwrap();
            assert!(uri.authority().is_some());
        }
    }

    /// awc compares authorities as `http` does.
    #[test]
    fn sockets_whose_paths_differ_in_case_only_share_no_connection() {
        let authority = |base_url| {
            let uri: Uri = target(base_url).parse().unwrap();
            uri.authority().unwrap().clone()
        };
        assert_ne!(
            authority("unix:///run/a.sock"),
            authority("unix:///run/A.sock")
        );
        assert_eq!(
            authority("unix:///run/A.sock"),
            authority("unix:///run/%41.sock")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_the_path_of_its_url() {
        assert_eq!(
            socket("unix:///run/a%20b.sock"),
            Some("/run/a b.sock".into())
        );
        assert_eq!(socket("http://h"), None);
    }
}
