//! What happened to measurements: ledger, reports, events, health.

mod display;
pub(crate) mod event;
pub(crate) mod health;
pub(crate) mod histogram;
pub(crate) mod ledger;
pub(crate) mod reason;
pub(crate) mod report;
pub(crate) mod rfc3339;
pub(crate) mod self_measurement;
#[cfg(feature = "serde")]
mod serialize;
pub(crate) mod server_states;
pub(crate) mod servers;
pub(crate) mod spool;
pub(crate) mod thinning;
