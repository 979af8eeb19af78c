//! Table 3: what the client takes of the CPU, next to what a real influxd takes for the same points.

use anyhow::Result;

use super::{TIMEOUT, progress, warn};
use crate::{
    child::Child,
    cli::Options,
    clients::Client,
    influxd::Influxd,
    machine::Cores,
    table::{Table, cell, decimals, median, whole},
};

#[derive(Debug, Default)]
struct Found {
    /// CPU seconds.
    client: Vec<f64>,
    influxd: Vec<f64>,
    part: Vec<f64>,
}

pub fn run(options: &Options, cores: Cores) {
    if !Influxd::is_available() {
        println!("There is no `influxd`: its share is not measured.\n");
        return;
    }
    let mut found = Found::default();
    let mut version = String::new();
    for round in 1..=options.rounds {
        progress(&format!("round {round}: influxd"));
        let measured = measure(options.points, cores);
        if let Some((client, influxd, its_version)) = warn(measured) {
            found.client.push(client);
            found.influxd.push(influxd);
            found.part.push(client / influxd);
            version = its_version;
        }
    }
    let mut table = Table::new(&["", "CPU s", "of influxd's"]);
    let seconds = |values: &[f64]| cell(median(values), |seconds| decimals(seconds, 2));
    table.row(vec![
        format!("influxd {version}, until it has answered"),
        seconds(&found.influxd),
        "100 %".to_owned(),
    ]);
    table.row(vec![
        Client::Ours.title().to_owned(),
        seconds(&found.client),
        cell(median(&found.part), |part| format!("{:.1} %", part * 100.0)),
    ]);
    let points = whole(options.points as f64);
    table.print(&format!(
        "A real influxd: {points} points, medians of {}",
        options.rounds
    ));
}

/// The CPU seconds of both, and influxd's version.
fn measure(points: usize, cores: Cores) -> Result<(f64, f64, String)> {
    let influxd = Influxd::start()?;
    let before = influxd.cpu()?;
    let (points, port) = (points.to_string(), influxd.port.to_string());
    let (client, core) = (Client::Ours.argument(), cores.subject.to_string());
    let mut child = Child::start(&[
        "client", &client, "--points", &points, "--port", &port, "--core", &core,
    ])?;
    let client = child.number("cpu", TIMEOUT)? / 1e9;
    let spent = influxd.cpu()? - before;
    child.end(TIMEOUT)?;
    Ok((client, spent, influxd.version.clone()))
}
