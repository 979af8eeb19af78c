//! The tables of all workloads: a row for each workload, a column for each client.

use clap::ValueEnum as _;

use super::{Findings, row::Row};
use crate::{
    cli::Options,
    clients::Client,
    table::{Table, cell, decimals, whole},
};

pub fn print(all: &[Findings], options: &Options) {
    let (points, rounds) = (whole(options.points as f64), options.rounds);
    table(all, |row| cell(row.rate(), |rate| decimals(rate / 1e6, 2))).print(&format!(
        "Workloads: million points a second, end to end; {points} points, medians of {rounds}"
    ));
    table(all, |row| cell(row.cpu(), |cpu| decimals(cpu, 3)))
        .print("Workloads: CPU seconds of the client for a million points, end to end");
    if !options.no_instructions {
        table(all, |row| cell(row.encode_instructions, whole))
            .print("Workloads: instructions a point, to build and encode");
    }
}

fn table(all: &[Findings], value: impl Fn(&Row) -> String) -> Table {
    let clients = Client::value_variants().iter().copied();
    let is_measured = |client: &Client| all.iter().any(|found| found.row(*client).is_some());
    let clients: Vec<Client> = clients.filter(is_measured).collect();
    let mut heads = vec!["workload"];
    heads.extend(clients.iter().map(|client| client.short_title()));
    let mut table = Table::new(&heads);
    for found in all {
        let cells = clients.iter().map(|client| match found.row(*client) {
            Some(row) => value(row),
            None => crate::table::NONE.to_owned(),
        });
        let title = found.workload.title.to_owned();
        table.row([title].into_iter().chain(cells).collect());
    }
    table
}
