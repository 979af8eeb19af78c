//! What `record` costs with many databases, from many threads, and while the server is away.

use std::{sync::Arc, thread};

use actix_influxdb::Influx;
use anyhow::{Result, anyhow};

use crate::{
    cli::CurveArguments,
    clients::ours::{Pipeline, measurement},
    data::{
        DATABASE, Points,
        shape::{Literals, Request},
    },
    machine,
    workload::Workload,
};

/// The process: says how many nanoseconds of CPU time one `record` takes of its thread (`record`)
/// and all of it takes of the process (`all`), the calls a second (`rate`); or, one thread's single
/// calls in nanoseconds: `p50`, `p99`, `p9999`.
pub fn run(arguments: &CurveArguments) -> Result<()> {
    let url = format!("http://127.0.0.1:{}", arguments.port);
    let workload = Workload::default();
    let pipeline = Pipeline::start(Some(&url), &workload)?;
    let influx = &pipeline.influx;
    let databases = names(arguments.databases);
    let points = Arc::new(Points::new(&workload, arguments.points / arguments.threads));
    if arguments.calls {
        return calls(influx, &points);
    }
    let (start, cpu) = (machine::now(), machine::process_cpu());
    let threads: Vec<_> = (0..arguments.threads)
        .map(|_| {
            let (influx, points) = (influx.clone(), Arc::clone(&points));
            let databases = Arc::clone(&databases);
            thread::spawn(move || record(&influx, &points, &databases))
        })
        .collect();
    let mut nanos = 0;
    for thread in threads {
        let thread = thread.join().map_err(|_| anyhow!("a thread panicked"))?;
        nanos += thread?;
    }
    let elapsed = machine::now() - start;
    let count = points.len() * arguments.threads;
    pipeline.finish(count)?;
    let cpu = machine::process_cpu() - cpu;
    let count = count as f64;
    println!(
        "record={}\nall={}",
        nanos as f64 / count,
        cpu as f64 / count
    );
    println!("rate={}", count / elapsed as f64 * 1e9);
    Ok(())
}

/// One thread's points, each for the next database: the CPU time that they took.
fn record(influx: &Influx, points: &Points, databases: &[&'static str]) -> Result<u64> {
    let mut names = databases.iter().cycle();
    let start = machine::thread_cpu();
    for batch in points.batches() {
        for (point, name) in batch.zip(names.by_ref()) {
            influx.record(measurement::<Request<Literals>>(name, &point))?;
        }
    }
    Ok(machine::thread_cpu() - start)
}

/// Looks at every call, and at the clock's own part in it.
fn calls(influx: &Influx, points: &Points) -> Result<()> {
    let mut nanos = Vec::with_capacity(points.len());
    for batch in points.batches() {
        for point in batch {
            let measurement = measurement::<Request<Literals>>(DATABASE, &point);
            let start = machine::now();
            influx.record(measurement)?;
            nanos.push(machine::now() - start);
        }
    }
    nanos.sort_unstable();
    for (key, part) in [("p50", 0.5), ("p99", 0.99), ("p9999", 0.9999)] {
        let place = (nanos.len() as f64 * part) as usize;
        println!("{key}={}", nanos.get(place).copied().unwrap_or(0));
    }
    Ok(())
}

/// As a program's own are.
fn names(count: usize) -> Arc<[&'static str]> {
    let name = |number| &*Box::leak(format!("bench{number}").into_boxed_str());
    (0..count.max(1)).map(name).collect()
}
