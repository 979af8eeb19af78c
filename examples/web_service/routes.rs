//! Routes of the service for the page's links.

use std::{convert::Infallible, time::Duration};

use actix_influxdb::RequestMeasurement;
use actix_web::{
    HttpResponse, Responder, ResponseError, get,
    rt::time::sleep,
    web::{Bytes, Path, ServiceConfig},
};
use futures_util::{StreamExt as _, stream};

pub fn configure(service: &mut ServiceConfig) {
    service
        .service(user)
        .service(slow)
        .service(fail)
        .service(count);
}

#[get("/users/{id}")]
async fn user(id: Path<u32>, measurement: RequestMeasurement) -> impl Responder {
    // There are two plans: a tag. An id has unlimited values, so it would be a field.
    measurement.set_tag("plan", if *id < 8 { "free" } else { "paid" });
    format!("user {id}\n")
}

#[get("/slow")]
async fn slow() -> impl Responder {
    sleep(Duration::from_millis(500)).await;
    "sorry for the wait\n"
}

#[derive(Debug, derive_more::Display)]
#[display("the kitchen is on fire")]
struct OnFire;

/// Answers with 500.
impl ResponseError for OnFire {}

#[get("/fail")]
async fn fail() -> Result<&'static str, OnFire> {
    Err(OnFire)
}

/// Counts to ten in a second, and records the last number.
#[get("/count")]
async fn count(measurement: RequestMeasurement) -> impl Responder {
    let numbers = stream::iter(1..=10).then(move |number| {
        let measurement = measurement.clone();
        async move {
            sleep(Duration::from_millis(100)).await;
            measurement.set_field("counted", number);
            Ok::<_, Infallible>(Bytes::from(format!("{number}\n")))
        }
    });
    HttpResponse::Ok().streaming(numbers)
}
