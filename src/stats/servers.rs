//! State of each endpoint and database in [`Stats`](crate::Stats).

use std::time::SystemTime;

#[cfg(feature = "serde")]
use crate::stats::rfc3339;
use crate::{Database, Failure, FailureKind, Rejection, ServerInfo};

/// A current outage: a server or a database accepts no measurements. They are kept, and sent again.
///
/// ```
/// # fn show(health: &actix_influxdb::Health) {
/// for endpoint in &health.endpoints_down {
///     println!("{} is down: {}", endpoint.url, endpoint.outage.reason);
///     if endpoint.outage.needs_action() {
///         println!("a setting has to be changed");
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Outage {
    /// Time of the failure that began the outage.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize"))]
    pub since: SystemTime,
    /// The last failure.
    pub reason: Failure,
}

impl Outage {
    /// Whether the outage lasts until a setting is changed, here or on the server. Other outages
    /// end by themselves.
    pub fn needs_action(&self) -> bool {
        match self.reason.kind {
            FailureKind::Unauthorized
            | FailureKind::MissingDatabase
            | FailureKind::Misconfigured => true,
            FailureKind::Unreachable
            | FailureKind::TimedOut
            | FailureKind::Interrupted
            | FailureKind::Unavailable => false,
        }
    }
}

/// State of an endpoint: one of the base URLs that measurements are sent to.
///
/// ```
/// # fn show(stats: &actix_influxdb::Stats) {
/// for endpoint in &stats.endpoints {
///     println!("{} is {}", endpoint.url, endpoint.state);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EndpointStats {
    /// Base URL, without credentials.
    pub url: String,
    /// Whether the endpoint is in service.
    pub state: BreakerState,
    /// The server, as far as its responses identify it; `None` before the first response.
    pub server: Option<ServerInfo>,
    /// Time of the last successful POST there.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize_option"))]
    pub last_success: Option<SystemTime>,
    /// The last failed POST there, if any.
    pub last_failure: Option<LastFailure>,
    /// The current outage, if any.
    pub outage: Option<Outage>,
}

/// State of a database, and how its measurements ended.
///
/// [`Stats`](crate::Stats) contains at most 1,000 databases, those with the most pending
/// measurements. Beyond 10,000 databases, those without pending measurements are forgotten.
///
/// ```
/// # fn show(stats: &actix_influxdb::Stats) {
/// for database in &stats.databases {
///     println!("{}: {} pending", database.database, database.pending);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DatabaseStats {
    /// The database.
    pub database: Database,
    /// Whether the database is in service.
    pub state: BreakerState,
    /// Number of measurements that the server has stored.
    pub written: u64,
    /// Number of measurements that the server has rejected.
    pub rejected: u64,
    /// Number of pending measurements that were dropped.
    pub dropped: u64,
    /// Number of pending measurements, without those in thread buffers (which are only in
    /// [`Stats::pending`](crate::Stats::pending)).
    pub pending: u64,
    /// Time of the database's last successful POST.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize_option"))]
    pub last_success: Option<SystemTime>,
    /// The database's last failed POST, if any.
    pub last_failure: Option<LastFailure>,
    /// Why the last rejected measurement was rejected, if any.
    pub last_rejection: Option<Rejection>,
    /// The current outage, if any.
    pub outage: Option<Outage>,
}

/// The last failed POST of an endpoint or a database.
///
/// ```
/// # use actix_influxdb::{EndpointStats, FailureKind};
/// fn is_locked_out(endpoint: &EndpointStats) -> bool {
///     let failure = endpoint.last_failure.as_ref();
///     failure.is_some_and(|failure| failure.reason.kind == FailureKind::Unauthorized)
/// }
/// # let _ = is_locked_out;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastFailure {
    /// Time of the failure.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize"))]
    pub at: SystemTime,
    /// What went wrong.
    pub reason: Failure,
}

/// Whether an endpoint or a database is in service.
///
/// [`Influx::health`](crate::Influx::health) summarizes all of them, with the start and reason of
/// outages.
///
/// ```
/// # use actix_influxdb::{BreakerState, Stats};
/// fn open_breakers(stats: &Stats) -> usize {
///     let endpoints = stats.endpoints.iter();
///     endpoints.filter(|endpoint| endpoint.state == BreakerState::Open).count()
/// }
/// # assert_eq!(open_breakers(&Stats::default()), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BreakerState {
    /// In service: no failure since the last success.
    #[default]
    #[display("closed")]
    Closed,
    /// Out of service: tried again with backoff.
    #[display("open")]
    Open,
}
