//! Headers that the program adds to every request.

use std::collections::BTreeMap;
use std::fmt;

use awc::http::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::Secret;
use super::secret::REDACTED;
use crate::error::ConfigError;

/// Headers that the library sets itself, or that belong to the connection (RFC 9110 §7.6.1).
const RESERVED: [&str; 12] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Names in lower case, with their values.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Headers(BTreeMap<String, Secret>);

impl Headers {
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into().to_ascii_lowercase();
        self.0.insert(name, Secret::new(value));
    }

    /// Reads `Name=value,Name=value`, values percent-encoded.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut headers = Self::default();
        for pair in text.split(',').map(str::trim) {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            headers.set(name.trim(), value);
        }
        Some(headers)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The headers, marked as sensitive.
    pub(crate) fn values(&self) -> Result<Vec<(HeaderName, HeaderValue)>, ConfigError> {
        let refused = |allowed: String| ConfigError::new("headers", REDACTED, allowed);
        let header = |(name, value): (&String, &Secret)| {
            // An invalid name may be a secret.
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused("names of headers, like X-Scope-OrgID".to_owned()))?;
            if RESERVED.contains(&header.as_str()) {
                return Err(refused(format!(
                    "headers other than {header}, which the library sets itself"
                )));
            }
            let value = HeaderValue::from_str(value.expose());
            let mut value =
                value.map_err(|_| refused("values of printable ASCII characters".to_owned()))?;
            value.set_sensitive(true);
            Ok((header, value))
        };
        self.0.iter().map(header).collect()
    }
}

/// Shows the names only, and no invalid ones.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            self.0.iter().map(
                |(name, value)| match HeaderName::from_bytes(name.as_bytes()) {
                    Ok(_) => (super::shown::name(name), value),
                    Err(_) => (REDACTED, value),
                },
            );
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_names_and_percent_encoded_values() {
        let headers = Headers::parse("X-Scope-OrgID=team 1, x-key=a%2Cb%3D=").unwrap();
        let values = headers.values().unwrap();
        let shown = |at: usize| (values[at].0.as_str(), values[at].1.to_str().unwrap());
        assert_eq!(shown(0), ("x-key", "a,b=="));
        assert_eq!(shown(1), ("x-scope-orgid", "team 1"));
        assert!(values.iter().all(|(_, value)| value.is_sensitive()));
        for bad in ["x", "x=1,", "x=%ff"] {
            assert!(Headers::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_librarys_own_headers_and_bad_ones_are_refused_without_their_values() {
        for (name, value, reason) in [
            ("Host", "hunter2", "headers other than host"),
            (
                "Content-Length",
                "hunter2",
                "headers other than content-length",
            ),
            ("a b", "hunter2", "names of headers"),
            ("", "hunter2", "names of headers"),
            ("x", "hunter2\n", "printable"),
        ] {
            let mut headers = Headers::default();
            headers.set(name, value);
            let error = headers.values().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            assert!(!format!("{headers:?}").contains("hunter2"));
        }
    }
}
