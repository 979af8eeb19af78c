//! What became of measurements, for whoever asks: the ledger, reports, events, health.

pub(crate) mod books;
mod display;
pub(crate) mod event;
pub(crate) mod health;
pub(crate) mod histogram;
pub(crate) mod ledger;
pub(crate) mod own;
pub(crate) mod reason;
pub(crate) mod report;
pub(crate) mod rfc3339;
#[cfg(feature = "serde")]
mod serialize;
pub(crate) mod servers;
pub(crate) mod spool;
pub(crate) mod thinning;
