//! Two scopes, each with its own middleware that records to its own database.

mod demo;

use std::error::Error;

use actix_influxdb::{Database, InfluxMetrics, Placement};
use actix_web::{App, HttpServer, http::Method, web};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let demo = demo::Demo::start()?;
    let shop = InfluxMetrics::new(&demo.influx, "shop").measurement("visits");
    // Kept as long as its retention policy says. With few administrators, a tag for each is fine.
    let audit = Database::new("audit").retention_policy("ten_years");
    let audit = InfluxMetrics::new(&demo.influx, audit).remote_ip(Placement::Tag);
    let app = move || {
        let item = web::resource("/items/{id}").get(async || "a kettle");
        let user = web::resource("/users/{id}").delete(async || "gone");
        App::new()
            .service(web::scope("/shop").service(item).wrap(shop.clone()))
            .service(web::scope("/admin").service(user).wrap(audit.clone()))
    };
    let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let requests = [
        (Method::GET, "/shop/items/1"),
        (Method::GET, "/shop/items/2"),
        (Method::DELETE, "/admin/users/7"),
    ];
    demo.visit(server.run(), address, &requests).await
}
