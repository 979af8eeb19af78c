//! Destination of the measurements: the InfluxDB of the environment, or one in this process.

use std::{
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_influxdb::{Config, ConfigError, Influx, PingError, ServerInfo, testing::FakeInflux};

use crate::arrived::{Arrived, Figures};

const ADDRESS: [&str; 3] = ["INFLUXDB_URL", "INFLUXDB_HOST", "INFLUXDB_PORT"];
const INTERVAL: &str = "INFLUXDB_INTERVAL";
const MAX_RETRY_DELAY: &str = "INFLUXDB_MAX_RETRY_DELAY";

/// Replacement for an InfluxDB, if none is set.
#[derive(Clone)]
pub struct Target(Option<Arc<Fake>>);

/// A server in this process. Its lines are removed, counted and discarded.
pub struct Fake {
    pub server: FakeInflux,
    arrived: Mutex<Arrived>,
}

impl Fake {
    /// Counts the lines that have arrived since the last call.
    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        // Under the lock, so that every line is counted once.
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = self.server.take();
        arrived.add(lines.values().flatten(), Instant::now());
        arrived
    }

    pub fn figures(&self) -> Figures {
        self.arrived().figures(Instant::now())
    }
}

impl Target {
    pub fn from_env() -> Result<(Config, Self), ConfigError> {
        let mut config = Config::from_env()?;
        if ADDRESS.into_iter().any(is_set) {
            return Ok((config, Self(None)));
        }
        let server = FakeInflux::start();
        config = config.url(server.url());
        if !is_set(INTERVAL) {
            config = config.interval(Duration::from_secs(1));
        }
        if !is_set(MAX_RETRY_DELAY) {
            // A longer pause would be tedious.
            config = config.max_retry_delay(Duration::from_secs(2));
        }
        let arrived = Mutex::default();
        Ok((config, Self(Some(Arc::new(Fake { server, arrived })))))
    }

    /// The server, if it runs in this process.
    pub fn fake(&self) -> Option<&Arc<Fake>> {
        self.0.as_ref()
    }

    /// Prints the destination, and whether the server answers.
    pub fn announce(&self, influx: &Influx, database: &str) {
        if self.0.is_some() {
            println!("No INFLUXDB_URL is set: writing to a FakeInflux inside this program.");
            return;
        }
        let (influx, database) = (influx.clone(), database.to_owned());
        actix_web::rt::spawn(async move {
            match influx.ping().await {
                Ok(ServerInfo {
                    url,
                    product,
                    version,
                    ..
                }) => {
                    let version = version.unwrap_or("of unknown version".to_owned());
                    println!("Writing to {url} ({product} {version}), database {database}.");
                }
                Err(error @ PingError::Stopped) => println!("Writing nowhere: {error}."),
                Err(error) => println!("{error}. Measurements are kept until it accepts them."),
            }
        });
    }

    /// Number of points and requests that have arrived; `None` for a real server.
    pub fn stored(&self) -> Option<(u64, usize)> {
        let mut arrived = self.0.as_ref()?.arrived();
        let points = arrived.figures(Instant::now()).points;
        Some((points, arrived.table.requests()))
    }

    /// Prints the requests.
    pub fn print_requests(&self) {
        if let Some(fake) = &self.0 {
            print!("{}", fake.arrived().table);
        }
    }
}

/// A variable as the library reads it: an empty one is absent.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}
