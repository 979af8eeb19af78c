//! Records measurements in actix programs and delivers them to InfluxDB (v1, v2, v3) and to servers
//! that speak its line protocol, with three promises:
//!
//! 1. **Recording never waits.** No call on a request path blocks, allocates without bound or does
//!    I/O.
//! 2. **Every measurement is accounted for.**
//!    `recorded + recovered = written + rejected + dropped + pending` at every instant, each loss with
//!    a reason: see [`Stats`].
//! 3. **One bad measurement, database or server never holds up the good ones.**
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use actix_influxdb::{Config, Influx, InfluxMetrics, Measurement};
//! use actix_web::{App, HttpServer, Responder, web};
//!
//! async fn login(influx: web::Data<Influx>) -> impl Responder {
//!     let login = Measurement::new("example", "login").tag("method", "oauth").field("ms", 12.5);
//!     if let Err(error) = influx.record(login) {
//!         log::warn!("{error}");
//!     }
//!     "welcome"
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let influx = Influx::start(Config::from_env()?)?;
//!     let _guard = influx.guard(Duration::from_secs(10));
//!     let metrics = InfluxMetrics::new(&influx, "example").measurement("my-service");
//!     let influx = web::Data::new(influx);
//!     HttpServer::new(move || {
//!         App::new()
//!             .app_data(influx.clone())
//!             .route("/login", web::get().to(login))
//!             .wrap(metrics.clone())
//!     })
//!     .bind(("127.0.0.1", 8080))?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! # How it works
//!
//! ```text
//!  calling thread                        thread "influx", with a System of its own     network
//!  Measurement ─┐
//!  request ─────┴─encode─▶ thread buffer ──drain──▶ BufferActor ──batch──▶ WriterActor ──POST──▶ InfluxDB
//!                               ▲                       │ owns the backlog    ◀──verdict──┘
//!  addr.do_send(Measurement) ─▶ IngestActor             │
//!                                                       ├─ retry    → stays in the backlog, breaker opens
//!                                                       ├─ rejected → ReplayActor isolates the bad lines
//!                                                       └─ written  → ledger, tickets, events
//! ```
//!
//! [`Influx::record`] encodes a measurement into the calling thread's *thread buffer*: one uncontended
//! lock, no I/O. The thread buffers are drained into the *backlog* when
//! [`trigger_size`](Config::trigger_size) measurements are buffered, or [`interval`](Config::interval)
//! after the first of them. Writers send batches; a batch in flight stays in the backlog until every
//! line is written, rejected or dropped. All pending measurements together are bounded by
//! [`max_buffer_size`](Config::max_buffer_size) and [`max_buffer_bytes`](Config::max_buffer_bytes).
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `middleware` | yes | [`InfluxMetrics`], the actix-web middleware that records every request |
//! | `serde` | no | `Serialize` for [`Stats`] and [`Health`], for a page of JSON |
//! | `rustls` | no | `https` URLs |
//! | `gzip` | no | compressed request bodies ([`Config::gzip`]), and compressed files in the spool |
//! | `testing` | no | `testing::FakeInflux`, an InfluxDB in the test's process |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod actors;
mod batch;
mod config;
mod delivery;
mod encode;
mod endpoint;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod influx;
mod ingest;
mod logging;
#[cfg(feature = "middleware")]
mod middleware;
mod point;
mod printable;
mod spool;
mod stats;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;

pub use actors::{IngestActor, messages};
#[doc(no_inline)]
pub use actors::{
    IngestActor as BufferActor,
    messages::{Deliver, Flush, GetStats, Ping, Shutdown, Subscribe, Update},
};
pub use config::{Api, Config, Consistency, Overflow, Settings, StringNewlines};
pub use endpoint::{PingError, Product, ServerInfo};
pub use error::{BufferUnit, ConfigError, NameKind, RecordError, StartError};
#[cfg(feature = "testing")]
pub use influx::here::InstalledHere;
pub use influx::{
    Influx, ShutdownGuard, record,
    series::{Point, PointTimer, Series, SeriesBuilder, series},
};
#[cfg(feature = "middleware")]
pub use middleware::{
    InfluxMetrics, MeasuredRequest, NotMeasured, Placement, RequestMeasurement, RequestTimer,
};
pub use point::{
    clock::Timestamp,
    database::Database,
    field::FieldValue,
    measurement::{Measurement, Timer},
    precision::Precision,
    tag::TagValue,
};
pub use spool::folder::{SpoolBatch, SpoolError, SpoolFile};
pub use stats::{
    event::Event,
    health::{DatabaseOutage, EndpointOutage, Health, HealthStatus},
    ledger::{Dropped, Places, Stats},
    reason::{DropReason, Failure, FailureKind, Rejection},
    report::{Delivery, FlushReport, ShutdownReport},
    servers::{BreakerState, DatabaseStats, EndpointStats, LastFailure, Outage},
    spool::{SpoolState, SpoolStats},
};

/// The code of the README and the pages of `docs`, compiled by `cargo test --doc`, and run unless
/// marked otherwise.
#[cfg(doctest)]
mod pages {
    macro_rules! pages {
        ($($page:ident: $path:literal,)+) => {$(
            #[doc = include_str!($path)]
            struct $page;
        )+};
    }

    pages! {
        Readme: "../README.md",
        Architecture: "../docs/architecture.md",
        Comparison: "../docs/comparison.md",
        Containers: "../docs/containers.md",
        Faq: "../docs/faq.md",
        Faults: "../docs/faults.md",
        GettingStarted: "../docs/getting-started.md",
        Migrating: "../docs/migrating.md",
        Operations: "../docs/operations.md",
        Performance: "../docs/performance.md",
        Privacy: "../docs/privacy.md",
        Servers: "../docs/servers.md",
        Spool: "../docs/spool.md",
    }
}
