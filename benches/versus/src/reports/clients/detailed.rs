//! The table of one workload, with all that is known of each client.

use super::{Findings, row::by_rate};
use crate::{
    ancestor,
    cli::Options,
    clients::Client,
    table::{Table, cell, decimals, median, whole},
    versions,
};

pub fn print(findings: &Findings, options: &Options) {
    let mut table = Table::new(&[
        "client",
        "version",
        "build + encode, ns/point",
        "instructions/point",
        "end to end, points/s",
        "of the limit of `record`",
        "instructions/point, all",
        "CPU s/million points",
    ]);
    let limit = findings.row(Client::Limit);
    for row in &findings.rows {
        let of_limit = limit.and_then(|limit| row.with(limit, by_rate));
        table.row(vec![
            row.client.title().to_owned(),
            version(row.client),
            cell(median(&row.encode), whole),
            cell(row.encode_instructions, whole),
            cell(row.rate(), whole),
            cell(of_limit, |part| decimals(part, 2)),
            cell(row.instructions, whole),
            cell(row.cpu(), |seconds| decimals(seconds, 3)),
        ]);
    }
    table.print(&format!(
        "Clients: {} points of {}, 6 tags and 2 fields, batches of 5,000, medians of {}",
        whole(options.points as f64),
        findings.workload.title,
        options.rounds
    ));
}

fn version(client: Client) -> String {
    match client {
        Client::Sprockets => ancestor::VERSION.to_owned(),
        _ => versions::of(client.package()),
    }
}
