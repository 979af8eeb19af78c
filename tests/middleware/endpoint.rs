use actix_web::{HttpResponse, guard, web};

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn the_endpoint_is_the_whole_pattern_through_nested_scopes() {
    let service = Service::start(|app| {
        app.service(
            web::scope("/api").service(
                web::scope("/v{version}")
                    .service(web::resource("/users/{id:\\d+}").get(async || "user"))
                    .configure(|app| {
                        app.route("/posts/{path:.*}", web::get().to(async || "post"));
                    }),
            ),
        );
    });
    let mut client = service.connect();
    client.get("/api/v1/users/42");
    client.get("/api/v2/posts/a/b/c?query=1");
    check(
        &service.finish(),
        &[
            answered("GET", "/api/v{version}/users/{id:\\d+}", 200, "ok", 4),
            answered("GET", "/api/v{version}/posts/{path:.*}", 200, "ok", 4),
        ],
    );
}

#[test]
fn what_no_resource_matches_is_unmatched_also_for_default_services() {
    let service = Service::start(|app| {
        app.service(
            web::scope("/api")
                .service(web::resource("/users").get(async || "users"))
                .default_service(web::to(async || HttpResponse::Gone().body("gone"))),
        );
        app.default_service(web::to(async || HttpResponse::NotFound().body("what?")));
    });
    let mut client = service.connect();
    assert_eq!(client.get("/api/other").status, 410);
    assert_eq!(client.get("/else/where").status, 404);
    check(
        &service.finish(),
        &[
            answered("GET", "unmatched", 410, "ok", 4),
            answered("GET", "unmatched", 404, "ok", 5),
        ],
    );
}

#[test]
fn the_handler_is_the_name_of_the_resource() {
    let service = Service::start(|app| {
        app.service(
            web::resource("/users/{id}")
                .name("user")
                .get(async || "user"),
        );
        app.service(named);
    });
    let mut client = service.connect();
    client.get("/users/1");
    client.get("/named");
    check(
        &service.finish(),
        &[
            answered("GET", "/users/{id}", 200, "ok", 4).tag("handler", "user"),
            answered("GET", "/named", 200, "ok", 5).tag("handler", "named"),
        ],
    );
}

#[actix_web::get("/named")]
async fn named() -> &'static str {
    "named"
}

#[test]
fn guards_choose_the_endpoint_and_not_the_first_pattern_that_fits_the_path() {
    let service = Service::start(|app| {
        app.service(
            web::scope("")
                .guard(guard::Host("one.example"))
                .route("/{one}", web::get().to(async || "one")),
        );
        app.service(
            web::scope("")
                .guard(guard::Host("two.example"))
                .route("/{two}", web::get().to(async || "two")),
        );
        app.service(
            web::resource("/{post}")
                .guard(guard::Post())
                .to(async || "post"),
        );
        app.service(
            web::resource("/{put}")
                .guard(guard::Put())
                .to(async || "put"),
        );
    });
    let mut client = service.connect();
    for (method, host) in [
        ("GET", "two.example"),
        ("GET", "one.example"),
        ("PUT", "three.example"),
        ("POST", "three.example"),
    ] {
        client.send(format!("{method} /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.response(true).status, 200);
    }
    check(
        &service.finish(),
        &[
            answered("GET", "/{two}", 200, "ok", 3),
            answered("GET", "/{one}", 200, "ok", 3),
            answered("PUT", "/{put}", 200, "ok", 3),
            answered("POST", "/{post}", 200, "ok", 4),
        ],
    );
}

#[test]
fn a_resource_of_several_patterns_is_one_endpoint_by_its_first() {
    let service = Service::start(|app| {
        app.service(web::resource(["/new/{id}", "/old/{id}"]).get(async || "it"));
    });
    let mut client = service.connect();
    client.get("/old/1");
    client.get("/new/1");
    let expected = answered("GET", "/new/{id}", 200, "ok", 2);
    check(&service.finish(), &[expected.clone(), expected]);
}
