//! Many users at once, whose requests end in all ways, on one worker: each measurement is of one
//! user only.

use std::{future, rc::Rc, thread};

use actix_influxdb::{InfluxMetrics, MeasuredRequest as _, RequestMeasurement};
use actix_web::{
    App, HttpRequest, HttpResponse,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    error,
    middleware::{Next, from_fn},
    rt,
    web::{self, Bytes, ServiceConfig},
};
use futures_util::{Stream, StreamExt as _, future::join_all, stream};
use tokio::sync::Notify;

use crate::{
    client::Client,
    http2,
    identity::tagging,
    service::{DATABASE, Service},
};

/// So many users, each with a thread or a connection of HTTP/2, and so many requests of each kind.
const USERS: usize = 6;
const ROUNDS: usize = 40;

/// The user of a request, as the client says.
fn user(request: &HttpRequest) -> String {
    let id = request.headers().get("x-request-id").unwrap();
    id.to_str().unwrap().to_owned()
}

thread_local! {
    /// Lets go of those that wait.
    static WAITING: Rc<Notify> = Rc::default();
}

/// Tags the measurement and drops its request, then waits until another one comes by.
async fn drop_and_wait(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    if request.path() != "/in/dropped" {
        return next.call(request).await;
    }
    let measurement = request.measurement().unwrap();
    measurement.set_tag("user", user(request.request()));
    drop(request);
    let waiting = WAITING.with(Rc::clone);
    waiting.notified().await;
    Err(error::ErrorTooManyRequests("dropped"))
}

fn tag(request: &HttpRequest) -> RequestMeasurement {
    let measurement = request.measurement().unwrap();
    measurement.set_tag("user", user(request));
    measurement
}

/// A body that adds to its request's measurement as it goes.
fn chunks(request: HttpRequest) -> impl Stream<Item = actix_web::Result<Bytes>> {
    let user = user(&request);
    let measurement = tag(&request);
    stream::iter(0..20).map(move |_| {
        measurement.set_field("streamed_to", user.clone());
        Ok(Bytes::from_static(b"chunk"))
    })
}

fn inside(app: &mut ServiceConfig) {
    app.route(
        "/whole",
        web::get().to(async |request: HttpRequest| {
            rt::task::yield_now().await;
            tag(&request);
            "whole"
        }),
    );
    app.route(
        "/stream",
        web::get().to(async |request: HttpRequest| HttpResponse::Ok().streaming(chunks(request))),
    );
    app.route(
        "/endless",
        web::get().to(async |request: HttpRequest| {
            HttpResponse::Ok().streaming(chunks(request).chain(stream::pending()))
        }),
    );
    // HTTP/2 notices no reset before there is a head.
    app.route(
        "/slow",
        web::get().to(async |request: HttpRequest| {
            tag(&request);
            for _ in 0..20 {
                rt::task::yield_now().await;
            }
            "at last"
        }),
    );
    app.route(
        "/waits",
        web::get().to(async |request: HttpRequest| {
            tag(&request);
            future::pending::<&str>().await
        }),
    );
    app.route(
        "/panics",
        web::get().to(async |request: HttpRequest| -> &str {
            rt::task::yield_now().await;
            tag(&request);
            panic!("as planned")
        }),
    );
    app.route(
        "/refused/{number}",
        web::get().to(async |request: HttpRequest, _: web::Path<u32>| {
            tag(&request);
            ""
        }),
    );
}

/// Looks in vain, and lets one go that waits.
async fn outside(request: HttpRequest) -> &'static str {
    let answer = tagging(request).await;
    rt::task::yield_now().await;
    WAITING.with(|waiting| waiting.notify_one());
    answer
}

fn ask(path: &str, user: usize) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: user-{user}\r\n\r\n")
}

fn is_not_measured(client: &mut Client, user: usize) {
    let response = client.send(ask("/out", user)).response(true);
    assert_eq!(response.body, b"not measured");
}

