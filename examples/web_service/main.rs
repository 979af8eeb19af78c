//! A web service whose requests are measured by `InfluxMetrics`, and whose machine is measured by
//! an actor.
//!
//! This file shows how a service uses the library; the others implement the service.

mod args;
mod arrived;
mod ask;
mod demo;
mod happenings;
mod page;
mod promises;
mod report;
mod routes;
mod sampler;
#[path = "../demo/second_signal.rs"]
mod second_signal;
mod target;

use std::{error::Error, process::ExitCode, time::Duration};

use actix::Actor as _;
use actix_influxdb::{Influx, InfluxMetrics};
use actix_web::{App, HttpServer, web::Data};
use clap::Parser as _;

use crate::{
    args::Args,
    happenings::Happenings,
    page::Live,
    promises::Promises,
    report::Reporter,
    sampler::{Sampler, Stop},
    target::Target,
};

/// The measurement of the requests.
const REQUESTS: &str = "my-service";

/// Maximum time for open requests at the end, and then for pending measurements, in seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWERS: u64 = 5;

#[actix_web::main]
async fn main() -> ExitCode {
    let levels = env_logger::Env::default().default_filter_or("warn,actix_influxdb=info");
    env_logger::init_from_env(levels);
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web_service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    second_signal::ends_at_once()?;
    let listener = args.listen()?;
    let url = format!("http://{}", listener.local_addr()?);

    // 1. Delivery runs on its own thread. The guard delivers pending measurements however this
    // function ends, also after an error or a panic.
    let (config, target) = Target::from_env()?;
    let influx = Influx::start(config)?;
    let _guard = influx.guard(PATIENCE);
    target.announce(&influx, &args.database);

    // 2. The middleware measures requests; as the outermost one it measures all of them.
    let metrics = InfluxMetrics::new(&influx, args.database.clone())
        .measurement(REQUESTS)
        // Requests of the page itself are not recorded.
        .exclude_regex("^/(page|live)/");
    let happenings = Happenings::default();
    influx.subscribe(happenings.clone().start().recipient());
    let promises = Data::new(Promises::new(&influx, &target, &args.database, &url));
    let live = Live::start(
        &influx,
        &target,
        &args.database,
        promises.clone(),
        happenings,
    )?;
    let live = Data::new(live);
    let app = move || {
        App::new()
            .app_data(promises.clone())
            .app_data(live.clone())
            .configure(page::configure)
            .configure(routes::configure)
            .wrap(metrics.clone())
    };
    let server = HttpServer::new(app)
        // Otherwise actix-web detects only after the handler that the client has disconnected.
        .h1_allow_half_closed(false)
        // The default is 30 s, the whole grace period of Kubernetes.
        .shutdown_timeout(ANSWERS)
        .listen(listener)?
        .run();

    // 3. Any actor can send measurements.
    let sampler = Sampler::new(&args.database, influx.addr().recipient()).start();
    Reporter::new(&influx, &target).start();

    println!("The live page is {url}; Ctrl-C ends it, a second one at once.");
    let answered = match args.demo_seconds {
        None => server.await.map(|()| 0).map_err(Into::into),
        Some(seconds) => demo::run(&url, Duration::from_secs(seconds), server).await,
    };

    // 4. At the end, first everything that records stops, then delivery.
    sampler.send(Stop).await?;
    println!("Delivering what is pending, for {PATIENCE:?} at most.");
    let stats = influx.shutdown(PATIENCE).await.stats;
    target.print_requests();
    println!("{stats}");
    match (args.demo_seconds, answered?) {
        (None, _) => Ok(()),
        (Some(_), answered) => {
            let stored = target.stored().map(|(_, requests)| requests);
            demo::check(&stats, answered, stored)
        }
    }
}
