//! A measurement per request. [`InfluxMetrics`] wraps a service; a `Record` follows each request
//! through its future and its body, and records it when it is over or dropped; handlers add tags
//! and fields through a [`RequestMeasurement`].

mod address;
mod body;
mod builder;
#[cfg(feature = "testing")]
mod counted;
mod extractor;
mod finished;
mod forwarded;
mod future;
mod instance;
mod ip_text;
mod labels;
mod mark;
mod open;
mod options;
mod pooled;
mod record;
mod request_measurement;
mod rewriting;
mod route;
mod routing;
mod selection;
mod service;
mod target;
mod text;
mod transform;

pub use extractor::{MeasuredRequest, NotMeasured};
pub use options::Placement;
pub use request_measurement::{RequestMeasurement, RequestTimer};
pub use transform::InfluxMetrics;
