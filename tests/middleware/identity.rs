//! Whose measurement a request's is: its own, whatever becomes of other requests meanwhile, and
//! wherever actix-web puts it in memory.

use std::{cell::RefCell, future, rc::Rc};

use actix_influxdb::{MeasuredRequest as _, RequestMeasurement};
use actix_web::{
    App, HttpMessage as _, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Service as _, ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    test::{call_and_read_body, init_service},
    web,
};

use crate::{
    expect::{answered, check, unanswered},
    in_process::{self, Recorder, get},
    service::DATABASE,
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
pub async fn tagging(request: HttpRequest) -> &'static str {
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
