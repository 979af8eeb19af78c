//! One of many services that write to a relay, and how `flush_jitter` spreads their requests. The
//! script `run` starts several of them, with a vmagent and two nodes of VictoriaMetrics; README.md
//! has measurements.

mod jitter;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, Measurement, Timestamp};
use clap::Parser;

/// A service that records at a steady rate, and reports its ledger at the end.
#[derive(Debug, Parser)]
struct Args {
    /// Name of this service: the value of a tag
    #[arg(long, default_value = "service")]
    name: String,

    /// Measurements per second
    #[arg(long, default_value_t = 1_000)]
    rate: u64,

    /// Time to run
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Simulate the peak of this many services with and without `flush_jitter`, and end
    #[arg(long, value_name = "SERVICES")]
    simulate: Option<usize>,
}

/// With at most 64,000 measurements a second, no series has two in a millisecond: VictoriaMetrics
/// would keep one of them.
const SERIES: u64 = 64;

/// Pause between two recordings.
const TICK: Duration = Duration::from_millis(20);

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(services) = args.simulate {
        print!("{}", jitter::table(services));
        return Ok(());
    }
    env_logger::init();
    let influx = Influx::start(Config::from_env()?)?;
    let step = 1_000_000_000 / args.rate.clamp(1, 64_000);
    let series: Vec<_> = (0..SERIES)
        .map(|number| {
            let builder = influx.series("scale_out", "work");
            builder
                .tag("service", args.name.clone())
                .tag("worker", number)
                .build()
        })
        .collect::<Result<_, _>>()?;
    let (began, first) = (Instant::now(), Timestamp::now());
    let (end, mut number) = (args.seconds * args.rate, 0);
    while number < end {
        actix::clock::sleep(TICK).await;
        let due = began.elapsed().as_nanos() as u64 / step;
        for number in number..due.min(end) {
            let at = first.as_nanos() + (number * step) as i64;
            let point = series[(number % SERIES) as usize].point();
            let point = point.field("value", number as i64);
            point.timestamp(Timestamp::from_nanos(at)).record()?;
        }
        number = due.min(end).max(number);
    }
    // The last point has a name that marks the end.
    let last = Measurement::new("scale_out", "last").tag("service", args.name.clone());
    influx.record(last.field("value", number as i64))?;
    let report = influx.shutdown(Duration::from_secs(60)).await;
    println!(
        "{}: recorded={} written={} rejected={} dropped={} pending={}",
        args.name,
        report.stats.recorded,
        report.stats.written,
        report.stats.rejected,
        report.stats.dropped.total(),
        report.stats.pending
    );
    if let Some((cpu, memory)) = usage() {
        println!("{}: used {cpu:.2} s {memory} MiB", args.name);
    }
    match report.is_complete() {
        true => Ok(()),
        false => Err(format!("not delivered: {report:?}").into()),
    }
}

/// CPU seconds and peak memory of this process, in MiB; Linux only.
fn usage() -> Option<(f64, u64)> {
    /// Ticks of the kernel's clock per second, the same on all usual systems.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    let cpu = (ticks()? + ticks()?) / TICKS;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((cpu, kibibytes / 1_024))
}
