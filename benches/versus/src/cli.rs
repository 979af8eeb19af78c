//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::{apps::App, clients::Client, workload::Workload};

/// Measures actix-influxdb and its peers side by side, and prints the tables as Markdown.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub options: Options,
}

#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many points each client delivers in a round.
    #[arg(long, default_value_t = 1_000_000, value_parser = at_least_one)]
    pub points: usize,

    /// How many requests each app answers in a round.
    #[arg(long, default_value_t = 100_000, value_parser = at_least_one)]
    pub requests: usize,

    /// Over how many connections: enough to keep one worker busy all the time.
    #[arg(long, default_value_t = 16, value_parser = at_least_one)]
    pub connections: usize,

    /// How many rounds there are; the tables show medians.
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,

    /// Small numbers: does it work?
    #[arg(long)]
    pub quick: bool,

    /// Only the clients and apps whose name contains this (and those they are compared with).
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,

    /// Only these workloads, for the clients. Without it all.
    #[arg(long = "workload", value_name = "NAME", value_enum)]
    pub workloads: Vec<Workload>,

    /// Count no instructions, even if valgrind is there: much faster.
    #[arg(long)]
    pub no_instructions: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it has to be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

impl Options {
    /// With small numbers where that was asked for.
    pub fn resolved(mut self) -> Self {
        if self.quick {
            self.points = self.points.min(50_000);
            self.requests = self.requests.min(5_000);
            self.rounds = self.rounds.min(1);
        }
        self
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Only table 1: the clients.
    Clients(Options),
    /// Only table 2: the actix-web apps.
    Apps(Options),
    /// Only table 3: the share of a real influxd.
    Influxd(Options),
    /// Only table 4: what `record` costs, and when.
    Curves(Options),
    /// A client, in a process of its own.
    #[command(hide = true)]
    Client(ClientArguments),
    /// What counts the points, in a process of its own.
    #[command(hide = true)]
    Sink(SinkArguments),
    /// An app, in a process of its own.
    #[command(hide = true)]
    Serve(ServeArguments),
    /// What sends requests to an app, in a process of its own.
    #[command(hide = true)]
    Load(LoadArguments),
    /// One point of a curve, in a process of its own.
    #[command(hide = true)]
    Curve(CurveArguments),
}

#[derive(Clone, Debug, Args)]
pub struct ClientArguments {
    pub client: Client,
    #[arg(long, value_enum, default_value_t)]
    pub workload: Workload,
    #[arg(long)]
    pub points: usize,
    /// The sink's port; without one nothing is sent.
    #[arg(long)]
    pub port: Option<u16>,
    /// Any core, if it isn't given.
    #[arg(long)]
    pub core: Option<usize>,
}

#[derive(Clone, Debug, Args)]
pub struct SinkArguments {
    #[arg(long)]
    pub core: usize,
    #[arg(long)]
    pub points: u64,
}

#[derive(Clone, Debug, Args)]
pub struct ServeArguments {
    pub app: App,
    #[arg(long)]
    pub core: usize,
    #[arg(long)]
    pub sink: u16,
}

#[derive(Clone, Debug, Args)]
pub struct LoadArguments {
    #[arg(long)]
    pub port: u16,
    #[arg(long)]
    pub requests: usize,
    #[arg(long)]
    pub connections: usize,
    #[arg(long)]
    pub core: usize,
}

#[derive(Clone, Debug, Args)]
pub struct CurveArguments {
    #[arg(long, default_value_t = 1)]
    pub databases: usize,
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Look at every single call.
    #[arg(long)]
    pub calls: bool,
    /// The server's; there may be no server.
    #[arg(long)]
    pub port: u16,
    #[arg(long)]
    pub points: usize,
}
