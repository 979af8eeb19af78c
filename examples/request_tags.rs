//! A handler adds tags and fields to the measurement of its request.

mod demo;

use std::{error::Error, time::Duration};

use actix_influxdb::{InfluxMetrics, RequestMeasurement};
use actix_web::{App, HttpServer, http::Method, rt::time::sleep, web};

async fn orders(customer: web::Path<u32>, measurement: RequestMeasurement) -> String {
    // Few values: a tag, to group by.
    measurement.set_tag("tier", if *customer < 100 { "gold" } else { "standard" });
    let rows = {
        let _timer = measurement.timer("query"); // a field: seconds, until it is dropped
        sleep(Duration::from_millis(20)).await;
        *customer % 7
    };
    measurement.set_field("rows", rows);
    if rows == 0 {
        measurement.skip(); // not of interest
    }
    format!("{rows} orders\n")
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let demo = demo::Demo::start()?;
    let metrics = InfluxMetrics::new(&demo.influx, "example");
    let app = move || {
        App::new()
            .route("/orders/{customer}", web::get().to(orders))
            .wrap(metrics.clone())
    };
    let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let requests = ["/orders/12", "/orders/345", "/orders/14"].map(|path| (Method::GET, path));
    demo.visit(server.run(), address, &requests).await
}
