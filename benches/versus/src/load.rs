//! What sends requests to an app: wrk, where it is installed, else a generator of this program's.

use anyhow::Result;

use crate::machine::Cores;

pub mod own;
pub mod wrk;

/// The headers of all requests, besides `host`.
const HEADERS: [(&str, &str); 3] = [
    ("user-agent", "versus"),
    ("accept", "*/*"),
    ("x-request-id", "7f3c9a52-00000042"),
];

/// How an app is asked.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// For so many seconds.
    Wrk { seconds: u32 },
    /// So many requests.
    Own { requests: usize },
}

/// What came of it. Times are in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    pub requests: f64,
    /// Requests a second.
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
    pub elapsed: f64,
    /// CPU time of what sent the requests.
    pub cpu: f64,
}

impl Load {
    /// Asks the app on this port, over so many connections each of which has its next request as
    /// soon as it has its answer.
    pub fn run(self, port: &str, connections: usize, cores: Cores) -> Result<Loaded> {
        match self {
            Self::Wrk { seconds } => wrk::run(port, connections, seconds, cores),
            Self::Own { requests } => own::start(port, requests, connections, cores)?.loaded(),
        }
    }

    pub fn title(self) -> String {
        match self {
            Self::Wrk { seconds } => format!("wrk, {seconds} s at a time"),
            Self::Own { requests } => format!("{} requests", crate::table::whole(requests as f64)),
        }
    }
}
