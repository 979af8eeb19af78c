//! Records measurements in actix programs and delivers them to InfluxDB.

#![deny(unsafe_code, missing_docs)]
#![warn(missing_debug_implementations)]

mod actors;
mod backlog;
mod batch;
mod breaker;
mod clock;
mod config;
mod database;
mod endpoint;
mod error;
mod field;
mod gate;
mod gauge;
mod influx;
mod intake;
mod isolate;
mod ledger;
mod line_protocol;
mod measurement;
#[cfg(feature = "middleware")]
mod middleware;
mod precision;
mod report;
mod shared;
mod tag;
#[cfg(feature = "testing")]
pub mod testing;
mod tray;
mod verdict;

pub use actors::{BufferActor, Deliver, Flush, GetStats, Ping, Shutdown, Update};
pub use clock::Timestamp;
pub use config::{Api, Config, Overflow};
pub use database::Database;
pub use endpoint::{PingError, ServerInfo};
pub use error::{ConfigError, RecordError, StartError};
pub use field::FieldValue;
pub use influx::{Guard, Influx, record};
pub use ledger::{Dropped, Stats};
pub use measurement::{Measurement, Timer};
#[cfg(feature = "middleware")]
pub use middleware::InfluxMetrics;
pub use precision::Precision;
pub use report::{Delivery, FlushReport, ShutdownReport};
pub use tag::TagValue;
