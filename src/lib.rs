//! Records measurements in actix programs and delivers them to InfluxDB.

#![deny(unsafe_code, missing_docs)]
#![warn(missing_debug_implementations)]

mod error;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::ConfigError;
