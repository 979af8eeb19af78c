//! What is recorded: measurements and their parts, and when.

pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod field;
pub(crate) mod measurement;
pub(crate) mod precision;
pub(crate) mod tag;
