//! Whose measurement a request's is: its own, whatever becomes of other requests meanwhile, and
//! wherever actix-web puts it in memory.

use std::{cell::RefCell, future, rc::Rc, thread};

use actix_influxdb::{MeasuredRequest as _, RequestMeasurement};
use actix_web::{
    App, HttpMessage as _, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Service as _, ServiceRequest, ServiceResponse},
    error, http,
    middleware::{Next, from_fn},
    rt,
    test::{call_and_read_body, init_service},
    web::{self, Bytes, ServiceConfig},
};
use futures_util::{Stream, StreamExt as _, future::join_all, stream};
use tokio::sync::Notify;

use crate::{
    client::Client,
    expect::{answered, check, unanswered},
    http2,
    in_process::{self, Recorder, get},
    service::{DATABASE, Service},
};

/// A middleware that is done with its request long before it answers.
async fn let_go(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    if request.path().ends_with("dropped") {
        request.measurement().unwrap().set_tag("user", "let go");
        drop(request);
        return future::pending().await;
    }
    next.call(request).await
}

/// Adds a tag if it can, and says so.
async fn tagging(request: HttpRequest) -> &'static str {
    match request.measurement() {
        Some(measurement) => {
            measurement.set_tag("user", "stranger");
            "measured"
        }
        None => "not measured",
    }
}

#[actix_web::test]
async fn a_request_that_was_dropped_lends_its_measurement_to_no_other_in_its_memory() {
    let recorder = Recorder::start();
    let inside = web::scope("/in")
        .route("/other", web::get().to(tagging))
        .wrap(from_fn(let_go))
        .wrap(recorder.metrics());
    let app = App::new()
        .service(inside)
        .route(
            "/needs",
            web::get().to(async |_: RequestMeasurement| "never"),
        )
        .route("/may", web::get().to(tagging));
    let app = init_service(app).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut call = Box::pin(app.call(get("/in/dropped").to_request()));
        assert!(in_process::waits(call.as_mut()));
        waiting.push(call);
        // Both are in the memory that the dropped one had.
        let response = call_and_read_body(&app, get("/may").to_request()).await;
        assert_eq!(response, "not measured");
        let (status, body) = in_process::finish(&app, get("/needs")).await;
        assert_eq!(status, 500);
        assert!(
            str::from_utf8(&body.unwrap())
                .unwrap()
                .contains("no InfluxMetrics")
        );
        let response = call_and_read_body(&app, get("/in/other").to_request()).await;
        assert_eq!(response, "measured");
    }
    drop(waiting);
    let mut points = recorder.finish().await;
    points.sort_by_key(|point| point.tag("status_code") == Some("499"));
    let other = answered("GET", "/in/other", 200, "ok", 8).tag("user", "stranger");
    let dropped = unanswered("GET", "unmatched", 499, "aborted").tag("user", "let go");
    check(
        &points,
        &[
            [(); 3].map(|()| other.clone()),
            [(); 3].map(|()| dropped.clone()),
        ]
        .concat(),
    );
}

#[actix_web::test]
async fn what_is_added_between_two_middlewares_is_the_outer_ones_also_when_the_request_is_dropped()
{
    let recorder = Recorder::start();
    let inside = web::scope("/in")
        .service(
            web::resource("/{id}")
                .wrap(recorder.metrics_into("inner"))
                .get(tagging),
        )
        .wrap(from_fn(let_go));
    let app = App::new().service(inside).wrap(recorder.metrics());
    let app = init_service(app).await;
    let mut call = Box::pin(app.call(get("/in/dropped").to_request()));
    assert!(in_process::waits(call.as_mut()));
    in_process::finish(&app, get("/in/1")).await;
    drop(call);
    let [outer, inner] = recorder
        .finish_in([DATABASE, "inner"])
        .await
        .try_into()
        .unwrap();
    let other = answered("GET", "/in/{id}", 200, "ok", 8);
    let dropped = unanswered("GET", "/in/{id}", 499, "aborted").tag("user", "let go");
    check(&outer, &[dropped, other.clone()]);
    check(&inner, &[other.tag("user", "stranger")]);
}

#[actix_web::test]
async fn a_request_that_outlives_its_response_finds_no_measurement_any_more() {
    let recorder = Recorder::start();
    let kept: Rc<RefCell<Vec<HttpRequest>>> = Rc::default();
    let keep = {
        let kept = Rc::clone(&kept);
        move |request: HttpRequest| {
            kept.borrow_mut().push(request);
            async { "kept" }
        }
    };
    let app = App::new()
        .route("/keep", web::get().to(keep))
        .route("/other", web::get().to(tagging))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    for _ in 0..2 {
        in_process::finish(&app, get("/keep")).await;
        for request in &*kept.borrow() {
            assert!(request.measurement().is_none());
        }
        in_process::finish(&app, get("/other")).await;
    }
    kept.borrow_mut().clear();
    in_process::finish(&app, get("/other")).await;
    let kept = answered("GET", "/keep", 200, "ok", 4);
    let other = answered("GET", "/other", 200, "ok", 8).tag("user", "stranger");
    let all = [&kept, &other, &kept, &other, &other].map(Clone::clone);
    check(&recorder.finish().await, &all);
}

/// Calls what is inside a second time, with the request that came back.
async fn twice<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let (request, _) = next.call(request).await?.into_parts();
    assert!(request.measurement().is_none());
    next.call(ServiceRequest::from_request(request)).await
}

#[actix_web::test]
async fn a_request_that_is_taken_apart_and_put_together_again_is_the_same() {
    let recorder = Recorder::start();
    let again = async |request: ServiceRequest, next: Next<BoxBody>| {
        let (request, payload) = request.into_parts();
        next.call(ServiceRequest::from_parts(request, payload))
            .await
    };
    let inner = recorder.metrics();
    let app = App::new().service(
        web::resource("/x")
            .wrap(from_fn(again))
            .wrap(inner)
            .wrap(from_fn(twice))
            .get(tagging),
    );
    let app = init_service(app).await;
    in_process::finish(&app, get("/x")).await;
    let expected = answered("GET", "/x", 200, "ok", 8).tag("user", "stranger");
    let mut points = recorder.finish().await;
    // The body of the first response is dropped unread.
    assert_eq!(points[0].tag("outcome"), Some("aborted"));
    assert_eq!(points.remove(0).tag("user"), Some("stranger"));
    check(&points, &[expected]);
}

#[actix_web::test]
async fn it_can_be_put_among_the_extensions_of_its_request() {
    let recorder = Recorder::start();
    let handler = async |request: HttpRequest| {
        request.extensions_mut().insert(request.measurement());
        let extensions = request.extensions();
        let measurement = extensions.get::<Option<RequestMeasurement>>().unwrap();
        measurement.as_ref().unwrap().set_field("kept", true);
        "ok"
    };
    let app = App::new()
        .route("/x", web::get().to(handler))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    in_process::finish(&app, get("/x")).await;
    let expected = answered("GET", "/x", 200, "ok", 2).field("kept", true);
    check(&recorder.finish().await, &[expected]);
}

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
                let value = http::header::HeaderValue::from_str(&format!("user-{user}"));
                let value = ::http::HeaderValue::from_bytes(value.unwrap().as_bytes());
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
        let metrics = actix_influxdb::InfluxMetrics::new(influx, DATABASE);
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
