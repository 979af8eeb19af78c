//! What became of measurements, for whoever asks: the ledger, reports, events, health.

pub(crate) mod event;
pub(crate) mod health;
pub(crate) mod ledger;
pub(crate) mod reason;
pub(crate) mod report;
pub(crate) mod spool;
