//! Summary of the settings for the log: servers, API and limits.

use super::{Api, Config, Overflow};
use crate::printable::{LIMIT, printable};

impl Config {
    /// The line logged when delivery starts.
    pub(crate) fn summary(&self) -> String {
        if !self.enabled {
            return format!(
                "delivery is disabled ({} is false): measurements are counted and dropped",
                self.origin.name("enabled")
            );
        }
        let Self {
            max_batch_size,
            max_buffer_size,
            trigger_size,
            interval,
            max_clients,
            request_timeout,
            overflow,
            ..
        } = self;
        let batch_bytes = size(self.max_batch_bytes);
        let buffer_bytes = size(self.max_buffer_bytes);
        let age = match self.max_age {
            None => String::new(),
            Some(age) => format!(" and no older than {age:?}"),
        };
        let beyond = match overflow {
            Overflow::DropNewest => "the newest are dropped",
            Overflow::DropOldest => "the oldest are dropped",
            Overflow::Spool => "the oldest go to the spool",
        };
        let spool = match &self.spool_dir {
            None => String::new(),
            Some(folder) => {
                let folder = super::shown::folder(folder);
                let ahead = match self.write_ahead {
                    true => format!(
                        ", and is written before they are sent, every {:?}",
                        self.seal_interval
                    ),
                    false => String::new(),
                };
                let most = size(self.spool_max_bytes);
                format!(
                    "; the spool {} holds up to {most}{ahead}",
                    printable(&folder, LIMIT)
                )
            }
        };
        format!(
            "measurements go to {}: every {interval:?} or {trigger_size} measurements, in batches \
             of up to {max_batch_size} or {batch_bytes}, {max_clients} requests at a time, each \
             within {request_timeout:?}; at most {max_buffer_size} measurements or \
             {buffer_bytes}{age} are pending, beyond that {beyond}{spool} (actix-influxdb {})",
            self.destination(),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// Servers, API and the kind of credentials.
    pub(crate) fn destination(&self) -> String {
        let urls = self.urls().unwrap_or_default().join(" or ");
        let urls = printable(&urls, LIMIT);
        let settings = self.settings();
        let credentials = match (
            settings.has_token(),
            settings.user(),
            settings.has_password(),
        ) {
            (true, _, _) => "with a token",
            (false, Some(_), true) => "with user and password",
            (false, Some(_), false) => "with a user and no password",
            (false, None, _) => "without credentials",
        };
        let proxy = match settings.proxy() {
            Some(proxy) => format!(" through the proxy {}", printable(&proxy, LIMIT)),
            None => String::new(),
        };
        let org = match (self.api, self.org.as_deref()) {
            (Api::V2, Some(org)) => {
                format!(
                    " for organisation {:?}",
                    printable(super::shown::name(org), LIMIT)
                )
            }
            _ => String::new(),
        };
        format!("{urls}{proxy} as API {}{org}, {credentials}", self.api)
    }
}

/// A number of bytes in the largest unit that divides it.
fn size(bytes: usize) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{} {name}", bytes / unit);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_line_says_where_to_as_which_api_and_with_which_limits() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            Config::default().summary(),
            format!(
                "measurements go to http://localhost:8086 as API v1, without credentials: every \
                 10s or 5000 measurements, in batches of up to 10000 or 4 MiB, 10 requests at a \
                 time, each within 10s; at most 500000 measurements or 128 MiB are pending, beyond \
                 that the newest are dropped (actix-influxdb {version})"
            )
        );
        let other = Config::v2("http://a:1,http://b:2/x/", "acme", "hunter2")
            .max_age(Duration::from_secs(60))
            .max_buffer_bytes(1500)
            .overflow(Overflow::DropOldest)
            .summary();
        for words in [
            "http://a:1 or http://b:2/x as API v2 for organisation \"acme\", with a token:",
            "500000 measurements or 1500 bytes and no older than 60s are pending, beyond that the oldest are dropped",
        ] {
            assert!(other.contains(words), "{other}");
        }
        assert!(!other.contains("hunter2"), "{other}");
    }

    #[test]
    fn what_is_switched_off_is_said_with_the_setting_that_does_it() {
        let off = "measurements are counted and dropped";
        assert_eq!(
            Config::default().enabled(false).summary(),
            format!("delivery is disabled (enabled is false): {off}")
        );
        let lookup = |variable: &str| (variable == "INFLUXDB_ENABLED").then(|| "no".to_owned());
        assert_eq!(
            Config::from_lookup(lookup).unwrap().summary(),
            format!("delivery is disabled (INFLUXDB_ENABLED is false): {off}")
        );
    }

    #[test]
    fn the_line_is_bounded_whatever_the_urls_are() {
        let urls = vec!["http://a.example"; 1_000].join(",");
        let line = Config::v1(urls).summary();
        assert!(
            line.chars().count() < 2 * LIMIT && !line.contains('\n'),
            "{line}"
        );
        let org = format!("x\u{202e}{}", "y".repeat(1_000));
        let line = Config::v2("http://h", org, "t").summary();
        assert!(
            line.chars().count() < 2 * LIMIT && !line.contains('\u{202e}'),
            "{line}"
        );
    }
}
