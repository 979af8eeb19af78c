//! Where the measurements go: to the InfluxDB of the environment, or into this process.

use std::{env, rc::Rc, time::Duration};

use actix_influxdb::{Config, ConfigError, Influx, PingError, testing::FakeInflux};

use crate::{REQUESTS, report};

const ADDRESS: [&str; 3] = ["INFLUXDB_URL", "INFLUXDB_HOST", "INFLUXDB_PORT"];
const INTERVAL: &str = "INFLUXDB_INTERVAL";

/// What stands in for an InfluxDB, if none is set.
#[derive(Clone)]
pub struct Target(Option<Rc<FakeInflux>>);

impl Target {
    pub fn from_env() -> Result<(Config, Self), ConfigError> {
        let config = Config::from_env()?;
        if ADDRESS.into_iter().any(is_set) {
            return Ok((config, Self(None)));
        }
        let fake = FakeInflux::start();
        let mut config = config.url(fake.url());
        if !is_set(INTERVAL) {
            config = config.interval(Duration::from_secs(1));
        }
        Ok((config, Self(Some(Rc::new(fake)))))
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
                Ok(server) => {
                    let version = server.version.unwrap_or("of unknown version".to_owned());
                    let url = server.url;
                    println!("Writing to {url} (InfluxDB {version}), database {database}.");
                }
                Err(error @ PingError::Stopped) => println!("Writing nowhere: {error}."),
                Err(error) => println!("{error}. Measurements are kept until it takes them."),
            }
        });
    }

    /// How many points it has of each measurement, as text. Nothing, if it isn't ours to ask.
    pub fn contents(&self, database: &str) -> Option<String> {
        let fake = self.0.as_ref()?;
        Some(fake.view(|view| report::count(view.points(database))))
    }

    /// How many requests it has. Nothing, if it isn't ours to ask.
    pub fn stored(&self, database: &str) -> Option<usize> {
        let fake = self.0.as_ref()?;
        let is_request = |name: &str| name == REQUESTS;
        Some(fake.view(|view| {
            let points = view.points(database);
            points
                .filter(|point| is_request(&point.measurement))
                .count()
        }))
    }

    /// Prints what it has of the requests.
    pub fn print_requests(&self, database: &str) {
        if let Some(fake) = &self.0 {
            print!("{}", fake.view(|view| report::table(view.points(database))));
        }
    }
}

/// As the library sees it, to which an empty variable is absent.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}
