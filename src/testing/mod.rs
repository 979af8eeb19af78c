//! An InfluxDB in the test's process: for testing what a program records, and how it copes with faults
//! of the database.
//!
//! [`FakeInflux`] is a real HTTP/1.1 server on a free port of the loopback address. It runs on threads
//! of its own and needs no runtime, so it serves tests of any runtime, with paused time too, and
//! blocking ones.
//!
//! ```
//! use std::{io::{Read, Write}, net::TcpStream, time::Duration};
//!
//! use actix_influxdb::testing::{Answer, FakeInflux, Value};
//!
//! let influx = FakeInflux::start();
//! influx.answer_next(Answer::status(503).retry_after(1)); // the first write fails
//!
//! // In a test of yours, this is the program, with `influx.url()` as its InfluxDB.
//! let body = "login,method=oauth ms=12.5,user=\"a b\" 1700000000";
//! let request = format!(
//!     "POST /write?db=example&precision=s HTTP/1.1\r\nHost: influx\r\nContent-Length: {}\r\n\r\n{body}",
//!     body.len(),
//! );
//! for _ in 0..2 {
//!     let mut connection = TcpStream::connect(influx.addr())?;
//!     connection.write_all(request.as_bytes())?;
//!     connection.read(&mut [0; 1_024])?;
//! }
//!
//! influx.wait_for_points("example", 1, Duration::from_secs(5));
//! let point = &influx.points("example")[0];
//! assert_eq!(point.measurement, "login");
//! assert_eq!(point.tag("method"), Some("oauth"));
//! assert_eq!(point.field("ms"), Some(&Value::Float(12.5)));
//! assert_eq!(point.field("user"), Some(&Value::from("a b")));
//! assert_eq!(point.timestamp, Some(1_700_000_000_000_000_000)); // nanoseconds
//! assert_eq!(influx.requests()[0].status, Some(503));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Answers
//!
//! The server answers as InfluxDB 1.6.7 does, unless a script says otherwise: the good lines of a body are stored even
//! if others are bad, and the bodies of errors are those of 1.6.7. It accepts
//!
//! | request | |
//! |---|---|
//! | `POST /write?db=&rp=&precision=` | v1: `n`, `ns`, `u`, `ms`, `s`, `m`, `h`; other words mean nanoseconds, `us` as well |
//! | `POST /api/v2/write?org=&bucket=&precision=` | v2: `ns`, `us`, `ms`, `s`; the bucket is the database |
//! | `POST /api/v3/write_lp?db=&precision=` | v3: `nanosecond`, `microsecond`, `millisecond`, `second`, `auto` |
//! | `/query?q=` | `CREATE DATABASE`, `DROP DATABASE`, `SHOW DATABASES` |
//! | `/ping`, `/health` | 204, 200 |
//!
//! and bodies that are chunked or compressed (`gzip`). Errors of v2 and v3 requests have the
//! texts of 1.6.7 too, but `7u` is a value there.
//!
//! In some respects the server is stricter than 1.6.7, because lines are also read by an independent parser,
//! that of InfluxDB 3: it refuses `.5` and `5.`, text between a string's closing quote and the next
//! comma, NUL in a measurement's name, and tabs and escaped line breaks in names. And a field has one
//! type per database and measurement, where 1.6.7 allows another one in each shard (a week of time).
//!
//! # Other servers
//!
//! [`FakeInflux::imitating`] answers as another [`Server`] does: InfluxDB 1.6, 1.8, 1.12, 2.7, 3 and Cloud, VictoriaMetrics, vmagent,
//! QuestDB, GreptimeDB, Telegraf. Three of them are compared with the real ones by this library's tests; each says
//! which version it imitates, and how its answers are known.
//!
//! # Faults
//!
//! Every fault is a script, an [`Answer`]: for the next write, for all, or chosen by a function. No
//! script waits for time to pass: an answer stalls until [`FakeInflux::release`]. Faults of the network as
//! a whole are [`FakeInflux::refuse`] and [`FakeInflux::close_idle`].

mod answer;
mod auth;
mod connection;
mod connections;
mod database;
mod encode;
mod fake_influx;
mod http;
mod imitate;
mod listener;
mod parse;
mod point;
mod precision;
mod query;
mod raw_line;
mod reply;
mod request;
mod scan;
mod server;
mod service;
mod state;
mod store;
mod view;

pub use answer::Answer;
pub use encode::encode;
pub use fake_influx::FakeInflux;
pub use point::{Point, Value};
pub use raw_line::record_line;
pub use request::Request;
pub use server::Server;
pub use view::View;
