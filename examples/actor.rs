//! An actor that measures the delay of its own timer, ten times. There is no web server, and the
//! measurements go to a fake InfluxDB in this process.

use std::{error::Error, process::ExitCode, time::Duration, time::Instant};

use actix::{Actor, AsyncContext as _, Context, Recipient, System};
use actix_influxdb::{Config, Influx, Measurement, testing::FakeInflux};

const PERIOD: Duration = Duration::from_millis(100);

struct Pulse(Recipient<Measurement>);

impl Actor for Pulse {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let (mut beat, mut last) = (0, Instant::now());
        context.run_interval(PERIOD, move |pulse, _| {
            let late = last.elapsed().saturating_sub(PERIOD);
            (beat, last) = (beat + 1, Instant::now());
            let measurement = Measurement::new("example", "pulse").field("beat", beat);
            pulse.0.do_send(measurement.field("late", late));
            if beat == 10 {
                System::current().stop();
            }
        });
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url()))?;
    let guard = influx.guard(Duration::from_secs(5)); // delivers the rest, however `main` ends
    let system = System::new();
    system.block_on(async { Pulse(influx.addr().recipient()).start() });
    system.run()?;
    drop(guard);
    println!("{}", influx.stats());
    Ok(ExitCode::from(u8::from(fake.count("example") != 10)))
}
