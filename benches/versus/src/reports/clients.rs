//! Table 1: the clients, each alone in its process on one core, the sink on another.

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use super::{TIMEOUT, progress, warn};
use crate::{
    ancestor::{self, Ancestor},
    callgrind::{self, Counted},
    child::Child,
    cli::Options,
    clients::Client,
    data::BATCH,
    machine::Cores,
    sink::Sink,
    table::{Table, cell, decimals, median, whole},
    versions,
};

/// What the rounds found of one client.
#[derive(Debug)]
struct Row {
    client: Client,
    /// Nanoseconds a point.
    encode: Vec<f64>,
    /// Points a second, end to end.
    rate: Vec<f64>,
    /// How many times as long as the limit it took, in the same round.
    slower: Vec<f64>,
    /// CPU seconds of the client for a million points.
    cpu: Vec<f64>,
    encode_instructions: Option<f64>,
    instructions: Option<f64>,
}

pub fn run(options: &Options, cores: Cores) {
    let mut rows: Vec<Row> = chosen(options).map(Row::new).collect();
    let mut bench = Bench::new(options, cores);
    if rows.iter().any(|row| row.client == Client::Sprockets) {
        progress("sprockets-influxdb: installation");
        match Ancestor::prepare() {
            Ok(ancestor) => bench.ancestor = Some(ancestor),
            Err(error) => {
                println!("sprockets-influxdb is not measured: {error:#}\n");
                rows.retain(|row| row.client != Client::Sprockets);
            }
        }
    }
    let mut busiest: f64 = 0.0;
    for round in 1..=options.rounds {
        let mut limit = None;
        for row in &mut rows {
            progress(&format!("round {round}: {}", row.client.argument()));
            if row.client.encodes() {
                row.encode.extend(warn(bench.encode(row.client)));
            }
            let Some(sent) = warn(bench.send(row.client)) else {
                continue;
            };
            busiest = busiest.max(sent.sink_busy);
            if row.client == Client::Limit {
                limit = Some(sent.rate);
            }
            row.rate.push(sent.rate);
            row.slower.extend(limit.map(|limit| limit / sent.rate));
            row.cpu.push(sent.cpu);
        }
    }
    if !options.no_instructions {
        rows.iter_mut().for_each(|row| row.count(options, cores));
    }
    print(&rows, options);
    let busiest = busiest * 100.0;
    println!("The sink was busy for at most {busiest:.0} % of the time.\n");
    print_targets(&rows);
}

/// The limit is always there: it is what the others are compared with.
fn chosen(options: &Options) -> impl Iterator<Item = Client> {
    let clients = Client::value_variants().iter().copied();
    clients.filter(|client| match &options.only {
        Some(part) => *client == Client::Limit || client.argument().contains(part.as_str()),
        None => true,
    })
}

/// Starts the clients.
#[derive(Debug)]
struct Bench {
    points: usize,
    cores: Cores,
    ancestor: Option<Ancestor>,
}

/// What delivering all points took.
#[derive(Debug)]
struct Sent {
    rate: f64,
    cpu: f64,
    sink_busy: f64,
}

impl Bench {
    fn new(options: &Options, cores: Cores) -> Self {
        Self {
            points: options.points,
            cores,
            ancestor: None,
        }
    }

    /// Nanoseconds of CPU time a point for building and encoding: what else runs on the core
    /// meanwhile is not in them.
    fn encode(&self, client: Client) -> Result<f64> {
        let points = self.points(client);
        let mut child = self.start(client, points, None)?;
        let cpu = child.number("cpu", TIMEOUT)?;
        child.end(TIMEOUT)?;
        Ok(cpu / points as f64)
    }

    fn send(&self, client: Client) -> Result<Sent> {
        let points = self.points(client);
        let (sink, port) = Sink::start(self.cores, points)?;
        let mut child = self.start(client, points, Some(port))?;
        let start = child.number("start", TIMEOUT)?;
        let arrived = sink.wait(TIMEOUT)?;
        let cpu = child.number("cpu", TIMEOUT)?;
        child.end(TIMEOUT)?;
        let nanos = arrived.end - start;
        Ok(Sent {
            rate: points as f64 / nanos * 1e9,
            cpu: cpu / points as f64 / 1e3,
            sink_busy: arrived.cpu / nanos,
        })
    }

