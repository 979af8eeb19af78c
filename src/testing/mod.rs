//! An InfluxDB server within the test's process, to test what a program records and how it handles
//! faults of the database.
//!
//! [`FakeInflux`] is a real HTTP/1.1 server on a free loopback port. It has its own threads and
//! needs no runtime, so it works in tests of any runtime, also with paused time, and in blocking
//! ones.
//!
//! # A test
//!
//! This is the file `tests/own_tests/login.rs`, which tests a handler and the measurement of its
//! request. It needs in `Cargo.toml`
//!
//! ```toml
//! [dev-dependencies]
//! actix-influxdb = { version = "0.1", features = ["testing"] }
//! ```
//!
#![cfg_attr(
    feature = "middleware",
    doc = concat!("```\n", include_str!("../../tests/own_tests/login.rs"), "```")
)]
//!
//! Three things can delay or prevent the arrival of a measurement, and a [wait that
//! fails](FakeInflux::wait_for_points) says which did:
//!
//! - Measurements are sent [`interval`](crate::Config::interval) after the first of them, by
//!   default 10 s, or when [`flush`](crate::Influx::flush) is called.
//! - The middleware records a request when the body of its response is read to the end, or dropped.
//!   `test::call_service` returns before that; `test::call_and_read_body` and `test::read_body`
//!   read it.
//! - A server that rejects a line never stores it; one that is told to fail stores it later.
//!
//! # Without a pipeline
//!
//! ```
//! use std::{io::{Read, Write}, net::TcpStream, time::Duration};
//!
//! use actix_influxdb::testing::{Answer, FakeInflux, Value};
//!
//! let influx = FakeInflux::start();
//! influx.answer_next(Answer::status(503).retry_after(1)); // the first write fails
//!
//! // Any client of InfluxDB, with `influx.url()` as its server.
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
//! # Responses
//!
//! The server responds like InfluxDB 1.6.7, unless a script says otherwise: the good lines of a
//! body are stored even if others are bad, and error bodies are those of 1.6.7. It accepts
//!
//! | request | |
//! |---|---|
//! | `POST /write?db=&rp=&precision=` | v1: `n`, `ns`, `u`, `ms`, `s`, `m`, `h`; other words mean nanoseconds, `us` as well |
//! | `POST /api/v2/write?org=&bucket=&precision=` | v2: `ns`, `us`, `ms`, `s`; the bucket is the database |
//! | `POST /api/v3/write_lp?db=&precision=` | v3: `nanosecond`, `microsecond`, `millisecond`, `second`, `auto` |
//! | `/query?q=` | `CREATE DATABASE`, `DROP DATABASE`, `SHOW DATABASES` |
//! | `/ping`, `/health` | 204, 200 |
//!
//! and bodies that are chunked or compressed (`gzip`). v2 and v3 requests get the error texts of
//! 1.6.7 too, but may contain `7u`.
//!
//! In some respects the server is stricter than 1.6.7, because lines are also parsed by InfluxDB
//! 3's parser: it refuses `.5` and `5.`, text between a string's closing quote and the next comma,
//! NUL in a measurement's name, and tabs and escaped line breaks in names. And a field has one type
//! per database and measurement, while 1.6.7 allows another one in each shard (a week of time).
//!
//! # Other servers
//!
//! [`FakeInflux::imitating`] responds like another [`Server`]: InfluxDB 1.6, 1.8, 1.12, 2.7, 3 and
//! Cloud, VictoriaMetrics, vmagent, QuestDB, GreptimeDB, Telegraf. Three of them are compared with
//! the real servers by this library's tests; [`Server::version`] and [`Server::source`] say which
//! version each imitates, and how its responses are known.
//!
//! # Faults
//!
//! Every fault is a script, an [`Answer`]: for the next write, for all, or chosen by a function. No
//! script depends on time: an answer stalls until [`FakeInflux::release`]. Network faults are
//! [`FakeInflux::refuse`] and [`FakeInflux::close_idle`].

mod answer;
mod auth;
mod connection;
mod connections;
mod database;
mod diagnosis;
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
