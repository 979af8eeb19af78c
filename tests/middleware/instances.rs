use actix_influxdb::{InfluxMetrics, MeasuredRequest as _, RequestMeasurement};
use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web,
};

use crate::{
    expect::{answered, check},
    service::{DATABASE, Service},
};

#[test]
fn a_request_that_two_of_them_wrap_is_two_measurements_and_its_handler_adds_to_the_inner_one() {
    let service = Service::start_influx(|influx| {
        let inner = InfluxMetrics::new(influx, "billing").measurement("billed");
        let routes = move |app: &mut web::ServiceConfig| {
            let handler = async |m: RequestMeasurement| {
                m.set_tag("tier", "gold");
                "ok"
            };
            app.service(
                web::scope("/billing")
                    .wrap(inner.clone().exclude("/billing/free"))
                    .route("/{id}", web::get().to(handler)),
            );
            app.route("/else", web::get().to(handler));
        };
        (InfluxMetrics::new(influx, DATABASE), routes)
    });
    let mut client = service.connect();
    for target in ["/billing/1", "/billing/free", "/else"] {
        assert_eq!(client.get(target).status, 200);
    }
    let [all, billing] = service.finish_in([DATABASE, "billing"]).try_into().unwrap();
    let plain = answered("GET", "/billing/{id}", 200, "ok", 2);
    let elsewhere = answered("GET", "/else", 200, "ok", 2).tag("tier", "gold");
    check(&all, &[plain.clone(), plain.clone(), elsewhere]);
    let mut billed = plain.tag("tier", "gold");
    billed.measurement = "billed";
    check(&billing, &[billed]);
}

#[test]
fn a_resource_can_be_wrapped_alone() {
    let service = Service::start_influx(|influx| {
        let inner = InfluxMetrics::new(influx, "one");
        let routes = move |app: &mut web::ServiceConfig| {
            let one = web::resource("/one/{id}").wrap(inner.clone());
            app.service(one.get(async || "one"));
            app.route("/two", web::get().to(async || "two"));
        };
        (
            InfluxMetrics::new(influx, DATABASE).exclude("/one/1"),
            routes,
        )
    });
    let mut client = service.connect();
    client.get("/one/1");
    client.get("/two");
    let [all, one] = service.finish_in([DATABASE, "one"]).try_into().unwrap();
    check(&all, &[answered("GET", "/two", 200, "ok", 3)]);
    check(&one, &[answered("GET", "/one/{id}", 200, "ok", 3)]);
}

async fn between<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    request.measurement().unwrap().set_tag("way", "in");
    let response = next.call(request).await?;
    let measurement = response.request().measurement();
    measurement.unwrap().set_field("back", true);
    Ok(response)
}

#[test]
fn a_middleware_between_two_of_them_adds_to_the_outer_one() {
    let service = Service::start_influx(|influx| {
        let inner = InfluxMetrics::new(influx, "inner");
        let routes = move |app: &mut web::ServiceConfig| {
            app.service(
                web::resource("/x")
                    .wrap(inner.clone())
                    .wrap(from_fn(between))
                    .get(async || "ok"),
            );
        };
        (InfluxMetrics::new(influx, DATABASE), routes)
    });
    service.connect().get("/x");
    let [outer, inner] = service.finish_in([DATABASE, "inner"]).try_into().unwrap();
    let expected = answered("GET", "/x", 200, "ok", 2);
    check(&inner, std::slice::from_ref(&expected));
    check(&outer, &[expected.tag("way", "in").field("back", true)]);
}
