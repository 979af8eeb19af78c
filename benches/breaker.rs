//! While the server is down: what recording costs then, and how soon a failed POST is known.

mod data;

use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_influxdb::{
    Config, Event, Influx, ShutdownGuard,
    testing::{Answer, FakeInflux},
};
use divan::Bencher;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::data::ratio::{Ratios, are_wanted, time_each};

/// Measurements of one run.
const TIMES: usize = 2_000;

fn main() {
    divan::main();
    if are_wanted() {
        print_ratios_of_posts();
        print_ratios_of_recording();
    }
}

#[derive(Clone, Copy, Debug)]
enum Server {
    Up,
    Answers503,
    Refuses,
}

const SERVERS: [Server; 3] = [Server::Up, Server::Answers503, Server::Refuses];

impl Server {
    fn start(self) -> FakeInflux {
        let fake = FakeInflux::start();
        match self {
            Self::Up => {}
            Self::Answers503 => fake.answer_always(Answer::status(503)),
            Self::Refuses => fake.refuse(),
        }
        fake
    }
}

/// Passes on what happens to measurements.
struct Watch(UnboundedSender<Event>);

impl Actor for Watch {
    type Context = Context<Self>;
}

impl Handler<Event> for Watch {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Context<Self>) {
        if matches!(event, Event::Written { .. } | Event::Retrying { .. }) {
            _ = self.0.send(event);
        }
    }
}

/// A pipeline that sends each measurement at once, and has sent none yet: one POST can fail before
/// the breaker holds back the next.
struct Fresh {
    influx: Influx,
    events: UnboundedReceiver<Event>,
    _guard: ShutdownGuard,
}

impl Fresh {
    fn start(system: &SystemRunner, fake: &FakeInflux) -> Self {
        let config = Config::v1(fake.url()).trigger_size(1);
        let (influx, guard) = data::start(config);
        let (sender, events) = unbounded_channel();
        influx.subscribe(system.block_on(async { Watch(sender).start().recipient() }));
        // It answers when it has subscribed.
        let report = system.block_on(influx.flush(Duration::from_secs(10)));
        assert!(report.is_complete());
        Self {
            influx,
            events,
            _guard: guard,
        }
    }

    /// From recording until the program knows what became of the POST.
    fn post(&mut self, system: &SystemRunner) -> Event {
        self.influx.record(data::typical()).expect("there is room");
        let event = system.block_on(self.events.recv());
        event.expect("the watch runs as long as the pipeline")
    }
}

#[divan::bench(args = SERVERS, sample_count = 50, sample_size = 1)]
fn first_post(bencher: Bencher, server: Server) {
    let (system, fake) = (System::new(), server.start());
    bencher
        .with_inputs(|| Fresh::start(&system, &fake))
        .bench_local_refs(|fresh| fresh.post(&system));
}

fn print_ratios_of_posts() {
    let system = System::new();
    let mut ratios = Ratios::default();
    for server in SERVERS {
        let (system, fake) = (&system, server.start());
        ratios = ratios.case(format!("{server:?}"), move || {
            let mut fresh = Fresh::start(system, &fake);
            let started = Instant::now();
            let event = fresh.post(system);
            let elapsed = started.elapsed();
            assert_eq!(
                matches!(event, Event::Written { .. }),
                matches!(server, Server::Up)
            );
            elapsed
        });
    }
    ratios.print(
        "a measurement recorded, its POST made and its end known",
        50,
    );
}

#[divan::bench(sample_size = 1_000)]
fn record_while_open(bencher: Bencher) {
    let fake = FakeInflux::start();
    let (influx, _guard) = data::start_without_server(&fake);
    bencher
        .with_inputs(data::typical)
        .bench_local_values(|measurement| influx.record(measurement));
}

#[divan::bench(sample_size = 1_000)]
fn record_while_full(bencher: Bencher) {
    let (influx, _guard) = start_full();
    bencher
        .with_inputs(data::typical)
        .bench_local_values(|measurement| influx.record(measurement));
}

/// A buffer that has no room, as after hours without a server.
fn start_full() -> (Influx, ShutdownGuard) {
    let (influx, guard) = data::start(data::idle().max_buffer_size(1));
    while influx.record(data::typical()).is_ok() {}
    (influx, guard)
}

fn print_ratios_of_recording() {
    let fake = FakeInflux::start();
    let (idle, _idle) = data::start(data::idle());
    let (open, _open) = data::start_without_server(&fake);
    let (full, _full) = start_full();
    let case = |influx: &Influx, is_full: bool| {
        let influx = influx.clone();
        move || {
            let inputs = (0..TIMES).map(|_| data::typical()).collect();
            time_each(inputs, |measurement| {
                assert_eq!(influx.record(measurement).is_err(), is_full);
            })
        }
    };
    Ratios::default()
        .case("nothing sent", case(&idle, false))
        .case("breaker open", case(&open, false))
        .case("breaker open, buffer full", case(&full, true))
        .print("a measurement recorded", 50);
}
