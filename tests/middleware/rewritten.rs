//! The endpoint where something rewrites the path before the router sees it: also of requests that
//! never come back, because they were refused, dropped or panicked.

use std::future;

use actix_influxdb::{InfluxMetrics, RequestMeasurement};
use actix_web::{
    App, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error, guard,
    http::{Method, Uri},
    middleware::{Next, NormalizePath, TrailingSlash, from_fn},
    test::init_service,
    web,
};

use crate::{
    expect::{answered, check, unanswered},
    in_process::{self, Recorder, get},
    service::{DATABASE, LONG, Service},
};

/// Refuses what asks for it, as an `Err`: the request is gone.
async fn refuse<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    match request.query_string() {
        "refuse" => Err(error::ErrorUnauthorized("no")),
        "hold" => future::pending().await,
        "trip" => panic!("on purpose"),
        _ => next.call(request).await,
    }
}

async fn user(request: HttpRequest, id: web::Path<u32>) -> String {
    match request.query_string() {
        "panic" => panic!("on purpose"),
        "wait" => future::pending().await,
        _ => format!("{id}"),
    }
}

fn styles() -> [TrailingSlash; 3] {
    [
        TrailingSlash::Trim,
        TrailingSlash::Always,
        TrailingSlash::MergeOnly,
    ]
}

/// An app with the user's page, its path normalized inside or outside of the middleware.
macro_rules! app {
    ($recorder:expr, $style:expr, $is_inside:expr) => {{
        let pattern = match $style {
            TrailingSlash::Always => "/users/{id}/",
            _ => "/users/{id}",
        };
        let resource = web::resource(pattern).name("user").get(user);
        let normalize = || NormalizePath::new($style);
        use actix_web::middleware::Condition;
        init_service(
            App::new()
                .service(resource)
                .wrap(from_fn(refuse))
                .wrap(Condition::new($is_inside, normalize()))
                .wrap($recorder.metrics())
                .wrap(Condition::new(!$is_inside, normalize())),
        )
        .await
    }};
}

