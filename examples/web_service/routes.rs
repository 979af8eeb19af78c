//! What the service serves: a page of links, and something behind each.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpResponse, Responder, ResponseError, get,
    rt::time::sleep,
    web::{Bytes, Html, Path, ServiceConfig},
};
use futures_util::{StreamExt as _, stream};

pub fn configure(service: &mut ServiceConfig) {
    service
        .service(index)
        .service(user)
        .service(slow)
        .service(fail)
        .service(count);
}

#[get("/")]
async fn index() -> impl Responder {
    Html::new(include_str!("index.html"))
}

#[get("/users/{id}")]
async fn user(id: Path<u32>) -> impl Responder {
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

/// Answered with 500.
impl ResponseError for OnFire {}

#[get("/fail")]
async fn fail() -> Result<&'static str, OnFire> {
    Err(OnFire)
}

/// Counts to ten in a second.
#[get("/count")]
async fn count() -> impl Responder {
    let numbers = stream::iter(1..=10).then(async |number| {
        sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(Bytes::from(format!("{number}\n")))
    });
    HttpResponse::Ok().streaming(numbers)
}
