//! One exchange, over real sockets.

mod bodies;
mod early;
mod foreign;
mod heads;
mod pings;
mod pool;

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{server::RawServer, *};
use crate::Config;

/// Comes long after what is waited for.
const LONG: Duration = Duration::from_secs(20);

fn endpoint(url: String) -> Endpoint {
    Endpoint::all(&Config::v1(url)).unwrap().remove(0)
}

/// A client of one server.
struct Client {
    http: Http,
    endpoint: Endpoint,
}

impl Client {
    fn of(server: &RawServer) -> Self {
        Self {
            http: Http::new(),
            endpoint: endpoint(server.url()),
        }
    }

    async fn write(&self, body: impl Into<Bytes>) -> Outcome {
        self.write_within(LONG, body).await
    }

    async fn write_within(&self, limit: Duration, body: impl Into<Bytes>) -> Outcome {
        let (database, body) = ("db".into(), body.into());
        self.http
            .write(&self.endpoint, &database, body, limit)
            .await
    }
}

fn answered(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answered(answer) => *answer,
        other => panic!("{other:?}"),
    }
}

fn unreadable(outcome: Outcome) -> String {
    match outcome {
        Outcome::NotReadable { reason } => reason,
        other => panic!("{other:?}"),
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (work.await, began.elapsed())
}
