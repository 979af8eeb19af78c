//! Each endpoint and each database, as [`Stats`](crate::Stats) shows them.

use std::time::SystemTime;

#[cfg(feature = "serde")]
use crate::stats::rfc3339;
use crate::{Database, Failure, FailureKind, Rejection, ServerInfo};

/// An outage that lasts: a server or a database takes no measurements. They are kept, and sent again.
///
/// ```
/// # fn show(health: &actix_influxdb::Health) {
/// for endpoint in &health.endpoints_down {
///     println!("{} is down: {}", endpoint.url, endpoint.outage.reason);
///     if endpoint.outage.needs_action() {
///         println!("somebody has to change a setting");
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Outage {
    /// Time of the failure that the outage began with.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize"))]
    pub since: SystemTime,
    /// The last failure.
    pub reason: Failure,
}

impl Outage {
    /// Whether the outage lasts until somebody changes a setting, here or on the server. The others end by
    /// themselves.
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

/// Health of an endpoint: one of the base URLs that measurements are sent to.
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
    /// Which server it is, as far as its answers tell; none before the first of them.
    pub server: Option<ServerInfo>,
    /// Time of the last POST that was written there.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize_option"))]
    pub last_success: Option<SystemTime>,
    /// The last POST there that failed, if any.
    pub last_failure: Option<LastFailure>,
    /// The outage that lasts, if any: since when and why nothing is stored.
    pub outage: Option<Outage>,
}

/// Health of a database, and what became of its measurements.
///
/// [`Stats`](crate::Stats) has at most 1,000 databases, those with the most pending measurements. Beyond
/// 10,000 databases, one that has nothing pending is forgotten.
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
    /// Number of measurements that were pending and dropped.
    pub dropped: u64,
    /// Number of pending measurements, without those in thread buffers. (The latter are in
    /// [`Stats::pending`](crate::Stats::pending) only.)
    pub pending: u64,
    /// Time of the last POST of the database that was written.
    #[cfg_attr(feature = "serde", serde(serialize_with = "rfc3339::serialize_option"))]
    pub last_success: Option<SystemTime>,
    /// The last POST of the database that failed, if any.
    pub last_failure: Option<LastFailure>,
    /// Why the last rejected measurement was rejected, if any was.
    pub last_rejection: Option<Rejection>,
    /// The outage that lasts, if any: since when and why nothing is stored.
    pub outage: Option<Outage>,
}

/// The last POST that was not written, of an endpoint or a database.
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
/// [`Influx::health`](crate::Influx::health) says the same of all of them together, and since when and why.
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
