//! Options about fields hold for every way in which a request can end.

use std::future;

use actix_influxdb::{InfluxMetrics, RequestMeasurement};
use actix_web::{
    App, HttpRequest, HttpResponse, ResponseError,
    body::{BodyStream, MessageBody, SizedStream},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::{Next, from_fn},
    test::init_service,
    web::{self, Bytes},
};
use futures_util::{StreamExt as _, stream};

use crate::{
    expect::{Expected, answered, check, unanswered},
    in_process::{self, Recorder, get},
};

/// Refuses with an `Err`, or doesn't answer, or panics: before there is a head.
async fn before_the_head<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    match request.path() {
        "/refused" => Err(actix_web::error::ErrorUnauthorized("no")),
        "/fails" => Err(Fails.into()),
        _ => next.call(request).await,
    }
}

#[derive(Debug, derive_more::Display, derive_more::Error)]
struct Fails;

impl ResponseError for Fails {}

type Chunk = actix_web::Result<Bytes>;

async fn page(request: HttpRequest, measurement: Option<RequestMeasurement>) -> HttpResponse {
    if let Some(measurement) = measurement.filter(|_| request.query_string() == "added") {
        measurement.set_field("added", true);
    }
    let some = || stream::iter([Chunk::Ok(Bytes::from_static(b"some"))]);
    let failure = || {
        Chunk::Err(actix_web::error::ErrorInternalServerError(
            "the disk is gone",
        ))
    };
    let mut response = HttpResponse::Ok();
    match request.path() {
        "/text" => response.body("text"),
        "/empty" => response.finish(),
        "/204" => HttpResponse::NoContent().finish(),
        "/500" => HttpResponse::InternalServerError().body("oops"),
        "/stream" => response.streaming(some()),
        "/breaks" => response.streaming(some().chain(stream::once(async move { failure() }))),
        "/short" => response.body(SizedStream::new(9, some())),
        "/stalls" => response.body(BodyStream::new(some().chain(stream::pending::<Chunk>()))),
        "/trips" => response.streaming(some().chain(stream::once(async {
            panic!("on purpose");
        }))),
        "/panics" => panic!("on purpose"),
        "/waits" => future::pending().await,
        path => unreachable!("{path}"),
    }
}

/// Requests that end in all ways, and what they are without an option.
macro_rules! requests {
    ($metrics:expr, $query:expr) => {{
        let app = App::new()
            .service(
                web::resource([
                    "/text", "/empty", "/204", "/500", "/stream", "/breaks", "/short", "/stalls",
                    "/trips", "/panics", "/waits", "/refused", "/fails",
                ])
                .to(page),
            )
            .wrap(from_fn(before_the_head))
            .wrap($metrics);
        let app = init_service(app).await;
        let at = |path: &str| get(&format!("{path}?{}", $query));
        for path in [
            "/text", "/empty", "/204", "/500", "/stream", "/breaks", "/short",
        ] {
            in_process::finish(&app, at(path)).await;
        }
        in_process::finish(&app, at("/text").method(Method::HEAD)).await;
        in_process::finish(&app, at("/trips")).await;
        in_process::finish(&app, at("/refused")).await;
        in_process::finish(&app, at("/fails")).await;
        in_process::abort_in_body(&app, at("/stalls")).await;
        in_process::panic(&app, at("/panics")).await;
        in_process::abort(&app, at("/waits")).await;
    }};
}

/// In that order; with a field `added` for those whose handler had the chance to.
fn expected(query: &str) -> Vec<Expected> {
    let endpoint = "/text";
    let answered = |status, outcome, bytes| answered("GET", endpoint, status, outcome, bytes);
    let unanswered = |status, outcome| unanswered("GET", endpoint, status, outcome);
    let all = [
        (true, answered(200, "ok", 4)),
        (true, answered(200, "ok", 0)),
        (true, answered(204, "ok", 0)),
        (true, answered(500, "error", 4)),
        (true, answered(200, "ok", 4)),
        (true, answered(200, "error", 4)),
        (true, answered(200, "error", 4)),
        (true, answered(200, "ok", 0).tag("method", "HEAD")),
        (true, answered(200, "panicked", 4)),
        (false, answered(401, "ok", 2)),
        (false, answered(500, "error", 5)),
        (true, answered(200, "aborted", 4)),
        (true, unanswered(500, "panicked")),
        (true, unanswered(499, "aborted")),
    ];
    let added = |(handled, expected): (bool, Expected)| match handled && query == "added" {
        true => expected.field("added", true),
        false => expected,
    };
    all.into_iter().map(added).collect()
}

/// A request to which something was added is written in another way than one to which nothing was.
const QUERIES: [&str; 2] = ["plain", "added"];

async fn check_all(
    build: impl Fn(InfluxMetrics) -> InfluxMetrics,
    change: impl Fn(Expected) -> Expected,
) {
    for query in QUERIES {
        let recorder = Recorder::start();
        requests!(build(recorder.metrics()), query);
        let expected: Vec<_> = expected(query).into_iter().map(&change).collect();
        check(&recorder.finish().await, &expected);
    }
}

/// If it was there.
fn without(expected: Expected, key: &str) -> Expected {
    match expected.has_head() {
        true => expected.without(key),
        false => expected,
    }
}

#[actix_web::test]
async fn every_end_of_a_request_has_its_fields() {
    check_all(|metrics| metrics, |expected| expected).await;
}

#[actix_web::test]
async fn time_to_first_byte_is_left_out_however_a_request_ends() {
    check_all(
        |metrics| metrics.time_to_first_byte(false),
        |expected| without(expected, "time_to_first_byte"),
    )
    .await;
}

#[actix_web::test]
async fn content_length_is_left_out_however_a_request_ends() {
    check_all(
        |metrics| metrics.content_length(false),
        |expected| without(expected, "content_length"),
    )
    .await;
}

#[actix_web::test]
async fn both_are_left_out_however_a_request_ends() {
    check_all(
        |metrics| metrics.content_length(false).time_to_first_byte(false),
        |expected| without(without(expected, "content_length"), "time_to_first_byte"),
    )
    .await;
}

#[actix_web::test]
async fn the_weight_is_1_divided_by_the_rate_however_a_request_ends() {
    for query in QUERIES {
        let recorder = Recorder::start();
        // So often that each end is recorded at least once, but for one run of 10^11.
        for _ in 0..40 {
            requests!(recorder.metrics().sample(0.5), query);
        }
        let points = recorder.finish().await;
        for expected in expected(query) {
            let expected = expected.field("weight", 2.0);
            assert!(points.iter().any(|point| expected.is_met(point)));
        }
        for point in points {
            assert_eq!(point.field("weight"), Some(&2.0.into()), "{point:?}");
        }
    }
}
