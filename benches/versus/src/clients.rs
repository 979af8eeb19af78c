//! The clients, one file each, and the process that one of them runs in.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{cli::ClientArguments, data::Points, machine};

mod actor;
pub mod influx;
mod influxdb08;
mod influxdb3;
mod limit;
mod ours;
mod questdb;
mod questdb_checked;

/// What is compared, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Client {
    Limit,
    Ours,
    OursActor,
    QuestdbChecked,
    Questdb,
    Influxdb3,
    Influxdb,
    Sprockets,
}

impl Client {
    /// As it is written on the command line.
    pub fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// As it is called in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Limit => "limit: one thread, one buffer, one socket",
            Self::Ours => "**actix-influxdb**, `record`",
            Self::OursActor => "**actix-influxdb**, `addr().do_send`, two cores",
            Self::QuestdbChecked => "questdb-rs, names checked once",
            Self::Questdb => "questdb-rs, ordinary",
            Self::Influxdb3 => "influxdb3-client (official)",
            Self::Influxdb => "influxdb",
            Self::Sprockets => "the ancestor (Python: sprockets-influxdb)",
        }
    }

    /// The package that it is of.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::Limit | Self::Sprockets => None,
            Self::Ours | Self::OursActor => Some("actix-influxdb"),
            Self::QuestdbChecked | Self::Questdb => Some("questdb-rs"),
            Self::Influxdb3 => Some("influxdb3-client"),
            Self::Influxdb => Some("influxdb"),
        }
    }

    /// Does it have a core for itself? What needs two shares the other one with the sink.
    pub fn is_pinned(self) -> bool {
        self != Self::OursActor
    }

    /// Can it encode without sending?
    pub fn encodes(self) -> bool {
        self != Self::OursActor
    }
}

/// What a client is able to do. Each of them does it through its ordinary, published API.
trait Subject: Sized {
    /// One that sends to a server.
    fn connected(url: &str) -> Result<Self>;

    /// One that has no server.
    fn offline() -> Result<Self>;

    /// Builds and encodes all points, and sends none.
    fn encode(&mut self, points: &Arc<Points>) -> Result<()>;

    /// Builds, encodes and delivers all points; returns when they are delivered.
    fn send(&mut self, points: &Arc<Points>) -> Result<()>;
}

/// The process of one that is Rust: says when the first point was begun (`start`), and the CPU time
/// that passed until the client was through (`cpu`), both in nanoseconds.
pub fn run(arguments: &ClientArguments) -> Result<()> {
    if let Some(core) = arguments.core {
        machine::pin(core)?;
    }
    match arguments.client {
        Client::Limit => measure::<limit::Limit>(arguments),
        Client::Ours => measure::<ours::Ours>(arguments),
        Client::OursActor => measure::<actor::FromActor>(arguments),
        Client::QuestdbChecked => measure::<questdb_checked::QuestdbChecked>(arguments),
        Client::Questdb => measure::<questdb::Questdb>(arguments),
        Client::Influxdb3 => measure::<influxdb3::Influxdb3>(arguments),
        Client::Influxdb => measure::<influxdb08::Influxdb>(arguments),
        Client::Sprockets => bail!("that one is a Python process"),
    }
}

fn measure<S: Subject>(arguments: &ClientArguments) -> Result<()> {
    if arguments.points == 0 {
        bail!("no points, nothing to measure");
    }
    let points = Arc::new(Points::new(arguments.points));
    let mut subject = match arguments.port {
        Some(port) => S::connected(&format!("http://127.0.0.1:{port}"))?,
        None => S::offline()?,
    };
    let (start, cpu) = (machine::now(), machine::process_cpu());
    match arguments.port {
        Some(_) => subject.send(&points)?,
        None => subject.encode(&points)?,
    }
    let cpu = machine::process_cpu() - cpu;
    println!("cpu={cpu}\nstart={start}");
    Ok(())
}
