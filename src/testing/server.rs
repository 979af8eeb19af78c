//! Servers that can be imitated.

use std::fmt;

/// A server that [`FakeInflux::imitating`](super::FakeInflux::imitating) imitates: its paths,
/// authentication, handling of bodies with bad lines, and the status, headers and texts of its
/// responses.
///
/// Its `Display` is the name and the imitated version. [`source`](Self::source) tells how its
/// responses are known.
///
/// ```
/// use actix_influxdb::testing::Server;
///
/// assert_eq!(Server::VictoriaMetrics1_79.to_string(), "VictoriaMetrics 1.79.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Server {
    /// InfluxDB 1.6: `/write` only; good lines are stored beside bad ones.
    InfluxDb1_6,
    /// InfluxDB 1.8: also `/api/v2/write` and `/health`; unknown precisions are refused.
    InfluxDb1_8,
    /// InfluxDB 1.12: like 1.8, but texts about points end with the names of database and retention
    /// policy, and a request with an unknown precision stores nothing.
    InfluxDb1_12,
    /// InfluxDB 2.7: a bad line refuses the whole body; type conflicts get a 422, the rest is
    /// stored. Any precision of `/write` other than `us`, `ms` and `s` means nanoseconds.
    InfluxDb2_7,
    /// InfluxDB 3 Core: `/api/v3/write_lp` lists the bad lines by number; limits of columns,
    /// tables, databases and bodies; every request needs the token, if [one is
    /// required](super::FakeInflux::require_token).
    InfluxDb3,
    /// InfluxDB Cloud Serverless: a bad line refuses the whole body, and up to 100 of them are numbered.
    Cloud,
    /// VictoriaMetrics before 1.112: 204 for everything, bad lines skipped, a newline in a string
    /// ends the line, timestamps in milliseconds.
    VictoriaMetrics1_79,
    /// VictoriaMetrics since 1.112: a bad line refuses the whole body, whose rest from there is
    /// repeated.
    VictoriaMetrics1_112,
    /// vmagent: like VictoriaMetrics 1.79, without the header `X-Influxdb-Version`.
    Vmagent1_79,
    /// QuestDB: stops at the first bad line, which is numbered; a point sent twice is stored twice;
    /// no gzip.
    QuestDb,
    /// GreptimeDB, below `/v1/influxdb`: a bad line refuses the whole body, without naming it; 400
    /// for a missing database.
    GreptimeDb,
    /// Telegraf's `influxdb_listener`: good lines are accepted beside bad ones, of which the first
    /// is named.
    Telegraf,
    /// Telegraf's `influxdb_v2_listener`: a bad line refuses the whole body.
    TelegrafV2,
}

impl Server {
    /// Returns every server that can be imitated.
    pub const fn all() -> &'static [Self] {
        &[
            Self::InfluxDb1_6,
            Self::InfluxDb1_8,
            Self::InfluxDb1_12,
            Self::InfluxDb2_7,
            Self::InfluxDb3,
            Self::Cloud,
            Self::VictoriaMetrics1_79,
            Self::VictoriaMetrics1_112,
            Self::Vmagent1_79,
            Self::QuestDb,
            Self::GreptimeDb,
            Self::Telegraf,
            Self::TelegrafV2,
        ]
    }

    /// Returns the imitated version.
    pub const fn version(self) -> &'static str {
        match self {
            Self::InfluxDb1_6 => "1.6.7",
            Self::InfluxDb1_8 => "1.8.10",
            Self::InfluxDb1_12 => "1.12.4",
            Self::InfluxDb2_7 => "2.7.12",
            Self::InfluxDb3 => "3.6.0",
            Self::Cloud => "of August 2026",
            Self::VictoriaMetrics1_79 | Self::Vmagent1_79 => "1.79.5",
            Self::VictoriaMetrics1_112 => "1.150.0",
            Self::QuestDb => "8",
            Self::GreptimeDb => "1.3",
            Self::Telegraf | Self::TelegrafV2 => "1.39.3",
        }
    }

    /// Returns how the responses are known: from a running server, its source, or its
    /// documentation.
    pub const fn source(self) -> &'static str {
        match self {
            Self::InfluxDb1_6 | Self::VictoriaMetrics1_79 | Self::Vmagent1_79 => {
                "a running server, compared by the tests of this library"
            }
            Self::InfluxDb3 | Self::VictoriaMetrics1_112 => "a running server",
            Self::InfluxDb1_8 | Self::InfluxDb1_12 => {
                "its source (services/httpd/handler.go), and a running 1.6.7"
            }
            Self::InfluxDb2_7 => {
                "its source (http/write_handler.go, http/legacy/write_handler.go, \
                 kit/transport/http/error_handler.go)"
            }
            Self::Cloud => "its documentation",
            Self::QuestDb => "its source (LineHttpProcessorState.java, LineHttpPingProcessor.java)",
            Self::GreptimeDb => {
                "its source (src/servers/src/http/influxdb.rs, src/servers/src/error.rs)"
            }
            Self::Telegraf => "its source (plugins/inputs/influxdb_listener)",
            Self::TelegrafV2 => "its source (plugins/inputs/influxdb_v2_listener)",
        }
    }

    /// Maximum size of a body, in bytes.
    pub(super) const fn max_body_size(self) -> usize {
        match self {
            Self::InfluxDb1_6 | Self::InfluxDb1_8 | Self::InfluxDb1_12 => 25_000_000,
            Self::InfluxDb3 => 10 << 20,
            Self::Cloud => 50_000_000,
            Self::VictoriaMetrics1_112 | Self::GreptimeDb => 64 << 20,
            Self::Telegraf | Self::TelegrafV2 => 32 << 20,
            // No limit, or one of lines.
            Self::InfluxDb2_7 | Self::VictoriaMetrics1_79 | Self::Vmagent1_79 | Self::QuestDb => {
                usize::MAX
            }
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::InfluxDb1_6 | Self::InfluxDb1_8 | Self::InfluxDb1_12 | Self::InfluxDb2_7 => {
                "InfluxDB"
            }
            Self::InfluxDb3 => "InfluxDB 3 Core",
            Self::Cloud => "InfluxDB Cloud Serverless",
            Self::VictoriaMetrics1_79 | Self::VictoriaMetrics1_112 => "VictoriaMetrics",
            Self::Vmagent1_79 => "vmagent",
            Self::QuestDb => "QuestDB",
            Self::GreptimeDb => "GreptimeDB",
            Self::Telegraf => "Telegraf (influxdb_listener)",
            Self::TelegrafV2 => "Telegraf (influxdb_v2_listener)",
        };
        write!(f, "{name} {}", self.version())
    }
}
