use actix_files::Files;
use actix_influxdb::{RequestMeasurement, testing::Point};
use actix_web::{
    App, Error, HttpResponse,
    body::BoxBody,
    dev::{
        AppService, HttpServiceFactory, ResourceDef, ServiceRequest, ServiceResponse, fn_service,
    },
    error::ErrorUnauthorized,
    guard,
    http::Method,
    middleware::{Next, from_fn},
    test::init_service,
    web,
};

use crate::{
    expect::{answered, check, unanswered},
    in_process::{self, Recorder, get},
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

/// The endpoints of requests to some paths of an app.
macro_rules! endpoints {
    ($app:expr, $($path:expr),+) => {{
        let recorder = Recorder::start();
        let app = init_service($app.wrap(recorder.metrics())).await;
        for path in [$($path),+] {
            in_process::finish(&app, get(path)).await;
        }
        let points = recorder.finish().await;
        let endpoint = |point: &Point| match point.tag("endpoint") {
            Some(endpoint) => endpoint.to_owned(),
            None => panic!("none: {point:?}"),
        };
        points.iter().map(endpoint).collect::<Vec<_>>()
    }};
}

#[actix_web::test]
async fn files_that_are_served_at_the_root_are_the_endpoint_slash() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let files = |at| Files::new(at, folder.path());
    let app = App::new().service(files("/"));
    let found = endpoints!(app, "/a.txt", "/none", "/", "/../a.txt", "/a/b/c");
    assert_eq!(found, ["/"; 5]);
    let app = App::new()
        .route("/page", web::get().to(async || "page"))
        .service(web::scope("/in").service(files("/")))
        .service(web::scope("/by/{name}").service(files("/at")))
        .service(files("/static"));
    let found = endpoints!(
        app,
        "/page",
        "/in/a.txt",
        "/by/me/at/a.txt",
        "/static/a.txt",
        "/static/none",
        "/else"
    );
    let expected = [
        "/page",
        "/in",
        "/by/{name}/at",
        "/static",
        "/static",
        "unmatched",
    ];
    assert_eq!(found, expected);
}

#[actix_web::test]
async fn files_at_the_root_are_the_endpoint_of_what_is_refused_or_dropped_too() {
    let recorder = Recorder::start();
    let refuse = from_fn(
        async |request: ServiceRequest, _: Next<BoxBody>| match request.path() {
            "/waits" => std::future::pending().await,
            _ => Err::<ServiceResponse, _>(ErrorUnauthorized("no")),
        },
    );
    let app = App::new()
        .service(Files::new("/", "."))
        .wrap(refuse)
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    in_process::finish(&app, get("/a.txt")).await;
    in_process::abort(&app, get("/waits")).await;
    check(
        &recorder.finish().await,
        &[
            answered("GET", "/", 401, "ok", 2),
            unanswered("GET", "/", 499, "aborted"),
        ],
    );
}

/// A service of its own kind, that answers whatever it is registered for.
struct Mounted(Option<ResourceDef>);

impl HttpServiceFactory for Mounted {
    fn register(self, config: &mut AppService) {
        let answer = fn_service(async |request: ServiceRequest| {
            Ok::<_, Error>(request.into_response(HttpResponse::Ok().finish()))
        });
        let pattern = self.0.unwrap_or_else(|| ResourceDef::prefix(""));
        config.register_service(pattern, None, answer, None);
    }
}

#[actix_web::test]
async fn every_service_has_an_endpoint_however_it_is_mounted() {
    let ok = || web::to(HttpResponse::Ok);
    // Without a pattern; with several, or none at all; with a tail.
    assert_eq!(
        endpoints!(App::new().service(Mounted(None)), "/", "/x"),
        ["/"; 2]
    );
    let several = Mounted(Some(ResourceDef::new(["/a", "/b/{c}"])));
    assert_eq!(
        endpoints!(App::new().service(several), "/b/1", "/a"),
        ["/a"; 2]
    );
    let none = Mounted(Some(ResourceDef::new(Vec::<String>::new())));
    assert_eq!(
        endpoints!(App::new().service(none), "/", "/x"),
        ["unmatched"; 2]
    );
    let tail = App::new().route("/{tail:.*}", ok());
    assert_eq!(endpoints!(tail, "/", "/a/b"), ["/{tail:.*}"; 2]);
    let with_name = App::new().service(web::service("/s").name("s").finish(fn_service(
        async |request: ServiceRequest| Ok(request.into_response(HttpResponse::Ok().finish())),
    )));
    assert_eq!(endpoints!(with_name, "/s", "/"), ["/s", "unmatched"]);
}

