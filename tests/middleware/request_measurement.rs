use std::{sync::mpsc, time::Duration};

use actix_influxdb::{MeasuredRequest as _, RequestMeasurement, testing::Value};
use actix_web::{
    HttpRequest, HttpResponse, body::BoxBody, dev::ServiceRequest, guard, middleware::Next,
    middleware::from_fn, rt, web,
};
use futures_util::{StreamExt as _, stream};

use crate::{
    expect::{answered, check, unanswered},
    service::{LONG, Service},
};

#[test]
fn a_handler_adds_tags_and_fields_to_the_measurement_of_its_own_request() {
    let service = Service::start(|app| {
        app.route(
            "/{tier}",
            web::get().to(async |tier: web::Path<String>, m: RequestMeasurement| {
                m.set_tag("tier", tier.into_inner());
                m.set_tags([("a", "1"), ("b", "2")]);
                m.set_field("rows", 3);
                m.set_field("cached", true);
                "ok"
            }),
        );
        app.route("/", web::get().to(async || "none"));
    });
    let mut client = service.connect();
    for target in ["/gold", "/", "/silver"] {
        client.get(target);
    }
    let tier = |tier| {
        let expected = answered("GET", "/{tier}", 200, "ok", 2);
        let expected = expected.tag("tier", tier).tag("a", "1").tag("b", "2");
        expected.field("rows", 3_i64).field("cached", true)
    };
    check(
        &service.finish(),
        &[
            tier("gold"),
            answered("GET", "/", 200, "ok", 4),
            tier("silver"),
        ],
    );
}

#[test]
fn requests_that_are_served_at_once_keep_what_is_theirs() {
    let (tell, told) = mpsc::channel();
    let (release, released) = tokio::sync::watch::channel(false);
    let service = Service::start_with(
        |metrics| metrics,
        move |app| {
            let (tell, released) = (tell.clone(), released.clone());
            let wait = move |id: web::Path<String>, request: HttpRequest| {
                let (tell, mut released) = (tell.clone(), released.clone());
                async move {
                    tell.send(()).unwrap();
                    released.wait_for(|released| *released).await.unwrap();
                    request
                        .measurement()
                        .unwrap()
                        .set_field("id", id.into_inner());
                    "ok"
                }
            };
            app.route("/{id}", web::get().to(wait));
        },
    );
    let mut clients: Vec<_> = (0..8)
        .map(|id| {
            let mut client = service.connect();
            client.request("GET", &format!("/{id}"));
            told.recv_timeout(LONG).unwrap();
            client
        })
        .collect();
    release.send(true).unwrap();
    for client in &mut clients {
        assert_eq!(client.response(true).status, 200);
    }
    let expected: Vec<_> = (0..8)
        .map(|id| answered("GET", "/{id}", 200, "ok", 2).field("id", id.to_string().as_str()))
        .collect();
    check(&service.finish(), &expected);
}

#[test]
fn what_was_added_is_kept_when_the_client_goes_and_timers_stop_then() {
    let (tell, told) = mpsc::channel();
    let service = Service::start_with(
        |metrics| metrics,
        move |app| {
            let tell = tell.clone();
            app.route(
                "/slow",
                web::get().to(move |m: RequestMeasurement| {
                    let tell = tell.clone();
                    async move {
                        m.set_tag("tier", "gold");
                        let _timer = m.timer("waited");
                        tell.send(()).unwrap();
                        std::future::pending::<HttpResponse>().await
                    }
                }),
            );
        },
    );
    let mut client = service.connect();
    client.request("GET", "/slow");
    told.recv_timeout(LONG).unwrap();
    client.vanish();
    service.wait_for(1);
    let points = service.finish();
    let waited = points[0].field("waited").unwrap().clone();
    assert!(waited.as_float().unwrap() > 0.0);
    check(
        &points,
        &[unanswered("GET", "/slow", 499, "aborted")
            .tag("tier", "gold")
            .field("waited", waited)],
    );
}

#[test]
fn a_panicking_handler_keeps_what_it_added() {
    let service = Service::start(|app| {
        app.route(
            "/panic",
            web::get().to(async |m: RequestMeasurement| -> &str {
                m.set_field("step", "one");
                panic!("on purpose")
            }),
        );
    });
    service.connect().request("GET", "/panic").read_to_end();
    check(
        &service.finish(),
        &[unanswered("GET", "/panic", 500, "panicked").field("step", "one")],
    );
}

#[test]
fn timers_write_seconds_also_across_an_await() {
    const PAUSE: Duration = Duration::from_millis(20);
    let service = Service::start(|app| {
        app.route(
            "/",
            web::get().to(async |m: RequestMeasurement| {
                let timer = m.timer("query");
                rt::time::sleep(PAUSE).await;
                drop(timer);
                m.time("render", |m| {
                    m.set_field("lines", 2);
                    "ok"
                })
            }),
        );
    });
    service.connect().get("/");
    let points = service.finish();
    let query = points[0].field("query").and_then(Value::as_float).unwrap();
    let render = points[0].field("render").and_then(Value::as_float).unwrap();
    assert!(query >= PAUSE.as_secs_f64(), "{query}");
    let expected = answered("GET", "/", 200, "ok", 2);
    let expected = expected.field("query", query).field("render", render);
    check(&points, &[expected.field("lines", 2_i64)]);
}

