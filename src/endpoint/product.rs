//! Which server it is that answers, by the headers of its answers.
//!
//! Sources: InfluxDB 1.6.7, VictoriaMetrics and vmagent 1.79 and InfluxDB 3 Core 3.6, asked; the sources of InfluxDB 1.8
//! and 2.7, QuestDB, GreptimeDB, Telegraf and openGemini.

use std::fmt;

use super::exchange::Response;
use crate::{
    Api,
    printable::{LIMIT, printable},
};

/// A server that takes line protocol, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Product {
    /// InfluxDB, of whatever version and edition.
    #[display("InfluxDB")]
    InfluxDb,
    /// InfluxDB Cloud.
    #[display("InfluxDB Cloud")]
    InfluxDbCloud,
    /// VictoriaMetrics; or vmagent, if no write has succeeded: all else they answer alike.
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
    /// A server that doesn't say.
    #[default]
    #[display("an unknown server")]
    Unknown,
}

/// What a server says that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) product: Product,
    /// Only of servers that say their own, and not that of the InfluxDB which they are like.
    pub(crate) version: Option<String>,
    pub(crate) build: Option<String>,
}

/// What the answer to a write tells of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Which it is.
    Server(Identity),
    /// Nothing, but it can be asked.
    Nothing,
    /// Nothing, and it is not worth asking: a response without `Date` is none of a full server (RFC 9110 §6.6.1), but
    /// of a stand-in in a test.
    StandIn,
}

/// What answers can tell a server by.
#[derive(Clone, Debug, Default)]
pub(super) struct Signs {
    /// Is it the answer to a write that succeeded?
    pub(super) is_written: bool,
    /// `X-Influxdb-Version`.
    pub(super) version: Option<String>,
    /// `X-Influxdb-Build`.
    pub(super) build: Option<String>,
    /// `X-Geminidb-Version`.
    pub(super) gemini: Option<String>,
    /// `Server`.
    pub(super) server: Option<String>,
    /// `X-Server-Hostname`, of all programs of VictoriaMetrics.
    pub(super) has_hostname: bool,
    /// `cluster-uuid`, of InfluxDB 3.
    pub(super) has_cluster: bool,
    /// `x-greptime-err-code`.
    pub(super) is_greptime: bool,
    /// `Date`.
    pub(super) has_date: bool,
}

impl Signs {
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

    pub(super) fn told(self) -> Told {
        let has_date = self.has_date;
        match self.identity() {
            Some(identity) => Told::Server(identity),
            None if has_date => Told::Nothing,
            None => Told::StandIn,
        }
    }

    /// The server, if they tell which.
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
        // QuestDB says `v2.7.4`, as if it were InfluxDB; which says its build as well.
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
            // The version is that of the InfluxDB which it is like.
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

    /// The APIs that it has, that which fits it best first; none if that isn't known.
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

    /// Is it InfluxDB 3? It says its version to a ping only.
    pub(crate) fn wants_token(&self) -> bool {
        let is_old = self.is_influxdb(1) || self.is_influxdb(2);
        self.product == Product::InfluxDb && !is_old
    }

    /// Is it InfluxDB of this major version?
    pub(crate) fn is_influxdb(&self, major: u32) -> bool {
        let version = self.major_and_minor();
        self.product == Product::InfluxDb && version.is_some_and(|(found, _)| found == major)
    }
}

/// `InfluxDB 1.6.7 (OSS)`, `vmagent`.
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
        let signs = Signs::default;
        let influxdb = |version, build| Signs {
            version: some(version),
            build: some(build),
            ..signs()
        };
        let claims = |version| Signs {
            version: some(version),
            ..signs()
        };
        for (signs, wanted, apis) in [
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
                Signs {
                    has_cluster: true,
                    ..signs()
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
                Signs {
                    has_hostname: true,
                    ..claims("1.8.0")
                },
                "VictoriaMetrics",
                &[Api::V1, Api::V2],
            ),
            (
                Signs {
                    has_hostname: true,
                    is_written: true,
                    ..signs()
                },
                "vmagent",
                &[Api::V1, Api::V2],
            ),
            (
                Signs {
                    has_hostname: true,
                    ..signs()
                },
                "VictoriaMetrics",
                &[Api::V1, Api::V2],
            ),
            (claims("v2.7.4"), "QuestDB", &[Api::V1, Api::V2]),
            (
                Signs {
                    server: some("questDB/1.0"),
                    ..signs()
                },
                "QuestDB",
                &[Api::V1, Api::V2],
            ),
            (claims("1.0"), "Telegraf (influxdb_listener)", &[Api::V1]),
            (
                Signs {
                    build: some("telegraf"),
                    ..signs()
                },
                "Telegraf (influxdb_v2_listener)",
                &[Api::V2],
            ),
            (
                Signs {
                    gemini: some("1.5.3"),
                    ..signs()
                },
                "openGemini 1.5.3",
                &[Api::V1, Api::V2],
            ),
            (
                Signs {
                    is_greptime: true,
                    ..signs()
                },
                "GreptimeDB",
                &[Api::V1, Api::V2],
            ),
        ] {
            let identity = signs.identity().expect(wanted);
            assert_eq!(identity.to_string(), wanted);
            assert_eq!(identity.apis(), apis, "{wanted}");
        }
        let nginx = Signs {
            server: some("nginx/1.26"),
            ..signs()
        };
        assert_eq!(nginx.identity(), None);
        assert_eq!(signs().identity(), None);
    }
}
