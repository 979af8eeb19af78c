//! Identifies the server by the headers of its responses.
//!
//! Sources: InfluxDB 1.6.7, VictoriaMetrics and vmagent 1.79 and InfluxDB 3 Core 3.6, asked; the
//! sources of InfluxDB 1.8 and 2.7, QuestDB, GreptimeDB, Telegraf and openGemini.

use std::fmt;

use super::exchange::Response;
use crate::{
    Api,
    printable::{LIMIT, printable},
};

/// A server that takes line protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Product {
    /// InfluxDB, any version and edition.
    #[display("InfluxDB")]
    InfluxDb,
    /// InfluxDB Cloud.
    #[display("InfluxDB Cloud")]
    InfluxDbCloud,
    /// VictoriaMetrics, or vmagent if no write has succeeded: their other responses are the same.
    #[display("VictoriaMetrics")]
    VictoriaMetrics,
    /// vmagent, the relay of VictoriaMetrics.
    #[display("vmagent")]
    Vmagent,
    /// QuestDB.
    #[display("QuestDB")]
    QuestDb,
    /// GreptimeDB.
    #[display("GreptimeDB")]
    GreptimeDb,
    /// A listener of Telegraf.
    #[display("Telegraf")]
    Telegraf,
    /// openGemini.
    #[display("openGemini")]
    OpenGemini,
    /// A server that doesn't identify itself.
    #[default]
    #[display("an unknown server")]
    Unknown,
}

/// What a server says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) product: Product,
    /// `None` if the server sends the version of an InfluxDB that it imitates.
    pub(crate) version: Option<String>,
    pub(crate) build: Option<String>,
}

/// What the response to a write says about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identification {
    /// The server identified itself.
    Server(Identity),
    /// The response doesn't identify the server, but a ping may.
    Nothing,
    /// The response doesn't identify the server, and a ping is not worthwhile: without `Date`, it
    /// comes from a mock in a test, not from a full server (RFC 9110 §6.6.1).
    Mock,
}

/// Headers that identify a server.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerHeaders {
    /// Whether this is the response to a successful write.
    pub(super) is_written: bool,
    /// `X-Influxdb-Version`.
    pub(super) version: Option<String>,
    /// `X-Influxdb-Build`.
    pub(super) build: Option<String>,
    /// `X-Geminidb-Version`.
    pub(super) gemini: Option<String>,
    /// `Server`.
    pub(super) server: Option<String>,
    /// `X-Server-Hostname`: sent by all programs of VictoriaMetrics.
    pub(super) has_hostname: bool,
    /// `cluster-uuid`: sent by InfluxDB 3.
    pub(super) has_cluster: bool,
    /// `x-greptime-err-code`.
    pub(super) is_greptime: bool,
    /// `Date`.
    pub(super) has_date: bool,
}

impl ServerHeaders {
    pub(super) fn new(response: &Response, is_write: bool) -> Self {
        let text = |name| {
            let text = response.text(name)?;
            Some(printable(text.trim(), LIMIT).into_owned())
        };
        Self {
            is_written: is_write && response.is_success(),
            version: text("x-influxdb-version"),
            build: text("x-influxdb-build"),
            gemini: text("x-geminidb-version"),
            server: text("server"),
            has_hostname: text("x-server-hostname").is_some(),
            has_cluster: text("cluster-uuid").is_some(),
            is_greptime: text("x-greptime-err-code").is_some(),
            has_date: text("date").is_some(),
        }
    }

    pub(super) fn identification(self) -> Identification {
        let has_date = self.has_date;
        match self.identity() {
            Some(identity) => Identification::Server(identity),
            None if has_date => Identification::Nothing,
            None => Identification::Mock,
        }
    }

    /// The server, if the headers identify it.
    pub(super) fn identity(self) -> Option<Identity> {
        let is_questdb = |server: &String| server.to_ascii_lowercase().contains("questdb");
        let product = |product| Identity {
            product,
            ..Identity::default()
        };
        if let Some(version) = self.gemini {
            return Some(Identity {
                version: Some(version),
                ..product(Product::OpenGemini)
            });
        }
        // QuestDB sends `v2.7.4`, like InfluxDB, which also sends its build.
        let is_like_2 = |version: &String| version.starts_with("v2.");
        if self.server.as_ref().is_some_and(is_questdb)
            || (self.build.is_none() && self.version.as_ref().is_some_and(is_like_2))
        {
            return Some(product(Product::QuestDb));
        }
        if self.is_greptime {
            return Some(product(Product::GreptimeDb));
        }
        match (self.version.as_deref(), self.build.as_deref()) {
            (_, Some("telegraf")) => Some(Identity {
                build: Some("influxdb_v2_listener".to_owned()),
                ..product(Product::Telegraf)
            }),
            (Some("1.0"), None) => Some(Identity {
                build: Some("influxdb_listener".to_owned()),
                ..product(Product::Telegraf)
            }),
            (_, Some("Cloud")) => Some(product(Product::InfluxDbCloud)),
            // The version of the InfluxDB that it imitates.
            (Some("1.8.0"), None) => Some(product(Product::VictoriaMetrics)),
            (None, None) if self.has_hostname => Some(match self.is_written {
                true => product(Product::Vmagent),
                false => product(Product::VictoriaMetrics),
            }),
            (None, None) if self.has_cluster => Some(product(Product::InfluxDb)),
            (None, None) => None,
            (version, build) => Some(Identity {
                version: version.map(|version| version.trim_start_matches('v').to_owned()),
                build: build.map(str::to_owned),
                ..product(Product::InfluxDb)
            }),
        }
    }
}

