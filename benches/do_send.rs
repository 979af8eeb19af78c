//! From another actor, by `do_send` and by `record`, through to a server that takes everything.

mod data;

use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_influxdb::{Config, Influx};
use divan::{Bencher, counter::ItemsCount};

use self::data::{
    ratio::{Ratios, are_wanted},
    sink::Sink,
};

/// Measurements of one run: two requests of the default trigger size.
const TIMES: u32 = 10_000;

fn main() {
    divan::main();
    if are_wanted() {
        print_ratios();
    }
}

struct Reporter(Influx);

impl Actor for Reporter {
    type Context = Context<Self>;
}

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
enum Report {
    ByDoSend,
    ByRecord,
}

impl Handler<Report> for Reporter {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Context<Self>) {
        let addr = self.0.addr();
        for _ in 0..TIMES {
            match report {
                Report::ByDoSend => addr.do_send(data::typical()),
                Report::ByRecord => self.0.record(data::typical()).expect("there is room"),
            }
        }
    }
}

/// A system with the actor, and a pipeline to the server.
struct Setup {
    system: SystemRunner,
    reporter: Addr<Reporter>,
    influx: Influx,
}

impl Setup {
    fn start(sink: &Sink) -> Self {
        let influx = Influx::start(Config::v1(sink.url())).expect("these settings are allowed");
        let system = System::new();
        let reporter = system.block_on(async { Reporter(influx.clone()).start() });
        Self {
            system,
            reporter,
            influx,
        }
    }

    /// Until the server has taken all.
    fn run(&self, report: Report) {
        self.system.block_on(async {
            self.reporter.send(report).await.expect("it runs");
            let report = self.influx.flush(Duration::from_secs(60)).await;
            assert!(report.is_complete());
        });
    }
}

#[divan::bench(args = [Report::ByDoSend, Report::ByRecord], sample_count = 20, sample_size = 1)]
fn to_the_server(bencher: Bencher, report: Report) {
    let sink = Sink::start();
    let setup = Setup::start(&sink);
    bencher
        .counter(ItemsCount::new(TIMES))
        .bench_local(|| setup.run(report));
}

fn print_ratios() {
    let sink = Sink::start();
    let setup = Setup::start(&sink);
    let case = |report| {
        let setup = &setup;
        move || {
            let started = Instant::now();
            setup.run(report);
            started.elapsed() / TIMES
        }
    };
    Ratios::default()
        .case("record", case(Report::ByRecord))
        .case("do_send", case(Report::ByDoSend))
        .print("a measurement, from an actor to the server", 20);
}
