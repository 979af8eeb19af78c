use std::io;

use actix_web::{
    HttpResponse, ResponseError,
    error::{ErrorInternalServerError, ErrorNotFound, ErrorServiceUnavailable, ErrorUnauthorized},
    http::StatusCode,
    middleware::{self, ErrorHandlerResponse, ErrorHandlers},
    web,
};
use derive_more::{Display, Error};
use futures_util::stream;

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn an_err_of_a_handler_has_the_status_of_its_response() {
    let service = Service::start(|app| {
        app.route(
            "/gone",
            web::get().to(async || Err::<&str, _>(ErrorNotFound("not here"))),
        );
        app.route(
            "/broken",
            web::get().to(async || Err::<&str, _>(ErrorInternalServerError("oops"))),
        );
    });
    let mut client = service.connect();
    assert_eq!(client.get("/gone").status, 404);
    assert_eq!(client.get("/broken").status, 500);
    check(
        &service.finish(),
        &[
            answered("GET", "/gone", 404, "ok", 8),
            answered("GET", "/broken", 500, "error", 4),
        ],
    );
}

#[test]
fn an_err_of_another_middleware_is_recorded_with_its_status_and_the_endpoint_of_its_path() {
    let service = Service::start(|app| {
        let refusing =
            middleware::from_fn(async |request: actix_web::dev::ServiceRequest, _next| {
                let error = match request.path() {
                    "/users/1" => ErrorUnauthorized("who?"),
                    _ => ErrorServiceUnavailable("later"),
                };
                drop(request);
                Err::<actix_web::dev::ServiceResponse, _>(error)
            });
        app.service(
            web::scope("/users")
                .wrap(refusing)
                .service(web::resource("/{id}").name("user").get(async || "never")),
        );
    });
    let mut client = service.connect();
    assert_eq!(client.get("/users/1").status, 401);
    assert_eq!(client.get("/users/2").status, 503);
    assert_eq!(client.get("/users/2/x").status, 503);
    check(
        &service.finish(),
        &[
            answered("GET", "/users/{id}", 401, "ok", 4).tag("handler", "user"),
            answered("GET", "/users/{id}", 503, "error", 5).tag("handler", "user"),
            answered("GET", "unmatched", 503, "error", 5),
        ],
    );
}

#[test]
fn an_err_of_a_middleware_for_a_head_request_has_sent_no_content() {
    let service = Service::start(|app| {
        let refusing =
            middleware::from_fn(async |_request: actix_web::dev::ServiceRequest, _next| {
                Err::<actix_web::dev::ServiceResponse, _>(ErrorUnauthorized("who?"))
            });
        let resource = web::resource("/users").wrap(refusing);
        app.service(resource.route(web::head().to(async || "never")));
    });
    let mut client = service.connect();
    assert_eq!(client.request("HEAD", "/users").response(false).status, 401);
    check(
        &service.finish(),
        &[answered("HEAD", "/users", 401, "ok", 0)],
    );
}

/// Has a response of its own, and says nothing of it in `status_code`.
#[derive(Debug, Display, Error)]
struct Teapot;

impl ResponseError for Teapot {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::ImATeapot().body("short and stout")
    }
}

#[test]
fn the_status_of_an_err_is_that_of_the_response_which_the_client_gets() {
    let service = Service::start(|app| {
        let refusing =
            middleware::from_fn(async |_request: actix_web::dev::ServiceRequest, _next| {
                Err::<actix_web::dev::ServiceResponse, _>(Teapot.into())
            });
        app.service(web::resource("/tea").wrap(refusing).get(async || "never"));
    });
    assert_eq!(service.connect().get("/tea").status, 418);
    check(&service.finish(), &[answered("GET", "/tea", 418, "ok", 15)]);
}

#[test]
fn what_a_custom_error_handler_makes_of_a_response_is_what_is_recorded() {
    let service = Service::start(|app| {
        let apologies = ErrorHandlers::new().handler(
            StatusCode::INTERNAL_SERVER_ERROR,
            |response: actix_web::dev::ServiceResponse<_>| {
                let apology = HttpResponse::BadGateway().body("we are sorry");
                let response = response.into_response(apology).map_into_right_body();
                Ok(ErrorHandlerResponse::Response(response))
            },
        );
        app.service(
            web::resource("/broken")
                .wrap(apologies)
                .get(async || HttpResponse::InternalServerError().finish()),
        );
    });
    assert_eq!(service.connect().get("/broken").body, b"we are sorry");
    check(
        &service.finish(),
        &[answered("GET", "/broken", 502, "error", 12)],
    );
}

#[test]
fn a_stream_that_fails_is_an_error_with_the_status_and_the_bytes_that_went_out() {
    let service = Service::start(|app| {
        app.route(
            "/stream",
            web::get().to(async || {
                let failure = io::Error::other("the disk is gone");
                let chunks = [Ok(web::Bytes::from_static(b"some")), Err(failure)];
                HttpResponse::Ok().streaming(stream::iter(chunks))
            }),
        );
    });
    let mut client = service.connect();
    client.request("GET", "/stream").read_to_end();
    check(
        &service.finish(),
        &[answered("GET", "/stream", 200, "error", 4)],
    );
}

#[test]
fn a_body_that_is_shorter_than_announced_is_an_error() {
    let service = Service::start(|app| {
        app.route(
            "/sized",
            web::get().to(async || {
                let chunks = [Ok::<_, io::Error>(web::Bytes::from_static(b"some"))];
                HttpResponse::Ok().body(actix_web::body::SizedStream::new(9, stream::iter(chunks)))
            }),
        );
    });
    service.connect().request("GET", "/sized").read_to_end();
    check(
        &service.finish(),
        &[answered("GET", "/sized", 200, "error", 4)],
    );
}
