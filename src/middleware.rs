//! A measurement per request: [`InfluxMetrics`] wraps a service, a `Record` follows each request
//! through its future and its body, and records when it is finished or dropped.

mod body;
mod future;
mod instance;
mod labels;
mod options;
mod record;
mod service;
mod transform;

pub use transform::InfluxMetrics;
