//! Measures actix-influxdb and its peers side by side: see the README.

use anyhow::Result;
use clap::Parser as _;

use crate::{
    cli::{Cli, Command, Options},
    machine::Cores,
};

mod ancestor;
mod apps;
mod callgrind;
mod child;
mod cli;
mod clients;
mod curve;
mod data;
mod influxd;
mod load;
mod machine;
mod reports;
mod sink;
mod table;
mod versions;
mod workload;

fn main() -> Result<()> {
    let Cli { command, options } = Cli::parse();
    match command {
        None => print(options, |options, cores| {
            reports::clients::run(options, cores);
            reports::apps::run(options, cores);
            reports::influxd::run(options, cores);
            reports::curves::run(options, cores);
        }),
        Some(Command::Clients(options)) => print(options, reports::clients::run),
        Some(Command::Apps(options)) => print(options, reports::apps::run),
        Some(Command::Influxd(options)) => print(options, reports::influxd::run),
        Some(Command::Curves(options)) => print(options, reports::curves::run),
        Some(Command::Client(arguments)) => clients::run(&arguments),
        Some(Command::Sink(arguments)) => sink::run(&arguments),
        Some(Command::Serve(arguments)) => apps::run(&arguments),
        Some(Command::Load(arguments)) => load::own::run(&arguments),
        Some(Command::Curve(arguments)) => curve::run(&arguments),
    }
}

/// Prints what the machine is, and then the tables.
fn print(options: Options, tables: impl Fn(&Options, Cores)) -> Result<()> {
    let mut options = options.resolved();
    let cores = Cores::find()?;
    println!("# actix-influxdb and its peers\n");
    machine::describe()
        .iter()
        .for_each(|line| println!("- {line}"));
    if cores.subject == cores.others {
        println!("- **There is only one core**: the subjects share it with what measures them.");
    }
    if !options.no_instructions && !callgrind::is_available() {
        println!("- valgrind is not there: no instructions are counted.");
        options.no_instructions = true;
    }
    println!("- Load (1, 5, 15 minutes): {} before", machine::load());
    println!();
    tables(&options, cores);
    println!("Load (1, 5, 15 minutes): {} after.", machine::load());
    Ok(())
}
