//! Table 1: the clients, each alone in its process on one core, the sink on another.

use anyhow::Result;
use clap::ValueEnum as _;

use super::{TIMEOUT, progress, warn};
use crate::{
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
    let mut busiest: f64 = 0.0;
    for round in 1..=options.rounds {
        let mut limit = None;
        for row in &mut rows {
            progress(&format!("round {round}: {}", row.client.argument()));
            if row.client.encodes() {
                let nanos = warn(encode(row.client, options.points, cores));
                row.encode.extend(nanos);
            }
            let Some(sent) = warn(send(row.client, options.points, cores)) else {
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
    println!(
        "The sink was busy for at most {:.0} % of the time.\n",
        busiest * 100.0
    );
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

/// Nanoseconds a point for building and encoding.
fn encode(client: Client, points: usize, cores: Cores) -> Result<f64> {
    let core = cores.subject.to_string();
    let mut child = Child::start(&[
        "client",
        &client.argument(),
        "--points",
        &points.to_string(),
        "--core",
        &core,
    ])?;
    let start = child.number("start", TIMEOUT)?;
    let through = child.number("through", TIMEOUT)?;
    child.end(TIMEOUT)?;
    Ok((through - start) / points as f64)
}

/// What delivering all points took.
#[derive(Debug)]
struct Sent {
    rate: f64,
    cpu: f64,
    sink_busy: f64,
}

fn send(client: Client, points: usize, cores: Cores) -> Result<Sent> {
    let (sink, port) = Sink::start(cores, points)?;
    let mut arguments = vec![
        "client".to_owned(),
        client.argument(),
        format!("--points={points}"),
        format!("--port={port}"),
    ];
    if client.is_pinned() {
        arguments.push(format!("--core={}", cores.subject));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = Child::start(&arguments)?;
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
            versions::of(row.client.package()),
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
