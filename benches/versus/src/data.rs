//! The points that every client is given: the same ones, made before the clock starts.

pub mod key;
mod point;
mod points;
pub mod shape;

pub use self::{point::Point, points::Points};

/// The measurement's name.
pub const NAME: &str = "http_request";

/// The database's.
pub const DATABASE: &str = "bench";

/// How many points a client sends at a time.
pub const BATCH: usize = 5_000;
