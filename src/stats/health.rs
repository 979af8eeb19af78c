//! Whether measurements arrive, and if not, since when and why.

use std::time::SystemTime;

#[cfg(feature = "serde")]
use crate::stats::rfc3339;
use crate::{Database, Outage, SpoolStats, stats::ledger::Places};

/// Whether measurements arrive, and if not, since when and why. Returned by
/// [`Influx::health`](crate::Influx::health), and part of [`Stats`](crate::Stats).
///
/// Intended for a page or a log, not for a decision to restart: the program is alive while its
/// database is down, and a restart loses pending measurements. So a liveness probe should print the
/// health and succeed:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use actix_influxdb::Influx;
/// use actix_web::{HttpResponse, web};
///
/// /// `GET /healthz`: the status is 200 as long as the program can answer.
/// async fn healthz(influx: web::Data<Influx>) -> HttpResponse {
///     HttpResponse::Ok().json(influx.health())
/// }
/// # let _ = healthz;
/// # }
/// ```
///
/// [`Display`](std::fmt::Display) prints one line, or an aligned block with `{:#}`. With the
/// feature `serde` the type is [`Serialize`](https://docs.rs/serde/1/serde/trait.Serialize.html),
/// with times as texts like `2026-11-26T11:18:00.250Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Health {
    /// The health in one word.
    pub status: HealthStatus,
    /// Whether measurements are recorded, to be delivered now or later. `false` while delivery is
    /// disabled, after a shutdown has begun, and in a fork.
    pub recording: bool,
    /// Time of the last POST whose measurements were stored, if there was one.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize_option"))]
    pub last_success: Option<SystemTime>,
    /// Number of pending measurements.
    pub pending: u64,
    /// Where the pending measurements are.
    pub places: Places,
    /// Since when the oldest pending measurement has been waiting, with the precision of
    /// [`interval`](crate::Config::interval); `None` if nothing is pending.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize_option"))]
    pub pending_since: Option<SystemTime>,
    /// The endpoints that are down, in the order of [`Config::url`](crate::Config::url).
    pub endpoints_down: Vec<EndpointOutage>,
    /// The databases that are down while their endpoint is up: at most 100, those with the most
    /// pending measurements first.
    pub databases_down: Vec<DatabaseOutage>,
    /// Number of databases that are down but not in [`databases_down`](Self::databases_down).
    pub more_databases_down: u64,
    /// The files of the spool; `None` without a [spool](crate::Config::spool_dir).
    pub spool: Option<SpoolStats>,
}

/// [`Health`] in one word.
///
/// ```
/// use actix_influxdb::HealthStatus;
///
/// fn color(status: HealthStatus) -> &'static str {
///     match status {
///         HealthStatus::Ok | HealthStatus::Untried => "green",
///         HealthStatus::Degraded => "yellow",
///         _ => "red",
///     }
/// }
/// # assert_eq!(color(HealthStatus::Ok), "green");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum HealthStatus {
    /// Nothing was sent yet.
    #[default]
    #[display("untried")]
    Untried,
    /// No endpoint and no database is down.
    #[display("ok")]
    Ok,
    /// Some are down while others work: one of several endpoints, or of several databases.
    #[display("degraded")]
    Degraded,
    /// Nothing arrives: all endpoints are down, or all databases that were tried.
    #[display("down")]
    Down,
    /// [`Config::enabled`](crate::Config::enabled) is off: measurements are counted and dropped.
    #[display("disabled")]
    Disabled,
    /// A shutdown has begun: pending measurements are delivered, and no new ones recorded.
    #[display("stopping")]
    Stopping,
    /// Delivery has ended.
    #[display("stopped")]
    Stopped,
    /// Asked in a fork of the process that started delivery: a fork delivers nothing.
    #[display("forked")]
    Forked,
}

/// An endpoint that is down, in [`Health`].
///
/// ```
/// # fn show(health: &actix_influxdb::Health) {
/// for endpoint in &health.endpoints_down {
///     println!("{}: {}", endpoint.url, endpoint.outage.reason);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EndpointOutage {
    /// Base URL, without credentials.
    pub url: String,
    /// Start and reason of the outage.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub outage: Outage,
}

/// A database that is down, in [`Health`].
///
/// ```
/// # fn show(health: &actix_influxdb::Health) {
/// for database in &health.databases_down {
///     println!("{}: {} pending", database.database, database.pending);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DatabaseOutage {
    /// The database.
    pub database: Database,
    /// Number of its pending measurements, without those in thread buffers.
    pub pending: u64,
    /// Start and reason of the outage.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub outage: Outage,
}

