use actix_web::{HttpResponse, web};
use futures_util::{FutureExt as _, stream};

use crate::{
    expect::{answered, check, unanswered},
    service::Service,
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
