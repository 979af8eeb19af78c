//! A service whose `/healthz` shows whether measurements arrive, and succeeds in any case: while its
//! database is down the service is alive, and a restart would lose pending measurements.

use std::{error::Error, time::Duration};

use actix_influxdb::{Config, Influx, InfluxMetrics, testing::FakeInflux};
use actix_web::{App, HttpResponse, HttpServer, rt, web};

/// Needs the feature `serde`. Without it, `influx.health().to_string()` is one line of text.
async fn healthz(influx: web::Data<Influx>) -> HttpResponse {
    HttpResponse::Ok().json(influx.health())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let fake = FakeInflux::start();
    fake.refuse(); // nobody listens there for now
    let influx = Influx::start(Config::v1(fake.url()))?;
    let _guard = influx.guard(Duration::from_secs(5));
    let metrics = InfluxMetrics::new(&influx, "example").exclude("/healthz");
    let data = web::Data::new(influx.clone());
    let app = move || {
        App::new()
            .app_data(data.clone())
            .route("/", web::get().to(async || "hello\n"))
            .route("/healthz", web::get().to(healthz))
            .wrap(metrics.clone())
    };
    let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
    let url = format!("http://{}", server.addrs()[0]);
    rt::spawn(server.run());

    awc::Client::default()
        .get(&url)
        .send()
        .await?
        .body()
        .await?;
    for when in ["while the database is away", "when it is back"] {
        influx.flush(Duration::from_secs(2)).await;
        let mut answer = awc::Client::default()
            .get(format!("{url}/healthz"))
            .send()
            .await?;
        let body = String::from_utf8(answer.body().await?.to_vec())?;
        println!("{when}: {}\n{body}", answer.status());
        fake.accept_again();
    }
    Ok(())
}
