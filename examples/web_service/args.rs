//! Command line.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, TcpListener},
};

use clap::{Parser, builder::NonEmptyStringValueParser};

const DEFAULT_PORT: u16 = 8080;

/// A web service that records every request, and the machine's CPU, memory and network, in InfluxDB.
#[derive(Debug, Parser)]
#[command(after_help = ENVIRONMENT)]
pub struct Args {
    /// Port on 127.0.0.1; 0 uses a free one [default: 8080, or a free one if that is in use]
    #[arg(long)]
    port: Option<u16>,

    /// Database (InfluxDB 2: bucket) to write to
    #[arg(long, default_value = "example", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub database: String,

    /// Send requests to itself for N seconds, then end; fails if a measurement was not delivered
    #[arg(long, value_name = "N")]
    pub demo_seconds: Option<u64>,
}

const ENVIRONMENT: &str = "\
Environment:
  INFLUXDB_URL       where InfluxDB is, like http://localhost:8086; or INFLUXDB_HOST and
                     INFLUXDB_PORT. Without any of them, a FakeInflux inside this program is used
  INFLUXDB_INTERVAL  milliseconds that a measurement waits for others [default: 10000, FakeInflux: 1000]
  INFLUXDB_USER, INFLUXDB_PASSWORD, INFLUXDB_TOKEN, INFLUXDB_ORG …  as documented at Config
  RUST_LOG           what is logged [default: warn,actix_influxdb=info]

InfluxDB 1 needs to have the database:
  curl -X POST http://localhost:8086/query --data-urlencode 'q=CREATE DATABASE example'";

impl Args {
    /// Listens on the requested port, or on a free one.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let listen = |port| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            let explain = |error: io::Error| {
                let message = format!("can't listen on 127.0.0.1:{port}: {error}");
                io::Error::new(error.kind(), message)
            };
            listener.map_err(explain)
        };
        match (self.port, listen(self.port.unwrap_or(DEFAULT_PORT))) {
            (None, Err(error)) if error.kind() == ErrorKind::AddrInUse => {
                println!("Port {DEFAULT_PORT} is taken: using a free one.");
                listen(0)
            }
            (_, listener) => listener,
        }
    }
}
