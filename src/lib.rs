//! Records measurements in actix programs and delivers them to InfluxDB.

#![deny(unsafe_code, missing_docs)]
#![warn(missing_debug_implementations)]

mod error;

pub use error::ConfigError;
