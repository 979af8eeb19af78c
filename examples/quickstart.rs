//! Records two measurements and waits for their delivery: to the InfluxDB of `INFLUXDB_URL`, or
//! of `INFLUXDB_HOST` and `INFLUXDB_PORT`, or without these to a fake one in this process.

use std::{env, error::Error, process::ExitCode, time::Duration};

use actix_influxdb::{Config, Influx, Measurement, testing::FakeInflux};

#[actix::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("warn"));
    let mut config = Config::from_env()?;
    let is_set = |variable: &&str| env::var(variable).is_ok_and(|value| !value.is_empty());
    let address = ["INFLUXDB_URL", "INFLUXDB_HOST", "INFLUXDB_PORT"];
    let fake = (!address.iter().any(is_set)).then(FakeInflux::start);
    if let Some(fake) = &fake {
        println!("INFLUXDB_URL is not set: using a FakeInflux inside this program");
        config = config.url(fake.url());
    }

    let influx = Influx::start(config)?;
    let login = Measurement::new("example", "login").tag("method", "oauth");
    influx.record(login.field("ms", 12.5).field("user", "ada"))?;
    let mut sort = Measurement::new("example", "sort").field("items", 50_000);
    sort.time("seconds", |_| {
        (0..50_000).rev().collect::<Vec<i32>>().sort()
    });
    influx.record(sort)?;

    // Without `flush`, it is sent when 5,000 are buffered, or after 10 s.
    influx.flush(Duration::from_secs(5)).await;
    for point in fake.iter().flat_map(|fake| fake.points("example")) {
        println!("arrived: {}", point.line);
    }

    let stats = influx.shutdown(Duration::from_secs(5)).await.stats;
    println!("{stats}");
    Ok(ExitCode::from(u8::from(stats.written != stats.recorded)))
}
