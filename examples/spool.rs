//! Survives an outage and a restart: measurements that can't be delivered are kept in a folder, and the
//! next process delivers them. Run with `INFLUXDB_URL`, or without for a fake InfluxDB in this process.

use std::{env, error::Error, time::Duration};

use actix_influxdb::{Config, Influx, Measurement, Overflow, testing::FakeInflux};

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("warn"));
    let fake = FakeInflux::start();
    let url = env::var("INFLUXDB_URL").unwrap_or_else(|_| fake.url());
    let folder = env::temp_dir().join(format!("actix-influxdb-spool-{}", std::process::id()));
    let config = Config::v1(url)
        .spool_dir(&folder)
        .overflow(Overflow::Spool) // when the buffer is full, the oldest go to disk
        .write_ahead(true) // a process that is killed loses at most one second
        .spool_max_bytes(1 << 30);

    // The server is down, and the process ends.
    fake.refuse();
    let influx = Influx::start(config.clone())?;
    for number in 0..1_000 {
        influx.record(Measurement::new("example", "work").field("number", number))?;
    }
    let report = influx.shutdown(Duration::from_secs(10)).await;
    println!("the first process: {report}");

    // The next one finds them.
    fake.accept_again();
    let influx = Influx::start(config)?;
    influx.flush(Duration::from_secs(10)).await;
    let report = influx.shutdown(Duration::from_secs(10)).await;
    println!("the next process: {report}");
    std::fs::remove_dir_all(&folder)?;
    assert_eq!(report.stats.pending, 0);
    Ok(())
}
