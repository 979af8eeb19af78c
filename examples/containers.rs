//! A service that ends within the ten seconds that `docker stop` leaves it (Kubernetes: thirty), with
//! all requests answered and all measurements delivered. docs/containers.md has the arithmetic.

#[path = "demo/second_signal.rs"]
mod second_signal;

use std::{env, error::Error, time::Duration};

use actix_influxdb::{Config, Influx, InfluxMetrics};
use actix_web::{App, HttpServer, web};

/// Seconds for requests that are being answered; actix-web's own default is 30.
const REQUESTS: u64 = 4;
/// Seconds for pending measurements after that. Both together must be below 10.
const MEASUREMENTS: u64 = 4;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    second_signal::ends_at_once()?;
    let influx = Influx::start(Config::from_env()?)?;
    let _guard = influx.guard(Duration::from_secs(MEASUREMENTS)); // dropped after the server's end
    let metrics = InfluxMetrics::new(&influx, "example");
    let app = move || {
        App::new()
            .route("/", web::get().to(async || "hello\n"))
            .wrap(metrics.clone())
    };
    let server = HttpServer::new(app)
        .shutdown_timeout(REQUESTS)
        .bind(env::var("LISTEN").unwrap_or("0.0.0.0:8080".to_owned()))?;
    println!("listening on {}", server.addrs()[0]);
    Ok(server.run().await?)
}
