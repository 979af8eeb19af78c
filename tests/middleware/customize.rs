use actix_web::{HttpResponse, error::ErrorConflict, web};

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn a_closure_adds_to_each_measurement_by_request_and_response() {
    let service = Service::start_with(
        |metrics| {
            metrics.customize(|request, response, m| {
                m.set_tag("version", format!("{:?}", request.version()));
                m.set_field("type", response.headers().contains_key("content-type"));
                if let Some(error) = response.error() {
                    m.set_field("error", error.to_string());
                }
                if request.path() == "/secret" {
                    m.skip();
                }
            })
        },
        |app| {
            app.route("/text", web::get().to(async || "text"));
            app.route("/none", web::get().to(async || HttpResponse::Ok()));
            app.route("/secret", web::get().to(async || "secret"));
            app.route(
                "/err",
                web::get().to(async || Err::<&str, _>(ErrorConflict("taken"))),
            );
        },
    );
    let mut client = service.connect();
    for target in ["/text", "/secret", "/none", "/err"] {
        client.get(target);
    }
    let expected = |endpoint, status, bytes| {
        answered("GET", endpoint, status, "ok", bytes).tag("version", "HTTP/1.1")
    };
    check(
        &service.finish(),
        &[
            expected("/text", 200, 4).field("type", true),
            expected("/none", 200, 0).field("type", false),
            expected("/err", 409, 5)
                .field("type", true)
                .field("error", "taken"),
        ],
    );
}

#[test]
fn tags_of_the_middleware_are_on_every_measurement() {
    let service = Service::start_with(
        |metrics| metrics.tag("service", "shop").tag("shard", 7),
        |app| {
            app.route("/text", web::get().to(async || "text"));
        },
    );
    service.connect().get("/text");
    let expected = answered("GET", "/text", 200, "ok", 4);
    check(
        &service.finish(),
        &[expected.tag("service", "shop").tag("shard", "7")],
    );
}

#[test]
fn fields_that_are_not_wanted_are_left_out() {
    let service = Service::start_with(
        |metrics| metrics.time_to_first_byte(false).content_length(false),
        |app| {
            app.route("/text", web::get().to(async || "text"));
        },
    );
    service.connect().get("/text");
    let expected = answered("GET", "/text", 200, "ok", 4);
    check(
        &service.finish(),
        &[expected
            .without("time_to_first_byte")
            .without("content_length")],
    );
}
