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
    /// Requests a second.
    rate: Vec<f64>,
    /// The same, and latencies, as parts of the bare app's in the same round.
    of_bare: Vec<f64>,
    of_bare_by_cpu: Vec<f64>,
    p50_of_bare: Vec<f64>,
    p99_of_bare: Vec<f64>,
    /// User instructions for a request.
    instructions: Option<f64>,
}

/// What one run found.
#[derive(Clone, Copy, Debug)]
struct Found {
    rate: f64,
    p50: f64,
    p99: f64,
    /// The app's CPU time in nanoseconds.
    cpu: f64,
    /// How busy the app's core and the other one were.
    busy: f64,
    load_busy: f64,
}

pub fn run(options: &Options, cores: Cores) {
    let mut rows: Vec<Row> = chosen(options).map(Row::new).collect();
    let (mut idlest, mut busiest): (f64, f64) = (1.0, 0.0);
    for round in 1..=options.rounds {
        let mut bare = None;
        for row in &mut rows {
            progress(&format!("round {round}: {}", row.app.argument()));
            let Some(found) = warn(measure(row.app, options, cores)) else {
                continue;
            };
            if row.app == App::Bare {
                bare = Some(found);
            }
            idlest = idlest.min(found.busy);
            busiest = busiest.max(found.load_busy);
            row.rate.push(found.rate);
            if let Some(bare) = bare {
                row.of_bare.push(found.rate / bare.rate);
                row.of_bare_by_cpu.push(bare.cpu / found.cpu);
                row.p50_of_bare.push(found.p50 / bare.p50);
                row.p99_of_bare.push(found.p99 / bare.p99);
            }
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
    print(&rows, options);
    let (idlest, busiest) = (idlest * 100.0, busiest * 100.0);
    println!(
        "The app's core was busy for at least {idlest:.0} % of the time, what sends the requests \
         for at most {busiest:.0} %.\n"
    );
}

/// The bare one is always there: it is what the others are compared with.
fn chosen(options: &Options) -> impl Iterator<Item = App> {
    let apps = App::value_variants().iter().copied();
    apps.filter(|app| match &options.only {
        Some(part) => *app == App::Bare || app.argument().contains(part.as_str()),
        None => true,
    })
}

impl Row {
    fn new(app: App) -> Self {
        Self {
            app,
            rate: Vec::new(),
            of_bare: Vec::new(),
            of_bare_by_cpu: Vec::new(),
            p50_of_bare: Vec::new(),
            p99_of_bare: Vec::new(),
            instructions: None,
        }
    }
}

/// Sends requests to an app until it has answered all.
fn measure(app: App, options: &Options, cores: Cores) -> Result<Found> {
    let (requests, connections) = (options.requests, options.connections);
    let (sink, sink_port) = Sink::start(cores, requests)?;
    let arguments = serve(app, sink_port, cores);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut server = Child::start(&arguments)?;
    let port = server.wait_for("port", START)?;
    let mut load = load(&port, requests, connections, cores)?;
    let rate = load.number("rate", TIMEOUT)?;
    server.ask_to_end();
    let cpu = server.number("cpu", TIMEOUT)? - server.number("begun", TIMEOUT)?;
    let (p50, p99) = (load.number("p50", TIMEOUT)?, load.number("p99", TIMEOUT)?);
    let elapsed = load.number("elapsed", TIMEOUT)?;
    let load_cpu = load.number("cpu", TIMEOUT)?;
    load.end(TIMEOUT)?;
    server.end(TIMEOUT)?;
    if app == App::Ours {
        sink.wait(TIMEOUT)?;
    }
    Ok(Found {
        rate,
        p50,
        p99,
        cpu,
        busy: cpu / elapsed,
        load_busy: load_cpu / elapsed,
    })
}

/// All instructions of an app's process that answers so many requests of one connection.
fn count(app: App, requests: usize, cores: Cores) -> Result<f64> {
    let (sink, sink_port) = Sink::start(cores, requests)?;
    let arguments = serve(app, sink_port, cores);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut server = Counted::start(&arguments)?;
    let port = server.child.wait_for("port", START)?;
    let mut load = load(&port, requests, 1, cores)?;
    load.number("rate", TIMEOUT)?;
    load.end(TIMEOUT)?;
    let instructions = server.instructions()?;
    if app == App::Ours {
        sink.wait(TIMEOUT)?;
    }
    Ok(instructions)
}

fn serve(app: App, sink: u16, cores: Cores) -> [String; 4] {
    [
        "serve".to_owned(),
        app.argument(),
        format!("--sink={sink}"),
        format!("--core={}", cores.subject),
    ]
}

fn load(port: &str, requests: usize, connections: usize, cores: Cores) -> Result<Child> {
    let (requests, connections) = (requests.to_string(), connections.to_string());
    let core = cores.others.to_string();
    Child::start(&[
        "load",
        "--port",
        port,
        "--requests",
        &requests,
        "--connections",
        &connections,
        "--core",
        &core,
    ])
}

fn print(rows: &[Row], options: &Options) {
    let bare = rows.iter().find(|row| row.app == App::Bare);
    let bare = bare.and_then(|row| row.instructions);
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
    let ratio = |values: &[f64]| cell(median(values), |part| decimals(part, 3));
    for row in rows {
        let over = row.instructions.zip(bare).map(|(all, bare)| all - bare);
        let over = over.filter(|_| row.app != App::Bare);
        table.row(vec![
            row.app.title().to_owned(),
            versions::of(Some(row.app.package())),
            cell(median(&row.rate), whole),
            ratio(&row.of_bare),
            ratio(&row.of_bare_by_cpu),
            ratio(&row.p50_of_bare),
            ratio(&row.p99_of_bare),
            cell(row.instructions, whole),
            cell(over, |over| {
                format!("{}{}", if over < 0.0 { "" } else { "+" }, whole(over))
            }),
        ]);
    }
    let requests = whole(options.requests as f64);
    let (connections, rounds) = (options.connections, options.rounds);
    table.print(&format!(
        "Apps: {requests} requests over {connections} connections, medians of {rounds}"
    ));
}
