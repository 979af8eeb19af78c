//! A service with options of `InfluxMetrics`, with five requests, two of which are not recorded.

mod demo;

use std::error::Error;

use actix_influxdb::{InfluxMetrics, Placement};
use actix_web::{App, HttpServer, http::Method, web};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let demo = demo::Demo::start()?;
    let metrics = InfluxMetrics::new(&demo.influx, "example")
        .measurement("my-service")
        .tag("version", env!("CARGO_PKG_VERSION"))
        .remote_ip(Placement::Omit)
        .correlation_id("x-correlation-id", Placement::Field)
        .exclude("/health")
        .exclude_regex(r"\.(css|svg)$")
        .customize(|_request, response, measurement| {
            if let Some(error) = response.error() {
                measurement.set_field("error", error.to_string());
            }
        });
    let app = move || {
        let user = async |id: web::Path<u32>| format!("user {id}");
        App::new()
            .route("/users/{id}", web::get().to(user))
            .wrap(metrics.clone()) // last, so that it is outermost and sees what all others do
    };
    // Detects a client that closes its connection while its handler is running.
    let server = HttpServer::new(app).h1_allow_half_closed(false);
    let server = server.bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let paths = ["/users/7", "/users/x", "/else", "/health", "/style.css"];
    let requests = paths.map(|path| (Method::GET, path));
    demo.visit(server.run(), address, &requests).await
}