/// Summary of the [`ServerStates`](super::server_states::ServerStates).
#[derive(Debug, Default)]
pub(crate) struct ServersSummary {
    pub(crate) last_success: Option<SystemTime>,
    pub(crate) pending_since: Option<SystemTime>,
    /// Number of endpoints.
    pub(crate) endpoints: usize,
    pub(crate) endpoints_down: Vec<EndpointOutage>,
    /// Whether a database is up that was written before.
    pub(crate) any_database_works: bool,
    /// Number of databases that are down.
    pub(crate) databases_down: usize,
    pub(crate) largest_databases_down: Vec<DatabaseOutage>,
}

impl ServersSummary {
    /// The status while measurements are recorded.
    fn status(&self) -> HealthStatus {
        let endpoints_down = self.endpoints_down.len();
        let is_up = endpoints_down == 0 && self.databases_down == 0;
        let nothing_arrives = (endpoints_down > 0 && endpoints_down == self.endpoints)
            || (self.databases_down > 0 && !self.any_database_works);
        match (is_up, nothing_arrives) {
            (true, _) if self.last_success.is_none() => HealthStatus::Untried,
            (true, _) => HealthStatus::Ok,
            (false, true) => HealthStatus::Down,
            (false, false) => HealthStatus::Degraded,
        }
    }
}

impl Health {
    /// The health of a pipeline; `status` is given if it doesn't record.
    pub(crate) fn new(
        status: Option<HealthStatus>,
        servers: ServersSummary,
        pending: u64,
        places: Places,
    ) -> Self {
        let more = servers.databases_down - servers.largest_databases_down.len();
        Self {
            status: status.unwrap_or_else(|| servers.status()),
            recording: status.is_none(),
            last_success: servers.last_success,
            pending,
            places,
            pending_since: servers.pending_since.filter(|_| pending > 0),
            endpoints_down: servers.endpoints_down,
            databases_down: servers.largest_databases_down,
            more_databases_down: more as u64,
            spool: None,
        }
    }

    /// Whether no fault is known: measurements are recorded, and no endpoint or database is down.
    pub fn is_ok(&self) -> bool {
        matches!(self.status, HealthStatus::Ok | HealthStatus::Untried)
    }
}

/// The health without a pipeline.
impl Default for Health {
    fn default() -> Self {
        let status = Some(HealthStatus::Untried);
        Self::new(status, ServersSummary::default(), 0, Places::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, FailureKind};

    fn outage() -> Outage {
        Outage {
            since: SystemTime::UNIX_EPOCH,
            reason: Failure {
                kind: FailureKind::Unreachable,
                status: None,
                message: "why".to_owned(),
            },
        }
    }

    /// `endpoints` are the number of all and of those that are down; `any_database_works` says that
    /// one is proven to work.
    fn servers(
        endpoints: [usize; 2],
        databases_down: usize,
        any_database_works: bool,
    ) -> ServersSummary {
        let endpoint = |number: usize| EndpointOutage {
            url: format!("http://{number}"),
            outage: outage(),
        };
        ServersSummary {
            last_success: Some(SystemTime::UNIX_EPOCH),
            endpoints: endpoints[0],
            endpoints_down: (0..endpoints[1]).map(endpoint).collect(),
            databases_down,
            any_database_works,
            ..ServersSummary::default()
        }
    }

    #[test]
    fn the_status_is_down_where_nothing_arrives_and_degraded_where_something_does() {
        use HealthStatus::{Degraded, Down, Ok, Untried};
        for (servers, status) in [
            (servers([1, 0], 0, true), Ok),
            (servers([1, 0], 0, false), Ok),
            (servers([1, 1], 0, true), Down),
            (servers([2, 1], 0, true), Degraded),
            (servers([2, 2], 0, true), Down),
            (servers([1, 0], 1, true), Degraded),
            (servers([1, 0], 1, false), Down),
            (servers([2, 1], 3, false), Down),
            (servers([2, 1], 3, true), Degraded),
            (ServersSummary::default(), Untried),
        ] {
            assert_eq!(servers.status(), status, "{servers:?}");
        }
        let first_start = ServersSummary {
            last_success: None,
            ..servers([1, 1], 0, false)
        };
        assert_eq!(first_start.status(), Down);
    }

    #[test]
    fn a_pipeline_that_does_not_record_says_so_whatever_its_servers_do() {
        for status in [
            HealthStatus::Disabled,
            HealthStatus::Stopping,
            HealthStatus::Stopped,
            HealthStatus::Forked,
        ] {
            let down = servers([1, 1], 0, false);
            let health = Health::new(Some(status), down, 0, Places::default());
            assert_eq!(health.status, status);
            assert!(!health.recording && !health.is_ok());
        }
        let down = Health::new(None, servers([1, 1], 0, false), 0, Places::default());
        assert!(down.recording && !down.is_ok());
    }
}