impl Identity {
    fn major_and_minor(&self) -> Option<(u32, u32)> {
        let mut parts = self.version.as_deref()?.split('.');
        let mut next = || parts.next()?.parse().ok();
        Some((next()?, next().unwrap_or_default()))
    }

    /// Its APIs, the best first; empty if unknown.
    pub(crate) fn apis(&self) -> &'static [Api] {
        match self.product {
            Product::InfluxDb => match self.major_and_minor() {
                Some((1, 0..8)) => &[Api::V1],
                Some((1, _)) => &[Api::V1, Api::V2],
                Some((2, _)) => &[Api::V2, Api::V1],
                _ => &[],
            },
            Product::InfluxDbCloud => &[Api::V2, Api::V1],
            Product::VictoriaMetrics | Product::Vmagent => &[Api::V1, Api::V2],
            Product::QuestDb | Product::GreptimeDb | Product::OpenGemini => &[Api::V1, Api::V2],
            Product::Telegraf => match self.build.as_deref() {
                Some("influxdb_v2_listener") => &[Api::V2],
                _ => &[Api::V1],
            },
            Product::Unknown => &[],
        }
    }

    /// Whether the server is InfluxDB 3, which sends its version only with a ping.
    pub(crate) fn requires_token(&self) -> bool {
        let is_old = self.is_influxdb(1) || self.is_influxdb(2);
        self.product == Product::InfluxDb && !is_old
    }

    /// Whether the server is InfluxDB of this major version.
    pub(crate) fn is_influxdb(&self, major: u32) -> bool {
        let version = self.major_and_minor();
        self.product == Product::InfluxDb && version.is_some_and(|(found, _)| found == major)
    }
}

/// For example `InfluxDB 1.6.7 (OSS)` or `vmagent`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.product)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        match &self.build {
            Some(build) => write!(f, " ({build})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn servers_are_told_by_their_headers_and_not_by_the_version_that_they_claim() {
        let headers = ServerHeaders::default;
        let influxdb = |version, build| ServerHeaders {
            version: some(version),
            build: some(build),
            ..headers()
        };
        let claims = |version| ServerHeaders {
            version: some(version),
            ..headers()
        };
        for (headers, wanted, apis) in [
            (
                influxdb("1.6.7~rc0", "OSS"),
                "InfluxDB 1.6.7~rc0 (OSS)",
                &[Api::V1][..],
            ),
            (
                influxdb("1.8.10", "OSS"),
                "InfluxDB 1.8.10 (OSS)",
                &[Api::V1, Api::V2],
            ),
            (
                influxdb("v2.7.12", "OSS"),
                "InfluxDB 2.7.12 (OSS)",
                &[Api::V2, Api::V1],
            ),
            (influxdb("3.6.0", "Core"), "InfluxDB 3.6.0 (Core)", &[]),
            (
                ServerHeaders {
                    has_cluster: true,
                    ..headers()
                },
                "InfluxDB",
                &[],
            ),
            (
                influxdb("x", "Cloud"),
                "InfluxDB Cloud",
                &[Api::V2, Api::V1],
            ),
            (
                ServerHeaders {
                    has_hostname: true,
                    ..claims("1.8.0")
                },
                "VictoriaMetrics",
                &[Api::V1, Api::V2],
            ),
            (
                ServerHeaders {
                    has_hostname: true,
                    is_written: true,
                    ..headers()
                },
                "vmagent",
                &[Api::V1, Api::V2],
            ),
            (
                ServerHeaders {
                    has_hostname: true,
                    ..headers()
                },
                "VictoriaMetrics",
                &[Api::V1, Api::V2],
            ),
            (claims("v2.7.4"), "QuestDB", &[Api::V1, Api::V2]),
            (
                ServerHeaders {
                    server: some("questDB/1.0"),
                    ..headers()
                },
                "QuestDB",
                &[Api::V1, Api::V2],
            ),
            (claims("1.0"), "Telegraf (influxdb_listener)", &[Api::V1]),
            (
                ServerHeaders {
                    build: some("telegraf"),
                    ..headers()
                },
                "Telegraf (influxdb_v2_listener)",
                &[Api::V2],
            ),
            (
                ServerHeaders {
                    gemini: some("1.5.3"),
                    ..headers()
                },
                "openGemini 1.5.3",
                &[Api::V1, Api::V2],
            ),
            (
                ServerHeaders {
                    is_greptime: true,
                    ..headers()
                },
                "GreptimeDB",
                &[Api::V1, Api::V2],
            ),
        ] {
            let identity = headers.identity().expect(wanted);
            assert_eq!(identity.to_string(), wanted);
            assert_eq!(identity.apis(), apis, "{wanted}");
        }
        let nginx = ServerHeaders {
            server: some("nginx/1.26"),
            ..headers()
        };
        assert_eq!(nginx.identity(), None);
        assert_eq!(headers().identity(), None);
    }
}
