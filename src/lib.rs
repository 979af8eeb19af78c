//! Records measurements in actix programs and delivers them to InfluxDB.

#![deny(unsafe_code, missing_docs)]
#![warn(missing_debug_implementations)]

mod clock;
mod database;
mod error;
mod field;
mod line_protocol;
mod measurement;
mod precision;
mod tag;

pub use clock::Timestamp;
pub use database::Database;
pub use error::{ConfigError, RecordError, StartError};
pub use field::FieldValue;
pub use measurement::{Measurement, Timer};
pub use precision::Precision;
pub use tag::TagValue;