#[test]
fn a_stream_adds_to_it_until_its_end() {
    let service = Service::start(|app| {
        app.route(
            "/",
            web::get().to(async |m: RequestMeasurement| {
                let chunks = (1..=3).map(move |chunk| {
                    m.set_field("chunks", chunk);
                    Ok::<_, actix_web::Error>(web::Bytes::from_static(b"x"))
                });
                HttpResponse::Ok().streaming(stream::iter(chunks))
            }),
        );
    });
    service
        .connect()
        .request("GET", "/")
        .read_until(b"\r\n0\r\n\r\n");
    check(
        &service.finish(),
        &[answered("GET", "/", 200, "ok", 3).field("chunks", 3_i64)],
    );
}

#[test]
fn a_timer_that_a_body_owns_stops_with_it() {
    let service = Service::start(|app| {
        app.route(
            "/",
            web::get().to(async |m: RequestMeasurement| {
                let timer = m.timer("body");
                let chunks = [Ok::<_, actix_web::Error>(web::Bytes::from_static(b"x"))];
                HttpResponse::Ok().streaming(stream::iter(chunks).inspect(move |_| {
                    _ = &timer;
                }))
            }),
        );
    });
    let mut client = service.connect();
    client.request("GET", "/").read_until(b"\r\n0\r\n\r\n");
    let points = service.finish();
    let body = points[0].field("body").and_then(Value::as_float).unwrap();
    let expected = answered("GET", "/", 200, "ok", 1).field("body", body);
    check(&points, &[expected]);
}

#[test]
fn skip_leaves_the_request_out() {
    let service = Service::start(|app| {
        app.route(
            "/{skip}",
            web::get().to(async |skip: web::Path<bool>, m: RequestMeasurement| {
                if skip.into_inner() {
                    m.skip();
                }
                "ok"
            }),
        );
    });
    let mut client = service.connect();
    client.get("/true");
    client.get("/false");
    check(
        &service.finish(),
        &[answered("GET", "/{skip}", 200, "ok", 2)],
    );
}

#[test]
fn it_wins_over_what_the_middleware_sets() {
    let service = Service::start(|app| {
        app.route(
            "/x",
            web::get().to(async |m: RequestMeasurement| {
                m.set_tag("endpoint", "mine");
                m.set_field("content_length", 7);
                "ok"
            }),
        );
    });
    service.connect().get("/x");
    check(&service.finish(), &[answered("GET", "mine", 200, "ok", 7)]);
}

async fn add_in_between(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> actix_web::Result<actix_web::dev::ServiceResponse> {
    request.measurement().unwrap().set_tag("way", "in");
    let response = next.call(request).await?;
    // Inside of the middleware, so before it has the response.
    response
        .request()
        .measurement()
        .unwrap()
        .set_field("back", true);
    Ok(response)
}

#[test]
fn other_middlewares_and_guards_add_to_it() {
    let service = Service::start(|app| {
        app.service(
            web::scope("/api").wrap(from_fn(add_in_between)).service(
                web::resource("/x")
                    .guard(guard::fn_guard(|context| {
                        context.measurement().unwrap().set_field("guarded", true);
                        true
                    }))
                    .get(async |request: HttpRequest| {
                        request.measurement().unwrap().set_field("handled", true);
                        "ok"
                    }),
            ),
        );
    });
    service.connect().get("/api/x");
    let expected = answered("GET", "/api/x", 200, "ok", 2).tag("way", "in");
    let expected = expected.field("back", true).field("guarded", true);
    check(&service.finish(), &[expected.field("handled", true)]);
}

#[test]
fn a_handler_in_a_task_of_its_own_finds_it() {
    let service = Service::start(|app| {
        let spawning = from_fn(async |request: ServiceRequest, next: Next<BoxBody>| {
            rt::spawn(next.call(request)).await.unwrap()
        });
        app.service(
            web::resource("/x")
                .wrap(spawning)
                .get(async |m: RequestMeasurement| {
                    m.set_field("found", true);
                    "ok"
                }),
        );
    });
    service.connect().get("/x");
    check(
        &service.finish(),
        &[answered("GET", "/x", 200, "ok", 2).field("found", true)],
    );
}

#[actix_web::test]
async fn without_the_middleware_the_extractor_is_an_error_that_says_so_and_the_option_is_none() {
    use actix_web::{App, test};
    let app = App::new()
        .route(
            "/needs",
            web::get().to(async |_: RequestMeasurement| "never"),
        )
        .route(
            "/may",
            web::get().to(async |m: Option<RequestMeasurement>| m.is_some().to_string()),
        );
    let app = test::init_service(app).await;
    let get = |target| test::TestRequest::get().uri(target).to_request();
    let response = test::call_service(&app, get("/needs")).await;
    assert_eq!(response.status(), 500);
    let body = test::read_body(response).await;
    let message = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        message.contains("no InfluxMetrics wraps its route"),
        "{message}"
    );
    let body = test::call_and_read_body(&app, get("/may")).await;
    assert_eq!(body, "false");
}
