//! This crate beside the limits and the fastest peer of each workload, and the worst of each.

use super::{
    Findings,
    bench::Sent,
    row::{Row, by_cpu, by_rate},
};
use crate::{
    clients::Client,
    table::{Table, cell, decimals},
};

/// How two compare in one round: more is better for the first.
type Compare = fn(&Sent, &Sent) -> f64;

/// What one column says of a workload.
type Ratio = fn(&Findings, Compare) -> Option<f64>;

const COLUMNS: [(&str, Ratio); 5] = [
    ("`record` of its limit", |found, by| {
        of(found, Client::Ours, Client::Limit, by)
    }),
    ("of the fastest peer", |found, by| {
        of_fastest(found, Client::Ours, by)
    }),
    ("`Series` of its limit", |found, by| {
        of(found, Client::Series, Client::LimitSeries, by)
    }),
    ("of the fastest peer", |found, by| {
        of_fastest(found, Client::Series, by)
    }),
    ("of `record`", |found, by| {
        of(found, Client::Series, Client::Ours, by)
    }),
];

pub fn print(all: &[Findings]) {
    table(all, by_rate)
        .print("Workloads: this crate's points a second, as parts of others' in the same rounds");
    table(all, by_cpu).print("Workloads: the same by CPU time, had each had its core for itself");
}

fn table(all: &[Findings], by: Compare) -> Table {
    let mut heads = vec!["workload", "fastest peer"];
    heads.extend(COLUMNS.map(|(head, _)| head));
    let mut table = Table::new(&heads);
    for found in all {
        let peer = fastest(found).map(|row| row.client.short_title());
        let peer = peer.unwrap_or(crate::table::NONE).to_owned();
        let ratios = COLUMNS.map(|(_, ratio)| show(ratio(found, by)));
        let first = [found.workload.title.to_owned(), peer];
        table.row(first.into_iter().chain(ratios).collect());
    }
    let worst = COLUMNS.map(|(_, ratio)| {
        show(
            all.iter()
                .filter_map(|found| ratio(found, by))
                .min_by(f64::total_cmp),
        )
    });
    let first = ["**the worst**".to_owned(), String::new()];
    table.row(first.into_iter().chain(worst).collect());
    table
}

fn show(ratio: Option<f64>) -> String {
    cell(ratio, |ratio| decimals(ratio, 2))
}

fn of(found: &Findings, client: Client, other: Client, by: Compare) -> Option<f64> {
    found.row(client)?.with(found.row(other)?, by)
}

fn of_fastest(found: &Findings, client: Client, by: Compare) -> Option<f64> {
    found.row(client)?.with(fastest(found)?, by)
}

fn fastest(found: &Findings) -> Option<&Row> {
    let peers = found.rows.iter().filter(|row| row.client.is_peer());
    let by_rate = peers.filter_map(|row| Some((row, row.rate()?)));
    by_rate
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(row, _)| row)
}