#[actix_web::test]
async fn scopes_with_and_without_a_prefix_have_endpoints_and_default_services_are_unmatched() {
    let ok = || web::to(HttpResponse::Ok);
    let app = App::new()
        .service(web::resource("/").to(HttpResponse::Ok))
        .service(
            web::scope("/a")
                .service(web::resource("").to(HttpResponse::Ok))
                .service(web::resource("/").to(HttpResponse::Ok))
                .service(web::scope("/{b}").route("/c", ok()).default_service(ok()))
                .default_service(ok()),
        )
        .service(web::scope("").route("/x", ok()).default_service(ok()))
        .default_service(ok());
    let found = endpoints!(
        app, "/", "/a", "/a/", "/a/1/c", "/a/1/d", "/a/1", "/x", "/y"
    );
    let expected = [
        "/",
        "/a",
        "/a/",
        "/a/{b}/c",
        "unmatched",
        "unmatched",
        "/x",
        "unmatched",
    ];
    assert_eq!(found, expected);
}

#[actix_web::test]
async fn names_and_patterns_with_control_characters_stay_on_one_line() {
    let recorder = Recorder::start();
    let resource = web::resource("/a\nb,c=d\te/{id}").name("n\nm,evil=1 f=1");
    let app = App::new()
        .service(resource.to(async || "ok"))
        .wrap(recorder.metrics().measurement("m\n1,x=y z"));
    let app = init_service(app).await;
    in_process::finish(&app, get("/a%0Ab,c=d%09e/7")).await;
    let points = recorder.finish().await;
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].measurement, "m\\n1,x=y z");
    assert_eq!(points[0].tag("endpoint"), Some("/a\\nb,c=d\\te/{id}"));
    assert_eq!(points[0].tag("handler"), Some("n\\nm,evil=1 f=1"));
}

#[actix_web::test]
async fn refused_requests_of_a_known_route_have_its_endpoint() {
    let recorder = Recorder::start();
    let app = App::new()
        .service(web::resource("/users/{id}").get(async |_: web::Path<u32>| ""))
        .service(web::resource("/json").post(async |_: web::Json<u32>| ""))
        .service(web::scope("/s").route("/x", web::get().to(async || "")))
        .service(
            web::resource("/never")
                .guard(guard::fn_guard(|_| false))
                .to(async || ""),
        )
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    let mut statuses = Vec::new();
    for (method, path) in [
        (Method::GET, "/users/x"),
        (Method::PUT, "/users/1"),
        (Method::POST, "/json"),
        (Method::POST, "/s/x"),
        (Method::GET, "/never"),
        (Method::GET, "/s/y"),
    ] {
        let (status, _) = in_process::finish(&app, get(path).method(method)).await;
        statuses.push(status);
    }
    assert_eq!(statuses, [404, 405, 400, 404, 404, 404]);
    let points = recorder.finish().await;
    let endpoints: Vec<_> = points
        .iter()
        .map(|point| point.tag("endpoint").unwrap())
        .collect();
    let expected = [
        "/users/{id}",
        "/users/{id}",
        "/json",
        "/s/x",
        "/never",
        "unmatched",
    ];
    assert_eq!(endpoints, expected);
}

#[test]
fn an_encoded_path_has_the_route_that_answered_it_and_not_the_first_that_fits_it_decoded() {
    let service = Service::start(|app| {
        app.service(
            web::resource("/items/{id}")
                .name("first")
                .guard(guard::Post())
                .post(async || "never"),
        );
        app.service(
            web::resource("/items/{id}")
                .name("second")
                .get(async || "named"),
        );
    });
    let mut client = service.connect();
    for target in ["/items/%41", "/items/A"] {
        assert_eq!(client.get(target).status, 200);
    }
    let expected = answered("GET", "/items/{id}", 200, "ok", 5).tag("handler", "second");
    check(&service.finish(), &[expected.clone(), expected]);
}

#[test]
fn a_request_without_a_response_has_the_name_of_its_path_only_if_that_is_its_resources() {
    let service = Service::start(|app| {
        app.service(web::resource("/one/{id}").name("one").get(asked));
        app.service(
            web::resource("/two/{id}")
                .name("other")
                .guard(guard::Post())
                .post(async || "never"),
        );
        app.service(web::resource("/two/{tail:.*}").get(asked));
    });
    for target in ["/one/1", "/two/1"] {
        service.connect().request("GET", target).read_to_end();
    }
    let gone = |endpoint| unanswered("GET", endpoint, 500, "panicked").field("asked", true);
    check(
        &service.finish(),
        &[
            gone("/one/{id}").tag("handler", "one"),
            gone("/two/{tail:.*}"),
        ],
    );
}

async fn asked(measurement: RequestMeasurement) -> &'static str {
    measurement.set_field("asked", true);
    panic!("on purpose")
}
