//! The way in: what is shared between the threads that record and the buffer actor.
//!
//! `quota`, `reservation` and `wakeup` need nothing but each other and `sync`, so that the model
//! checker runs them as they are: see `tests/loom`.

pub(crate) mod cardinality;
pub(crate) mod fair_share;
pub(crate) mod intake;
mod limits;
pub(crate) mod line;
pub(crate) mod prepared;
pub(crate) mod quota;
pub(crate) mod reservation;
pub(crate) mod settings;
mod sync;
pub(crate) mod thread_buffer;
pub(crate) mod wakeup;

pub(crate) use self::limits::QuotaLimits;
