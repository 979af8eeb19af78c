//! Records measurements in actix programs and delivers them to InfluxDB.

#![deny(unsafe_code, missing_docs)]
#![warn(missing_debug_implementations)]

mod config;
mod error;
mod precision;

pub use config::{Api, Config, Overflow};
pub use error::ConfigError;
pub use precision::Precision;
