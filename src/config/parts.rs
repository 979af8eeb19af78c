//! URL built from `INFLUXDB_SCHEME`, `INFLUXDB_HOST` and `INFLUXDB_PORT`.

use std::ffi::OsString;
use std::net::Ipv6Addr;

use url::Host;

use super::lookalikes::is_service_address;
use super::variables::{Format, Variables};
use super::{Api, shown};
use crate::error::ConfigError;

/// Returns the URL, and a warning for the log if there is one. An error names the invalid variable.
pub(super) fn url_from_parts(
    env: &Variables<impl Fn(&str) -> Option<OsString>>,
    api: Api,
) -> Result<(String, Option<String>), ConfigError> {
    let scheme = env.read("INFLUXDB_SCHEME", SCHEME)?.unwrap_or("http");
    let host = match env.text("INFLUXDB_HOST")? {
        Some(text) => host(&text)?,
        None => "localhost".to_owned(),
    };
    let default = match api {
        Api::V1 | Api::V2 => 8086,
        Api::V3 => 8181,
    };
    // Kubernetes and Docker set an address, which must not keep the program from starting.
    let address = env.text("INFLUXDB_PORT")?;
    let (port, warning) = match address.filter(|text| is_service_address(text)) {
        None => (env.read("INFLUXDB_PORT", PORT)?.unwrap_or(default), None),
        Some(address) => (default, Some(port_of_service(&address, &host, default))),
    };
    Ok((format!("{scheme}://{host}:{port}"), warning))
}

fn port_of_service(address: &str, host: &str, port: u16) -> String {
    format!(
        "INFLUXDB_PORT is {}, as Kubernetes sets it for a Service named influxdb, or Docker for a \
         link: it is ignored, and measurements go to {host}:{port} (set INFLUXDB_URL to \
         choose the server)",
        shown::server_address(address)
    )
}

/// The host in the format of URLs: an IPv6 address in brackets.
fn host(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    match Host::parse(text) {
        // The parser accepts a comma, which would separate two URLs.
        Ok(host) if !text.contains(',') => Ok(host.to_string()),
        _ => Err(ConfigError::new(
            "INFLUXDB_HOST",
            shown::server_address(text),
            "one host name or IP address, without scheme, port or path",
        )),
    }
}

const SCHEME: Format<&str> = Format {
    read: |text| {
        let schemes = ["http", "https"];
        schemes
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme))
    },
    show: |text| shown::word(text, &["http", "https"]),
    allowed: "http or https",
};

const PORT: Format<u16> = Format {
    read: |text| text.parse().ok().filter(|port| *port != 0),
    show: shown::number,
    allowed: "a port from 1 to 65535",
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
        let url = url_from_parts(&env, Api::V1).map_err(|error| error.to_string())?;
        assert_eq!(url.1, None);
        Ok(url.0)
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
    fn the_default_port_is_the_one_of_the_api() {
        let env = Variables::new(|_| None);
        let port = |api| url_from_parts(&env, api).unwrap().0;
        assert_eq!(port(Api::V2), "http://localhost:8086");
        assert_eq!(port(Api::V3), "http://localhost:8181");
    }

    #[test]
    fn a_port_that_kubernetes_sets_is_passed_over_with_a_warning() {
        for (address, shown) in [
            ("tcp://10.0.0.1:8086", r#""tcp://10.0.0.1:8086""#),
            ("udp://[fd00::1]:8089", r#""udp://[fd00::1]:8089""#),
            ("tcp://admin:hunter2@h", r#""tcp://[redacted]""#),
        ] {
            let env = Variables::new(|variable| match variable {
                "INFLUXDB_PORT" => Some(address.into()),
                "INFLUXDB_HOST" => Some("db".into()),
                _ => None,
            });
            let (url, warning) = url_from_parts(&env, Api::V1).unwrap();
            assert_eq!(url, "http://db:8086");
            assert_eq!(
                warning.unwrap(),
                format!(
                    "INFLUXDB_PORT is {shown}, as Kubernetes sets it for a Service named \
                     influxdb, or Docker for a link: it is ignored, and measurements go to \
                     db:8086 (set INFLUXDB_URL to choose the server)"
                )
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for (host, shown) in [
            ("db:8086", r#""db:8086""#),
            ("[::1]:8086", r#""[::1]:8086""#),
            ("http://db", r#""http://db""#),
            ("[::1", "[redacted]"),
            ("fe80::1%eth0", "[redacted]"),
            ("db/influx", "[redacted]"),
            ("a,b", "[redacted]"),
            ("a b", "[redacted]"),
            ("256.256.256.256", "[redacted]"),
            ("user:secret", "[redacted]"),
            ("admin:hunter2@db", "[redacted]"),
        ] {
            assert_eq!(
                url("", host, "").unwrap_err(),
                format!(
                    "INFLUXDB_HOST is {shown}: \
                     one host name or IP address, without scheme, port or path"
                )
            );
        }
    }

    #[test]
    fn what_is_no_port_or_scheme_is_refused() {
        for (port, shown) in [
            ("0", r#""0""#),
            ("65536", r#""65536""#),
            ("-1", r#""-1""#),
            ("influx", "[redacted]"),
            ("c2VjcmV0==", "[redacted]"),
        ] {
            let error = url("", "", port).unwrap_err();
            assert_eq!(
                error,
                format!("INFLUXDB_PORT is {shown}: a port from 1 to 65535")
            );
        }
        for (scheme, shown) in [
            ("udp", r#""udp""#),
            ("htp", r#""htp""#),
            ("http://", "[redacted]"),
            ("http://user:secret@h", "[redacted]"),
        ] {
            let error = url(scheme, "", "").unwrap_err();
            let expected = format!("INFLUXDB_SCHEME is {shown}: http or https");
            assert_eq!(error, expected);
        }
    }
}
