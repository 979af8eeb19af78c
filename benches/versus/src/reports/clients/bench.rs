//! Starts the clients, and takes down what they say.

use std::cell::Cell;

use anyhow::{Context as _, Result};

use super::row::Row;
use crate::{
    ancestor::Ancestor,
    callgrind::{self, Counted},
    child::Child,
    cli::Options,
    clients::Client,
    data::BATCH,
    machine::Cores,
    reports::{TIMEOUT, warn},
    sink::Sink,
    workload::Workload,
};

#[derive(Debug)]
pub struct Bench {
    points: usize,
    /// How many are counted under valgrind, and three times as many.
    counted: usize,
    cores: Cores,
    pub ancestor: Option<Ancestor>,
    busiest_sink: Cell<f64>,
}

/// What delivering all points took.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Points a second.
    pub rate: f64,
    /// CPU seconds of the client for a million points.
    pub cpu: f64,
}

impl Bench {
    pub fn new(options: &Options, cores: Cores) -> Self {
        Self {
            points: options.points,
            counted: if options.quick { BATCH } else { 4 * BATCH },
            cores,
            ancestor: None,
            busiest_sink: Cell::new(0.0),
        }
    }

    pub fn can(&self, client: Client, workload: &Workload) -> bool {
        let is_there = client != Client::Sprockets || self.ancestor.is_some();
        is_there && client.is_for(workload)
    }

    /// The part of the time that the sink was busy, at most.
    pub fn busiest_sink(&self) -> f64 {
        self.busiest_sink.get()
    }

    /// Nanoseconds of CPU time a point for building and encoding: what else runs on the core
    /// meanwhile is not in them.
    pub fn encode(&self, client: Client, workload: &Workload) -> Result<f64> {
        let points = self.points(client);
        let mut child = self.start(client, workload, points, None)?;
        let cpu = child.number("cpu", TIMEOUT)?;
        child.end(TIMEOUT)?;
        Ok(cpu / points as f64)
    }

    pub fn send(&self, client: Client, workload: &Workload) -> Result<Sent> {
        let points = self.points(client);
        let (sink, port) = Sink::start(self.cores, points)?;
        let mut child = self.start(client, workload, points, Some(port))?;
        let start = child.number("start", TIMEOUT)?;
        let arrived = sink.wait(TIMEOUT)?;
        let cpu = child.number("cpu", TIMEOUT)?;
        child.end(TIMEOUT)?;
        let nanos = arrived.end - start;
        let busy = arrived.cpu / nanos;
        self.busiest_sink.set(self.busiest_sink.get().max(busy));
        Ok(Sent {
            rate: points as f64 / nanos * 1e9,
            cpu: cpu / points as f64 / 1e3,
        })
    }

    /// Counts the instructions: those of delivery only with the workload that has details.
    pub fn count(&self, row: &mut Row, workload: &Workload) {
        let client = row.client;
        if client == Client::Sprockets {
            return;
        }
        // Valgrind takes minutes for many points of the slow ones.
        let points = match client {
            Client::Influxdb | Client::Influxdb3 => self.counted / 4,
            _ => self.counted,
        };
        if client.encodes() {
            let count = |points| {
                let arguments = arguments(client, workload, points, None);
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                Counted::start(&arguments)?.instructions()
            };
            row.encode_instructions = warn(callgrind::per_item(points, count));
        }
        if workload.is_usual() || !client.encodes() {
            let count = |points| self.count_send(client, workload, points);
            row.instructions = warn(callgrind::per_item(points, count));
        }
    }

    fn count_send(&self, client: Client, workload: &Workload, points: usize) -> Result<f64> {
        let (sink, port) = Sink::start(self.cores, points)?;
        let arguments = arguments(client, workload, points, Some(port));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let instructions = Counted::start(&arguments)?.instructions()?;
        sink.wait(TIMEOUT)?;
        Ok(instructions)
    }

    fn start(
        &self,
        client: Client,
        workload: &Workload,
        points: usize,
        port: Option<u16>,
    ) -> Result<Child> {
        let core = self.cores.subject;
        if client == Client::Sprockets {
            let ancestor = self.ancestor.as_ref().context("it is not installed")?;
            return ancestor.start(workload, points, port, core);
        }
        let mut arguments = arguments(client, workload, points, port);
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

fn arguments(client: Client, workload: &Workload, points: usize, port: Option<u16>) -> Vec<String> {
    let mut arguments = vec![
        "client".to_owned(),
        client.argument(),
        format!("--workload={}", workload.name),
        format!("--points={points}"),
    ];
    arguments.extend(port.map(|port| format!("--port={port}")));
    arguments
}
