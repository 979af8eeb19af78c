use actix_influxdb::InfluxMetrics;
use actix_web::{
    App, HttpResponse, ResponseError,
    body::BoxBody,
    dev::{Service as _, ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    test::init_service,
    web,
};
use futures_util::{FutureExt as _, stream};

use crate::{
    expect::{answered, check, unanswered},
    in_process::{self, Recorder, get},
    logger,
    service::{DATABASE, Service},
};

#[test]
fn a_panic_in_a_handler_is_panicked_with_status_500_and_the_service_goes_on() {
    let service = Service::start(|app| {
        app.route(
            "/panic",
            web::get().to(async || -> &str { panic!("on purpose") }),
        );
        app.route("/hello", web::get().to(async || "hello"));
    });
    service.connect().request("GET", "/panic").read_to_end();
    assert_eq!(service.connect().get("/hello").status, 200);
    check(
        &service.finish(),
        &[
            unanswered("GET", "/panic", 500, "panicked"),
            answered("GET", "/hello", 200, "ok", 5),
        ],
    );
}

#[test]
fn a_panic_before_any_future_is_there_is_panicked() {
    let service = Service::start(|app| {
        app.route(
            "/guard",
            web::get()
                .guard(actix_web::guard::fn_guard(|_| panic!("on purpose")))
                .to(async || "never"),
        );
    });
    service.connect().request("GET", "/guard").read_to_end();
    check(
        &service.finish(),
        &[unanswered("GET", "/guard", 500, "panicked")],
    );
}

#[test]
fn a_panic_in_the_body_is_panicked_with_the_status_that_was_sent() {
    let service = Service::start(|app| {
        app.route(
            "/stream",
            web::get().to(async || {
                let chunks = (0..2).map(|chunk| match chunk {
                    0 => Ok::<_, actix_web::Error>(web::Bytes::from_static(b"some")),
                    _ => panic!("on purpose"),
                });
                HttpResponse::Ok().streaming(stream::iter(chunks))
            }),
        );
    });
    service.connect().request("GET", "/stream").read_to_end();
    check(
        &service.finish(),
        &[answered("GET", "/stream", 200, "panicked", 4)],
    );
}

#[test]
fn a_panic_that_another_middleware_catches_is_the_response_it_makes() {
    let service = Service::start(|app| {
        let catching = actix_web::middleware::from_fn(
            async |request: actix_web::dev::ServiceRequest,
                   next: actix_web::middleware::Next<actix_web::body::BoxBody>| {
                let call = std::panic::AssertUnwindSafe(next.call(request));
                let caught = call.catch_unwind().await;
                caught.unwrap_or_else(|_| Err(actix_web::error::ErrorInternalServerError("caught")))
            },
        );
        app.service(
            web::resource("/panic")
                .wrap(catching)
                .get(async || -> &str { panic!("on purpose") }),
        );
    });
    assert_eq!(service.connect().get("/panic").status, 500);
    check(
        &service.finish(),
        &[answered("GET", "/panic", 500, "error", 6)],
    );
}

#[test]
fn a_closure_that_panics_and_a_logger_that_does_leave_the_response_and_the_measurement() {
    logger::install();
    let service = Service::start_with(
        |metrics| {
            metrics.customize(|request, _, m| {
                m.set_field("before", true);
                assert_ne!(request.path(), "/trips", "on purpose");
                m.set_field("after", true);
            })
        },
        |app| {
            app.route("/trips", web::get().to(async || "whole"));
            app.route("/fine", web::get().to(async || "fine"));
        },
    );
    let mut client = service.connect();
    // All on one connection, which lives on.
    for target in ["/trips", "/fine", "/trips", "/trips"] {
        assert_eq!(client.get(target).status, 200);
    }
    let trips = answered("GET", "/trips", 200, "ok", 5).field("before", true);
    let fine = answered("GET", "/fine", 200, "ok", 4).field("before", true);
    check(
        &service.finish(),
        &[
            trips.clone(),
            fine.field("after", true),
            trips.clone(),
            trips,
        ],
    );
    // It is told once, however often it happens.
    let expected = "ERROR the closure given to InfluxMetrics::customize panicked: the measurement \
                    may be incomplete (logged once per worker)";
    assert_eq!(logger::logged_with("InfluxMetrics::customize"), [expected]);
}

/// Has a response that can't be made.
#[derive(Debug, derive_more::Display, derive_more::Error)]
struct Broken;

impl ResponseError for Broken {
    fn error_response(&self) -> HttpResponse {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_in_the_response_of_an_err_is_panicked() {
    let service = Service::start(|app| {
        let refusing = from_fn(async |_: ServiceRequest, _: Next<BoxBody>| {
            Err::<ServiceResponse, _>(Broken.into())
        });
        app.service(web::resource("/x").wrap(refusing).get(async || "never"));
    });
    service.connect().request("GET", "/x").read_to_end();
    check(
        &service.finish(),
        &[unanswered("GET", "/x", 500, "panicked")],
    );
}

#[actix_web::test]
async fn a_panic_of_another_middleware_on_the_way_in_or_out_is_panicked() {
    let recorder = Recorder::start();
    let app = App::new()
        .route("/{x}", web::get().to(async || "x"))
        .wrap_fn(|request, service| {
            assert_ne!(request.path(), "/call", "on purpose");
            service.call(request)
        })
        .wrap(from_fn(
            async |request: ServiceRequest, next: Next<BoxBody>| {
                assert_ne!(request.path(), "/in", "on purpose");
                let response = next.call(request).await?;
                assert_ne!(response.request().path(), "/out", "on purpose");
                Ok(response)
            },
        ))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    for path in ["/call", "/in", "/out"] {
        in_process::panic(&app, get(path)).await;
    }
    in_process::finish(&app, get("/fine")).await;
    let panicked = unanswered("GET", "/{x}", 500, "panicked");
    let fine = answered("GET", "/{x}", 200, "ok", 1);
    let expected = [&panicked, &panicked, &panicked, &fine].map(Clone::clone);
    check(&recorder.finish().await, &expected);
}

#[test]
fn a_panic_is_one_measurement_of_each_middleware_around_it_and_the_worker_goes_on() {
    let service = Service::start_app(|influx| {
        let outer = InfluxMetrics::new(influx, DATABASE);
        let inner = InfluxMetrics::new(influx, "inner");
        move || {
            let scope = web::scope("/in")
                .route(
                    "/panic",
                    web::get().to(async || -> &str { panic!("on purpose") }),
                )
                .route("/fine", web::get().to(async || "fine"))
                .wrap(inner.clone());
            App::new().service(scope).wrap(outer.clone())
        }
    });
    for _ in 0..3 {
        service.connect().request("GET", "/in/panic").read_to_end();
    }
    assert_eq!(service.connect().get("/in/fine").body, b"fine");
    let panicked = unanswered("GET", "/in/panic", 500, "panicked");
    let fine = answered("GET", "/in/fine", 200, "ok", 4);
    let expected = [&panicked, &panicked, &panicked, &fine].map(Clone::clone);
    for points in service.finish_in([DATABASE, "inner"]) {
        check(&points, &expected);
    }
}

/// Panics when it is dropped.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        panic!("on purpose")
    }
}

#[actix_web::test]
async fn a_future_and_a_body_that_panic_when_they_are_dropped_are_aborted_once() {
    let recorder = Recorder::start();
    let app = App::new()
        .route(
            "/future",
            web::get().to(async || {
                let _trap = Trap;
                std::future::pending::<HttpResponse>().await
            }),
        )
        .route(
            "/body",
            web::get().to(async || {
                let trap = Trap;
                let chunks = stream::pending::<actix_web::Result<web::Bytes>>();
                let chunks = futures_util::StreamExt::inspect(chunks, move |_| _ = &trap);
                HttpResponse::Ok().streaming(chunks)
            }),
        )
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    let drop_it = std::panic::AssertUnwindSafe(in_process::abort(&app, get("/future")));
    assert!(drop_it.catch_unwind().await.is_err());
    let response = app.call(get("/body").to_request()).await.unwrap();
    let drop_it = std::panic::AssertUnwindSafe(|| drop(response));
    assert!(std::panic::catch_unwind(drop_it).is_err());
    check(
        &recorder.finish().await,
        &[
            unanswered("GET", "/future", 499, "aborted"),
            answered("GET", "/body", 200, "aborted", 0),
        ],
    );
}
