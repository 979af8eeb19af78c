//! Where the measurements go: to the InfluxDB of the environment, or into this process.

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

/// What stands in for an InfluxDB, if none is set.
#[derive(Clone)]
pub struct Target(Option<Arc<Fake>>);

/// A server in this process. Its lines are taken out, counted and forgotten.
pub struct Fake {
    pub server: FakeInflux,
    arrived: Mutex<Arrived>,
}

impl Fake {
    /// Looks at what has arrived since the last time.
    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        // Under the lock: no line is in neither.
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
            // Nobody wants to watch a longer pause.
            config = config.max_retry_delay(Duration::from_secs(2));
        }
        let arrived = Mutex::default();
        Ok((config, Self(Some(Arc::new(Fake { server, arrived })))))
    }

    /// The server, if it is in this process.
    pub fn fake(&self) -> Option<&Arc<Fake>> {
        self.0.as_ref()
    }

    /// Says where the measurements go, and whether somebody is there.
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
                Err(error) => println!("{error}. Measurements are kept until it takes them."),
            }
        });
    }

    /// How many points and requests have arrived. Nothing, if it isn't ours to ask.
    pub fn stored(&self) -> Option<(u64, usize)> {
        let mut arrived = self.0.as_ref()?.arrived();
        let points = arrived.figures(Instant::now()).points;
        Some((points, arrived.table.requests()))
    }

    /// Prints what it has of the requests.
    pub fn print_requests(&self) {
        if let Some(fake) = &self.0 {
            print!("{}", fake.arrived().table);
        }
    }
}

/// As the library sees it, to which an empty variable is absent.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}
