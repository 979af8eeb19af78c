//! Common parts of the middleware examples: an InfluxDB, a client, and a check of what arrived.

mod second_signal;

use std::{env, error::Error, net::SocketAddr, time::Duration};

use actix_influxdb::{Config, Influx, testing::FakeInflux};
use actix_web::{dev::Server, http::Method, rt};

/// Delivery to the InfluxDB of `INFLUXDB_URL`, or without it to a fake one in this process.
pub struct Demo {
    pub influx: Influx,
    fake: Option<FakeInflux>,
}

impl Demo {
    pub fn start() -> Result<Self, Box<dyn Error>> {
        second_signal::ends_at_once()?;
        let mut config = Config::from_env()?;
        let is_set = env::var_os("INFLUXDB_URL").is_some_and(|url| !url.is_empty());
        let fake = (!is_set).then(FakeInflux::start);
        if let Some(fake) = &fake {
            config = config.url(fake.url());
        }
        let influx = Influx::start(config)?;
        Ok(Self { influx, fake })
    }

    /// Sends requests to the service, ends it and then delivery, and prints the points that
    /// arrived. Returns an error if any is missing.
    pub async fn visit(
        self,
        service: Server,
        address: SocketAddr,
        requests: &[(Method, &str)],
    ) -> Result<(), Box<dyn Error>> {
        let handle = service.handle();
        rt::spawn(service);
        for (method, path) in requests {
            let url = format!("http://{address}{path}");
            let request = awc::Client::default().request(method.clone(), url);
            let request = request.insert_header(("x-correlation-id", "demo-1"));
            println!("{method} {path}: {}", request.send().await?.status());
        }
        handle.stop(true).await;
        let stats = self.influx.shutdown(Duration::from_secs(5)).await.stats;
        if let Some(fake) = &self.fake {
            for database in fake.databases() {
                let points = fake.points(&database).into_iter();
                points.for_each(|point| println!("arrived in {database}: {}", point.line));
            }
        }
        println!("{stats}");
        match stats.written == stats.recorded {
            true => Ok(()),
            false => Err("not all was delivered".into()),
        }
    }
}