/// A user of HTTP/1.1, with connections that end in all ways.
fn use_connections(service: &Service, user: usize) {
    let mut out = service.connect();
    for round in 0..ROUNDS {
        let mut dropped = service.connect();
        dropped.send(ask("/in/dropped", user));
        is_not_measured(&mut out, user);

        let mut waits = service.connect();
        waits.send(ask("/in/waits", user));
        is_not_measured(&mut out, user);

        let mut streams = service.connect();
        streams.send(ask("/in/endless", user)).read_until(b"chunk");
        let mut panics = service.connect();
        panics.send(ask("/in/panics", user));
        is_not_measured(&mut out, user);

        // A pipeline, of which the client reads all or nothing.
        let pipeline = ["/in/whole", "/out", "/in/refused/x", "/in/whole", "/out"];
        let mut pipelined = service.connect();
        pipelined.send(pipeline.map(|path| ask(path, user)).concat());
        match round % 2 {
            0 => pipelined.vanish(),
            _ => {
                for path in pipeline {
                    let body = pipelined.response(true).body;
                    assert!(path != "/out" || body == b"not measured");
                }
            }
        }
        waits.vanish();
        streams.vanish();
        panics.read_to_end();
        match round % 3 {
            0 => dropped.vanish(),
            _ => {
                let mut waiting = true;
                while waiting {
                    // Others may have let another one go with what was meant for this one.
                    is_not_measured(&mut out, user);
                    waiting = !dropped.has_response();
                }
            }
        }
    }
}

/// A user of HTTP/2, with many streams at once.
async fn use_streams(service: &Service, user: usize) {
    let client = http2::connect(service).await;
    for _ in 0..ROUNDS {
        let paths = [
            "/in/whole",
            "/out",
            "/in/refused/x",
            "/in/stream",
            "/in/slow",
        ];
        let streams = paths.iter().cycle().take(40).map(|path| {
            let mut client = client.clone();
            async move {
                let mut request = http2::request("GET", path);
                let value = http::HeaderValue::from_str(&format!("user-{user}"));
                request.headers_mut().insert("x-request-id", value.unwrap());
                client = client.ready().await.unwrap();
                let (response, _) = client.send_request(request, true).unwrap();
                match *path {
                    "/in/slow" => drop(response),
                    "/in/stream" => _ = response.await.unwrap(),
                    "/out" => {
                        let body = http2::body(response.await.unwrap()).await;
                        assert_eq!(body, b"not measured");
                    }
                    _ => _ = http2::body(response.await.unwrap()).await,
                }
            }
        });
        join_all(streams).await;
    }
}

#[test]
fn each_point_has_its_own_users_tags_whatever_becomes_of_other_requests() {
    let service = Service::start_app(|influx| {
        let metrics = InfluxMetrics::new(influx, DATABASE);
        move || {
            let measured = web::scope("/in")
                .configure(inside)
                .wrap(from_fn(drop_and_wait))
                .wrap(metrics.clone());
            App::new()
                .service(measured)
                .route("/out", web::get().to(outside))
        }
    });
    thread::scope(|scope| {
        for user in 0..USERS {
            let service = &service;
            scope.spawn(move || match user % 3 {
                0 => rt::System::new().block_on(use_streams(service, user)),
                _ => use_connections(service, user),
            });
        }
    });
    let points = service.finish();
    let mut untagged = 0;
    for point in &points {
        let own = point.field("correlation_id").and_then(|id| id.as_str());
        match point.tag("user") {
            Some(user) => assert_eq!(Some(user), own, "{point:?}"),
            // It ended before its handler began.
            None => {
                let is_refused = point.tag("endpoint") == Some("/in/refused/{number}");
                assert!(
                    is_refused || point.tag("outcome") == Some("aborted"),
                    "{point:?}"
                );
                untagged += 1;
            }
        }
        if let Some(user) = point.field("streamed_to") {
            assert_eq!(user.as_str(), own, "{point:?}");
        }
    }
    assert!(
        untagged < points.len() / 2,
        "{untagged} of {}",
        points.len()
    );
}