    fn start(&self, client: Client, points: usize, port: Option<u16>) -> Result<Child> {
        let core = self.cores.subject;
        if client == Client::Sprockets {
            let ancestor = self.ancestor.as_ref().context("it is not installed")?;
            return ancestor.start(points, port, core);
        }
        let mut arguments = vec![
            "client".to_owned(),
            client.argument(),
            format!("--points={points}"),
        ];
        arguments.extend(port.map(|port| format!("--port={port}")));
        if client.is_pinned() {
            arguments.push(format!("--core={core}"));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Child::start(&arguments)
    }

    /// Fewer for the one that takes minutes otherwise.
    fn points(&self, client: Client) -> usize {
        match client {
            Client::Sprockets => self.points.div_ceil(5),
            _ => self.points,
        }
    }
}

impl Row {
    fn new(client: Client) -> Self {
        Self {
            client,
            encode: Vec::new(),
            rate: Vec::new(),
            slower: Vec::new(),
            cpu: Vec::new(),
            encode_instructions: None,
            instructions: None,
        }
    }

    fn count(&mut self, options: &Options, cores: Cores) {
        let client = self.client;
        if client == Client::Sprockets {
            return;
        }
        progress(&format!("instructions: {}", client.argument()));
        let points = if options.quick { BATCH } else { 4 * BATCH };
        if client.encodes() {
            let count = |points| count_encode(client, points);
            self.encode_instructions = warn(callgrind::per_item(points, count));
        }
        let count = |points| count_send(client, points, cores);
        self.instructions = warn(callgrind::per_item(points, count));
    }
}

fn count_encode(client: Client, points: usize) -> Result<f64> {
    let points = points.to_string();
    Counted::start(&["client", &client.argument(), "--points", &points])?.instructions()
}

fn count_send(client: Client, points: usize, cores: Cores) -> Result<f64> {
    let (sink, port) = Sink::start(cores, points)?;
    let (points, port) = (points.to_string(), port.to_string());
    let client = client.argument();
    let arguments = ["client", &client, "--points", &points, "--port", &port];
    let instructions = Counted::start(&arguments)?.instructions()?;
    sink.wait(TIMEOUT)?;
    Ok(instructions)
}

fn print(rows: &[Row], options: &Options) {
    let mut table = Table::new(&[
        "client",
        "version",
        "build + encode, ns/point",
        "instructions/point",
        "end to end, points/s",
        "times the limit",
        "instructions/point, all",
        "CPU s/million points",
    ]);
    for row in rows {
        table.row(vec![
            row.client.title().to_owned(),
            version(row.client),
            cell(median(&row.encode), whole),
            cell(row.encode_instructions, whole),
            cell(median(&row.rate), whole),
            cell(median(&row.slower), |times| decimals(times, 2)),
            cell(row.instructions, whole),
            cell(median(&row.cpu), |seconds| decimals(seconds, 3)),
        ]);
    }
    let points = whole(options.points as f64);
    let rounds = options.rounds;
    table.print(&format!(
        "Clients: {points} points of 6 tags and 2 fields, batches of 5,000, medians of {rounds}"
    ));
}

fn version(client: Client) -> String {
    match client {
        Client::Sprockets => ancestor::VERSION.to_owned(),
        _ => versions::of(client.package()),
    }
}

/// What the crate promises of itself, in this run.
fn print_targets(rows: &[Row]) {
    let rate = |client: Client| {
        let row = rows.iter().find(|row| row.client == client)?;
        median(&row.rate)
    };
    let peers = [
        Client::QuestdbChecked,
        Client::Questdb,
        Client::Influxdb3,
        Client::Influxdb,
    ];
    let fastest = peers.into_iter().filter_map(rate).max_by(f64::total_cmp);
    let ours = rows.iter().find(|row| row.client == Client::Ours);
    let Some((ours, rate)) = ours.and_then(|row| Some((row, median(&row.rate)?))) else {
        return;
    };
    let of_limit: Vec<f64> = ours.slower.iter().map(|slower| 1.0 / slower).collect();
    let of_limit = cell(median(&of_limit), |part| decimals(part, 2));
    let of_peer = cell(fastest, |fastest| decimals(rate / fastest, 2));
    println!("`record` end to end: {of_limit} of the limit, {of_peer} of the fastest peer.\n");
}
