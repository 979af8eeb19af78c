//! Table 2: an actix-web app with one worker on one core, bare and with each middleware.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum as _;

use super::{TIMEOUT, progress, warn};
use crate::{
    apps::App,
    callgrind::{self, Counted},
    child::Child,
    cli::Options,
    load::{self, Load, Loaded},
    machine::Cores,
    sink::Sink,
    table::{Table, cell, decimals, median, whole},
    versions,
};

/// How long an app may take to listen.
const START: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Row {
    app: App,
    /// By round; none where it failed.
    found: Vec<Option<Found>>,
    /// User instructions for a request.
    instructions: Option<f64>,
}

/// What one run found.
#[derive(Clone, Copy, Debug)]
struct Found {
    load: Loaded,
    /// The app's CPU time in nanoseconds.
    cpu: f64,
}

impl Found {
    /// The app's CPU time for a request.
    fn cpu_per_request(&self) -> f64 {
        self.cpu / self.load.requests
    }
}

impl Row {
    fn new(app: App) -> Self {
        Self {
            app,
            found: Vec::new(),
            instructions: None,
        }
    }

    /// How it compares with another: the median of what each round says.
    fn with(&self, other: &Self, compare: impl Fn(&Found, &Found) -> f64) -> Option<f64> {
        let rounds = self.found.iter().zip(&other.found);
        let values =
            rounds.filter_map(|(this, other)| Some(compare(this.as_ref()?, other.as_ref()?)));
        median(&values.collect::<Vec<f64>>())
    }
}

pub fn run(options: &Options, cores: Cores) {
    let mut rows: Vec<Row> = chosen(options).map(Row::new).collect();
    let load = match load::wrk::is_available() {
        true => Load::Wrk {
            seconds: if options.quick { 1 } else { 3 },
        },
        false => Load::Own {
            requests: options.requests,
        },
    };
    for round in 1..=options.rounds {
        for row in &mut rows {
            progress(&format!("round {round}: {}", row.app.argument()));
            let found = measure(row.app, load, options.connections, cores);
            row.found.push(warn(found));
        }
    }
    if !options.no_instructions {
        for row in &mut rows {
            progress(&format!("instructions: {}", row.app.argument()));
            let requests = if options.quick { 1_000 } else { 5_000 };
            let count = |requests| count(row.app, requests, cores);
            row.instructions = warn(callgrind::per_item(requests, count));
        }
    }
    let (connections, rounds) = (options.connections, options.rounds);
    table(&rows).print(&format!(
        "Apps: {} over {connections} connections, medians of {rounds}",
        load.title()
    ));
    print_notes(&rows);
}

/// The bare one is always there: it is what the others are compared with.
fn chosen(options: &Options) -> impl Iterator<Item = App> {
    let apps = App::value_variants().iter().copied();
    apps.filter(|app| match &options.only {
        Some(part) => *app == App::Bare || app.argument().contains(part.as_str()),
        None => true,
    })
}

/// Sends requests to an app. This crate's fails unless it has delivered a point for each.
fn measure(app: App, load: Load, connections: usize, cores: Cores) -> Result<Found> {
    let (_sink, sink_port) = Sink::start(cores, usize::MAX)?;
    let arguments = serve(app, sink_port, cores);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut server = Child::start(&arguments)?;
    let port = server.wait_for("port", START)?;
    let load = load.run(&port, connections, cores)?;
    server.ask_to_end();
    let cpu = server.number("cpu", TIMEOUT)? - server.number("begun", TIMEOUT)?;
    server.end(TIMEOUT)?;
    Ok(Found { load, cpu })
}

/// All instructions of an app's process that answers so many requests of one connection.
fn count(app: App, requests: usize, cores: Cores) -> Result<f64> {
    let (_sink, sink_port) = Sink::start(cores, usize::MAX)?;
    let arguments = serve(app, sink_port, cores);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut server = Counted::start(&arguments)?;
    let port = server.child.wait_for("port", START)?;
    load::own::start(&port, requests, 1, cores)?.loaded()?;
    server.instructions()
}

fn serve(app: App, sink: u16, cores: Cores) -> [String; 4] {
    [
        "serve".to_owned(),
        app.argument(),
        format!("--sink={sink}"),
        format!("--core={}", cores.subject),
    ]
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "actix-web app, one worker on one core",
        "version",
        "requests/s",
        "of bare",
        "by CPU time",
        "p50 of bare",
        "p99 of bare",
        "user instructions/request",
        "over bare",
    ]);
    let Some(bare) = rows.iter().find(|row| row.app == App::Bare) else {
        return table;
    };
    let ratio = |ratio| cell(ratio, |part| decimals(part, 3));
    for row in rows {
        let over = row.instructions.zip(bare.instructions);
        let over = over.map(|(all, bare)| all - bare);
        let over = over.filter(|_| row.app != App::Bare);
        table.row(vec![
            row.app.title().to_owned(),
            versions::of(Some(row.app.package())),
            cell(row.with(row, |this, _| this.load.rate), whole),
            ratio(row.with(bare, |this, bare| this.load.rate / bare.load.rate)),
            ratio(row.with(bare, |this, bare| {
                bare.cpu_per_request() / this.cpu_per_request()
            })),
            ratio(row.with(bare, |this, bare| this.load.p50 / bare.load.p50)),
            ratio(row.with(bare, |this, bare| this.load.p99 / bare.load.p99)),
            cell(row.instructions, whole),
            cell(over, |over| {
                format!("{}{}", if over < 0.0 { "" } else { "+" }, whole(over))
            }),
        ]);
    }
    table
}

/// How far to trust it, and what the crate promises of itself.
fn print_notes(rows: &[Row]) {
    let all = || rows.iter().flat_map(|row| row.found.iter().flatten());
    let idlest = all().map(|found| found.cpu / found.load.elapsed);
    let idlest = idlest.fold(1.0, f64::min) * 100.0;
    let busiest = all().map(|found| found.load.cpu / found.load.elapsed);
    let busiest = busiest.fold(0.0, f64::max) * 100.0;
    println!(
        "The app's core was busy for at least {idlest:.0} % of the time, what sends the requests \
         for at most {busiest:.0} %.\n"
    );
    let row = |app: App| rows.iter().find(|row| row.app == app);
    if let (Some(ours), Some(prom)) = (row(App::Ours), row(App::Prom)) {
        let rate = ours.with(prom, |ours, prom| ours.load.rate / prom.load.rate);
        let cpu = ours.with(prom, |ours, prom| {
            prom.cpu_per_request() / ours.cpu_per_request()
        });
        let show = |ratio| cell(ratio, |part| decimals(part, 3));
        println!(
            "Requests a second: {} of actix-web-prom's, {} by CPU time.\n",
            show(rate),
            show(cpu)
        );
    }
}
