//! The URL that is built from `INFLUXDB_SCHEME`, `INFLUXDB_HOST` and `INFLUXDB_PORT`.

use std::ffi::OsString;
use std::net::Ipv6Addr;

use url::Host;

use super::urls::without_secrets;
use super::variables::{Form, Variables};
use crate::error::ConfigError;

/// An error names the one of the three variables that is wrong.
pub(super) fn url_of_parts(
    env: &Variables<impl Fn(&str) -> Option<OsString>>,
) -> Result<String, ConfigError> {
    let scheme = env.read("INFLUXDB_SCHEME", SCHEME)?.unwrap_or("http");
    let host = match env.text("INFLUXDB_HOST")? {
        Some(text) => host(&text)?,
        None => "localhost".to_owned(),
    };
    let port = env.read("INFLUXDB_PORT", PORT)?.unwrap_or(8086);
    Ok(format!("{scheme}://{host}:{port}"))
}

/// A host as a URL wants it: an IPv6 address in brackets.
fn host(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    match Host::parse(text) {
        // A comma may be in a host name, but would begin another URL.
        Ok(host) if !text.contains(',') => Ok(host.to_string()),
        _ => Err(ConfigError::new(
            "INFLUXDB_HOST",
            format!("{:?}", without_secrets(text)),
            "one host name or IP address, without scheme, port or path",
        )),
    }
}

const SCHEME: Form<&str> = Form {
    read: |text| {
        let schemes = ["http", "https"];
        schemes
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme))
    },
    allowed: "http or https",
};

const PORT: Form<u16> = Form {
    read: |text| text.parse().ok().filter(|port| *port != 0),
    // Such a value is nobody's mistake, so the message says where it comes from.
    allowed: "a port from 1 to 65535 (a value like tcp://10.0.0.1:8086 comes from a Kubernetes \
              Service named influxdb: set INFLUXDB_URL, and this variable is not looked at)",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn url(scheme: &str, host: &str, port: &str) -> Result<String, String> {
        let env = Variables::new(|variable| match variable {
            "INFLUXDB_SCHEME" => Some(scheme.into()),
            "INFLUXDB_HOST" => Some(host.into()),
            "INFLUXDB_PORT" => Some(port.into()),
            _ => None,
        });
        url_of_parts(&env).map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_that_is_absent_has_its_default() {
        for (scheme, host, port, expected) in [
            ("", "", "", "http://localhost:8086"),
            ("HTTPS", "", "", "https://localhost:8086"),
            ("", "db.example", "", "http://db.example:8086"),
            ("", "", "65535", "http://localhost:65535"),
        ] {
            assert_eq!(url(scheme, host, port), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_brackets() {
        for (host, expected) in [
            ("DB.Example", "db.example"),
            (" db_1 ", "db_1"),
            ("192.0.2.7", "192.0.2.7"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("2001:DB8::7", "[2001:db8::7]"),
        ] {
            assert_eq!(
                url("", host, ""),
                Ok(format!("http://{expected}:8086")),
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in [
            "db:8086",
            "[::1]:8086",
            "[::1",
            "fe80::1%eth0",
            "http://db",
            "db/influx",
            "a,b",
            "a b",
            "256.256.256.256",
        ] {
            assert_eq!(
                url("", host, "").unwrap_err(),
                format!(
                    "INFLUXDB_HOST is {host:?}: \
                     one host name or IP address, without scheme, port or path"
                )
            );
        }
    }

    #[test]
    fn a_password_in_the_host_is_not_repeated() {
        let error = url("", "admin:hunter2@db", "").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_no_port_or_scheme_is_refused() {
        for port in ["0", "65536", "-1", "influx", "tcp://10.0.0.1:8086"] {
            let error = url("", "", port).unwrap_err();
            let start = format!("INFLUXDB_PORT is {port:?}: a port from 1 to 65535 (");
            assert!(error.starts_with(&start), "{error}");
        }
        assert_eq!(
            url("udp", "", "").unwrap_err(),
            r#"INFLUXDB_SCHEME is "udp": http or https"#
        );
    }
}
