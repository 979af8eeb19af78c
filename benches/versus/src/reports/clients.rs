//! Table 1: the clients, each alone in its process on one core, the sink on another; on each
//! workload.

use clap::ValueEnum as _;

use self::{bench::Bench, row::Row};
use super::{progress, warn};
use crate::{
    ancestor::Ancestor,
    cli::Options,
    clients::Client,
    machine::Cores,
    workload::{WORKLOADS, Workload},
};

mod bench;
mod detailed;
mod matrix;
mod ratios;
mod row;

/// What was found with one workload.
#[derive(Debug)]
pub struct Findings {
    workload: Workload,
    rows: Vec<Row>,
}

pub fn run(options: &Options, cores: Cores) {
    let mut bench = Bench::new(options, cores);
    if is_chosen(Client::Sprockets, options) {
        progress("sprockets-influxdb: installation");
        match Ancestor::prepare() {
            Ok(ancestor) => bench.ancestor = Some(ancestor),
            Err(error) => println!("sprockets-influxdb is not measured: {error:#}\n"),
        }
    }
    let mut all: Vec<Findings> = Vec::new();
    for workload in workloads(options) {
        let clients = Client::value_variants().iter().copied();
        let clients = clients.filter(|client| bench.can(*client, &workload));
        let clients = clients.filter(|client| is_chosen(*client, options));
        let mut findings = Findings {
            workload,
            rows: clients.map(Row::new).collect(),
        };
        findings.measure(&bench, options);
        all.push(findings);
    }
    for findings in all.iter().filter(|found| found.workload.is_usual()) {
        detailed::print(findings, options);
    }
    matrix::print(&all, options);
    ratios::print(&all);
    let busiest = bench.busiest_sink() * 100.0;
    println!("The sink was busy for at most {busiest:.0} % of the time.\n");
}

fn workloads(options: &Options) -> Vec<Workload> {
    match options.workloads.is_empty() {
        true => WORKLOADS.to_vec(),
        false => options.workloads.clone(),
    }
}

/// The limits are always there: they are what the others are compared with.
fn is_chosen(client: Client, options: &Options) -> bool {
    let is_limit = matches!(client, Client::Limit | Client::LimitSeries);
    let part = options.only.as_deref().unwrap_or_default();
    is_limit || client.argument().contains(part)
}

impl Findings {
    fn measure(&mut self, bench: &Bench, options: &Options) {
        let Workload { name, .. } = self.workload;
        for round in 1..=options.rounds {
            for row in &mut self.rows {
                progress(&format!("{name}, round {round}: {}", row.client.argument()));
                row.sent.push(warn(bench.send(row.client, &self.workload)));
                if self.workload.is_usual() && row.client.encodes() {
                    row.encode
                        .extend(warn(bench.encode(row.client, &self.workload)));
                }
            }
        }
        if options.no_instructions {
            return;
        }
        for row in &mut self.rows {
            progress(&format!("{name}, instructions: {}", row.client.argument()));
            bench.count(row, &self.workload);
        }
    }

    fn row(&self, client: Client) -> Option<&Row> {
        self.rows.iter().find(|row| row.client == client)
    }
}