#[actix_web::test]
async fn with_normalize_path_every_end_of_a_request_has_its_route() {
    for style in styles() {
        for is_inside in [true, false] {
            for first in 0..8 {
                let recorder = Recorder::start();
                let app = app!(recorder, style, is_inside);
                let (pattern, path) = match style {
                    TrailingSlash::Trim => ("/users/{id}", "//users///7//"),
                    TrailingSlash::Always => ("/users/{id}/", "//users///7"),
                    _ => ("/users/{id}", "//users///7"),
                };
                let with = |query| get(&format!("{path}?{query}"));
                // Each kind is the first one that the service sees, once.
                for kind in (0..8).map(|at| (at + first) % 8) {
                    match kind {
                        0 => _ = in_process::finish(&app, with("")).await,
                        1 => _ = in_process::finish(&app, with("refuse")).await,
                        2 => in_process::abort(&app, with("hold")).await,
                        3 => in_process::panic(&app, with("trip")).await,
                        4 => in_process::panic(&app, with("panic")).await,
                        5 => in_process::abort(&app, with("wait")).await,
                        6 => {
                            let post = with("").method(Method::POST);
                            _ = in_process::finish(&app, post).await;
                        }
                        _ => {
                            let not_a_number = path.replace('7', "x");
                            _ = in_process::finish(&app, get(&not_a_number)).await;
                        }
                    }
                }
                let points = recorder.finish().await;
                assert_eq!(points.len(), 8);
                for point in points {
                    let at = format!("{style:?}, inside: {is_inside}, {point:?}");
                    assert_eq!(point.tag("endpoint"), Some(pattern), "{at}");
                    assert_eq!(point.tag("handler"), Some("user"), "{at}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn what_normalize_path_does_not_lead_to_is_unmatched() {
    for style in styles() {
        let recorder = Recorder::start();
        let app = app!(recorder, style, true);
        for query in ["", "refuse"] {
            in_process::finish(&app, get(&format!("//none//?{query}"))).await;
        }
        for point in recorder.finish().await {
            assert_eq!(point.tag("endpoint"), Some("unmatched"), "{point:?}");
        }
    }
}

#[actix_web::test]
async fn without_normalize_path_a_slash_too_many_is_unmatched_once_that_was_seen() {
    let recorder = Recorder::start();
    let app = App::new()
        .route("/users/{id}", web::get().to(user))
        .wrap(from_fn(refuse))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    for query in ["", "refuse"] {
        in_process::finish(&app, get(&format!("/users//7/?{query}"))).await;
        in_process::finish(&app, get(&format!("/users/7/?{query}"))).await;
    }
    for point in recorder.finish().await {
        assert_eq!(point.tag("endpoint"), Some("unmatched"), "{point:?}");
    }
}

#[actix_web::test]
async fn what_is_encoded_in_vain_is_decoded_as_the_router_does() {
    let recorder = Recorder::start();
    let app = App::new()
        .service(web::resource("/users/{id}").guard(guard::Get()).to(user))
        .wrap(from_fn(refuse))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    let path = "/%75ser%73/7";
    let post = get(path).method(Method::POST);
    assert_eq!(in_process::finish(&app, post).await.0, 404);
    assert_eq!(in_process::finish(&app, get(path)).await.0, 200);
    in_process::finish(&app, get(&format!("{path}?refuse"))).await;
    in_process::panic(&app, get(&format!("{path}?panic"))).await;
    in_process::abort(&app, get(&format!("{path}?wait"))).await;
    // An encoded slash is none.
    in_process::finish(&app, get("/users%2F7?refuse")).await;
    let points = recorder.finish().await;
    let endpoints: Vec<_> = points
        .iter()
        .map(|it| it.tag("endpoint").unwrap())
        .collect();
    assert_eq!(endpoints[..5], ["/users/{id}"; 5]);
    assert_eq!(endpoints[5..], ["unmatched"]);
}

/// Takes `/v1` off, or puts `/api` in front, or takes an old name for a new one.
async fn rewrite<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let path = request.path();
    let rewritten = match path {
        "/old" => "/new".to_owned(),
        _ => match path.strip_prefix("/v1") {
            Some(rest) => rest.to_owned(),
            None => format!("/api{path}"),
        },
    };
    let query = request.query_string().to_owned();
    let uri: Uri = format!("{rewritten}?{query}").parse().unwrap();
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    next.call(request).await
}

#[actix_web::test]
async fn what_a_middleware_makes_of_paths_is_learned_from_requests_that_come_back() {
    let recorder = Recorder::start();
    let app = App::new()
        .route("/users/{id}", web::get().to(user))
        .route("/api/posts/{id}", web::get().to(user))
        .route("/new", web::get().to(HttpResponse::Ok))
        .wrap(from_fn(refuse))
        .wrap(from_fn(rewrite))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    let paths = [
        ("/v1/users/1", "/users/{id}"),
        ("/posts/1", "/api/posts/{id}"),
        ("/old", "/new"),
    ];
    for (path, _) in paths {
        in_process::finish(&app, get(path)).await;
    }
    for (path, _) in paths {
        let path = path.replace('1', "2").replace("v2", "v1");
        in_process::finish(&app, get(&format!("{path}?refuse"))).await;
        in_process::abort(&app, get(&format!("{path}?hold"))).await;
        in_process::panic(&app, get(&format!("{path}?trip"))).await;
    }
    let expected = paths.map(|(_, endpoint)| [endpoint; 3]).concat();
    let points = recorder.finish().await;
    let endpoints = points.iter().map(|point| point.tag("endpoint").unwrap());
    let endpoints: Vec<_> = endpoints.skip(paths.len()).collect();
    assert_eq!(endpoints, expected);
}

#[actix_web::test]
async fn a_handler_that_has_its_measurement_tells_its_route_whatever_led_to_it() {
    let recorder = Recorder::start();
    let handler = async |request: HttpRequest, _: RequestMeasurement| -> &str {
        match request.query_string() {
            "panic" => panic!("on purpose"),
            _ => future::pending().await,
        }
    };
    let resource = |name| web::resource("/users/{id}").name(name).get(handler);
    let named = |name| resource(name).guard(guard::Header("host", name));
    let app = App::new()
        // By its path alone, it would be the first of these.
        .service(
            web::scope("")
                .guard(guard::Host("none"))
                .service(web::resource("/{tail}*")),
        )
        .service(named("one"))
        .service(resource("two"))
        .wrap(from_fn(rewrite))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    in_process::panic(&app, get("/v1/users/1?panic")).await;
    in_process::abort(&app, get("/v1/users/1?wait")).await;
    let endpoint = "/users/{id}";
    check(
        &recorder.finish().await,
        &[
            unanswered("GET", endpoint, 500, "panicked"),
            unanswered("GET", endpoint, 499, "aborted"),
        ],
    );
}

#[actix_web::test]
async fn a_middleware_that_rewrites_can_say_so_by_asking_for_the_measurement() {
    async fn tell<B: MessageBody + 'static>(
        request: ServiceRequest,
        next: Next<B>,
    ) -> actix_web::Result<ServiceResponse<B>> {
        use actix_influxdb::MeasuredRequest as _;
        assert!(request.measurement().is_some());
        next.call(request).await
    }
    let recorder = Recorder::start();
    let app = App::new()
        .route("/users/{id}", web::get().to(user))
        .wrap(from_fn(tell))
        .wrap(from_fn(rewrite))
        .wrap(recorder.metrics());
    let app = init_service(app).await;
    in_process::panic(&app, get("/v1/users/1?panic")).await;
    let expected = unanswered("GET", "/users/{id}", 500, "panicked");
    check(&recorder.finish().await, &[expected]);
}

#[test]
fn on_a_server_a_normalized_route_keeps_its_name_when_its_handler_panics_or_its_client_goes() {
    let (tell, told) = std::sync::mpsc::channel();
    let service = Service::start_app(move |influx| {
        let metrics = InfluxMetrics::new(influx, DATABASE);
        move || {
            let tell = tell.clone();
            let slow = move || {
                tell.send(()).unwrap();
                future::pending::<HttpResponse>()
            };
            App::new()
                .route("/slow/{id}", web::get().to(slow))
                .route("/users/{id}", web::get().to(user))
                .wrap(NormalizePath::trim())
                .wrap(metrics.clone())
        }
    });
    let mut client = service.connect();
    client.request("GET", "//users/7/?panic").read_to_end();
    let mut client = service.connect();
    client.request("GET", "/slow//7/");
    told.recv_timeout(LONG).unwrap();
    client.vanish();
    service.wait_for(2);
    let mut client = service.connect();
    assert_eq!(client.get("/users/x/").status, 404);
    let points = service.finish();
    let body = points[2].field("content_length").unwrap().as_integer();
    check(
        &points,
        &[
            unanswered("GET", "/users/{id}", 500, "panicked"),
            unanswered("GET", "/slow/{id}", 499, "aborted"),
            answered("GET", "/users/{id}", 404, "ok", body.unwrap()),
        ],
    );
}
