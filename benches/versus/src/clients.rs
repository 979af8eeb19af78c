//! The clients, one file each, and the process that one of them runs in.

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::asynchronous::Asynchronous;
use crate::{
    cli::ClientArguments,
    data::{
        Point, Points,
        shape::{Literals, ManyFields, ManyTags, Request, Shape, Strings},
    },
    machine,
    workload::{Values, Workload},
};

mod asynchronous;
mod do_send;
mod influxdb08;
mod influxdb3;
mod limit;
pub mod ours;
mod questdb;
mod series;

/// What is compared, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Client {
    LimitSeries,
    Series,
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

    /// As it is called in the tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::LimitSeries => "limit of `Series`: a loop that copies prepared parts",
            Self::Series => "**actix-influxdb**, `Series` that are kept",
            Self::Limit => "limit of `record`: a loop that escapes and writes each point",
            Self::Ours => "**actix-influxdb**, `record`",
            Self::OursActor => "**actix-influxdb**, `addr().do_send`, two cores",
            Self::QuestdbChecked => "questdb-rs, names checked once",
            Self::Questdb => "questdb-rs, ordinary",
            Self::Influxdb3 => "influxdb3-client (official)",
            Self::Influxdb => "influxdb",
            Self::Sprockets => "the ancestor (Python: sprockets-influxdb)",
        }
    }

    /// The same in few words.
    pub fn short_title(self) -> &'static str {
        match self {
            Self::LimitSeries => "limit of `Series`",
            Self::Series => "**`Series`**",
            Self::Limit => "limit of `record`",
            Self::Ours => "**`record`**",
            Self::OursActor => "**`do_send`**",
            Self::QuestdbChecked => "questdb-rs, checked",
            Self::Questdb => "questdb-rs",
            Self::Influxdb3 => "influxdb3-client",
            Self::Influxdb => "influxdb",
            Self::Sprockets => "ancestor",
        }
    }

    /// The package that it is of.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::LimitSeries | Self::Limit | Self::Sprockets => None,
            Self::Series | Self::Ours | Self::OursActor => Some("actix-influxdb"),
            Self::QuestdbChecked | Self::Questdb => Some("questdb-rs"),
            Self::Influxdb3 => Some("influxdb3-client"),
            Self::Influxdb => Some("influxdb"),
        }
    }

    /// Is it another library?
    pub fn is_peer(self) -> bool {
        !matches!(self.package(), None | Some("actix-influxdb"))
    }

    /// Does it have a core for itself? What needs two shares the other one with the sink.
    pub fn is_pinned(self) -> bool {
        self != Self::OursActor
    }

    /// Can it encode without sending?
    pub fn encodes(self) -> bool {
        self != Self::OursActor
    }

    /// Some keep all series prepared.
    pub fn is_for(self, workload: &Workload) -> bool {
        match self {
            Self::LimitSeries | Self::Series => workload.is_prepared(),
            _ => true,
        }
    }
}

/// What a client is able to do. Each of them does it through its ordinary, published API.
trait Subject: Sized {
    /// Sends to this server; without one it sends nothing, and only builds and encodes.
    fn new<S: Shape>(server: Option<&str>, workload: &Workload, points: &Points) -> Result<Self>;

    /// Builds and encodes a point.
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()>;

    /// Sends what was pushed since the last time, if it does not send by itself.
    fn end_batch(&mut self) -> Result<()>;

    /// Waits until all points are delivered, and makes sure of it.
    fn finish(&mut self, points: usize) -> Result<()>;
}

/// The process of one that is Rust: says when the first point was begun (`start`), and the CPU time
/// that passed until the client was through (`cpu`), both in nanoseconds.
pub fn run(arguments: &ClientArguments) -> Result<()> {
    if let Some(core) = arguments.core {
        machine::pin(core)?;
    }
    match arguments.client {
        Client::LimitSeries => choose::<limit::Prepared>(arguments),
        Client::Series => choose::<series::Kept>(arguments),
        Client::Limit => choose::<limit::Escaped>(arguments),
        Client::Ours => choose::<ours::Ours>(arguments),
        Client::OursActor => choose::<do_send::DoSend>(arguments),
        Client::QuestdbChecked => choose::<questdb::Questdb<questdb::Checked>>(arguments),
        Client::Questdb => choose::<questdb::Questdb<questdb::Plain>>(arguments),
        Client::Influxdb3 => choose::<Asynchronous<influxdb3::Influxdb3>>(arguments),
        Client::Influxdb => choose::<Asynchronous<influxdb08::Influxdb>>(arguments),
        Client::Sprockets => bail!("that one is a Python process"),
    }
}

/// By the workload's shape, so that no client has to look at it for each point.
fn choose<C: Subject>(arguments: &ClientArguments) -> Result<()> {
    let Workload { tags, fields, .. } = arguments.workload;
    match (tags, fields, arguments.workload.values) {
        (6, 2, Values::Literals) => measure::<C, Request<Literals>>(arguments),
        (6, 2, Values::Strings) => measure::<C, Request<Strings>>(arguments),
        (20, 2, Values::Literals) => measure::<C, ManyTags>(arguments),
        (1, 10, Values::Literals) => measure::<C, ManyFields>(arguments),
        (..) => bail!("no points have {tags} tags and {fields} fields"),
    }
}

fn measure<C: Subject, S: Shape>(arguments: &ClientArguments) -> Result<()> {
    let workload = &arguments.workload;
    if arguments.points == 0 {
        bail!("no points, nothing to measure");
    }
    let points = Points::new(workload, arguments.points);
    let server = arguments
        .port
        .map(|port| format!("http://127.0.0.1:{port}"));
    let mut client = C::new::<S>(server.as_deref(), workload, &points)?;
    let (start, cpu) = (machine::now(), machine::process_cpu());
    for batch in points.batches() {
        for point in batch {
            client.push::<S>(&point)?;
        }
        client.end_batch()?;
    }
    client.finish(points.len())?;
    let cpu = machine::process_cpu() - cpu;
    println!("cpu={cpu}\nstart={start}");
    Ok(())
}
