//! What a handler can see of its request is the same with the middleware and without it.

use std::fmt::Write as _;

use actix_influxdb::{InfluxMetrics, Placement};
use actix_web::{
    App, HttpMessage as _, HttpRequest,
    body::MessageBody,
    dev::{ConnectionInfo, ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::{Condition, Next, from_fn},
    test::{TestRequest, call_and_read_body, init_service},
    web,
};

use crate::in_process::Recorder;

/// All that can be seen, in words.
async fn report(request: HttpRequest) -> String {
    let mut report = String::new();
    let has_info = request.extensions().contains::<ConnectionInfo>();
    _ = writeln!(report, "connection info is cached: {has_info}");
    let info = request.connection_info().clone();
    _ = writeln!(report, "{info:?}");
    _ = writeln!(
        report,
        "{:?} {:?} {:?} of {:?}",
        request.method(),
        request.uri(),
        request.version(),
        request.peer_addr()
    );
    let head = request.head();
    _ = writeln!(
        report,
        "{:?} {} {} {} {}",
        head.connection_type(),
        head.upgrade(),
        head.chunked(),
        head.expect(),
        head.camel_case_headers()
    );
    let headers = request.headers().iter();
    let mut headers: Vec<_> = headers.map(|it| format!("{it:?}")).collect();
    headers.sort();
    _ = writeln!(report, "{headers:?}");
    _ = writeln!(
        report,
        "{:?} {:?} {:?}",
        request.match_info(),
        request.match_pattern(),
        request.match_name()
    );
    _ = writeln!(report, "{:?}", request.url_for("report", ["x"]));
    let before = request.extensions().get::<Before>().is_some();
    _ = writeln!(report, "{before} {:?}", request.app_data::<&'static str>());
    report
}

struct Before;

const FORGED: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

/// As one behind a proxy that is not to be believed.
async fn strip<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    for name in FORGED {
        request.headers_mut().remove(name);
    }
    next.call(request).await
}

/// As one that knows better.
async fn replace<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let value = HeaderValue::from_static("for=198.51.100.7;host=real.example;proto=https");
    let name = HeaderName::from_static("forwarded");
    request.headers_mut().insert(name, value);
    next.call(request).await
}

/// One further out.
async fn before<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    request.extensions_mut().insert(Before);
    next.call(request).await
}

async fn leave<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    next.call(request).await
}

macro_rules! reports_with {
    ($inner:expr, $metrics:expr, $measured:expr) => {{
        let metrics: InfluxMetrics = $metrics.clone();
        let inner = web::scope("")
            .service(web::resource("/report/{id}").name("report").to(report))
            .default_service(web::to(report));
        let app = App::new()
            .app_data("of the app")
            .service(inner)
            .wrap(from_fn($inner))
            .wrap(Condition::new($measured, metrics))
            .wrap(from_fn(before));
        let app = init_service(app).await;
        let mut reports = Vec::new();
        for request in requests() {
            let body = call_and_read_body(&app, request.to_request()).await;
            reports.push(String::from_utf8(body.to_vec()).unwrap());
        }
        reports
    }};
}

/// Honest and forged ones, of every kind of peer.
fn requests() -> Vec<TestRequest> {
    let peers = [
        None, // by a Unix socket
        Some("127.0.0.1:4000"),
        Some("[2001:db8::9]:4000"),
        Some("[::ffff:192.0.2.9]:4000"),
    ];
    let headers: [&[(&str, &str)]; 14] = [
        &[],
        &[("Host", "a.example:8080")],
        &[(
            "Forwarded",
            "for=192.0.2.60;proto=https;by=203.0.113.43;host=evil.example",
        )],
        &[("Forwarded", "For=\"[2001:db8:cafe::17]:4711\"")],
        &[("Forwarded", "for=\"_hidden:_port\", for=unknown")],
        &[
            ("Forwarded", "for=unknown"),
            ("Forwarded", "for=192.0.2.1;host=\"evil.example:1\""),
        ],
        &[
            ("Forwarded", "proto=https"),
            ("X-Forwarded-For", "203.0.113.9, 10.0.0.1"),
        ],
        &[("Forwarded", "for=")],
        &[("Forwarded", ";,=;for;\"")],
        &[("X-Forwarded-For", "203.0.113.9:80")],
        &[("X-Forwarded-For", ""), ("X-Forwarded-For", "203.0.113.9")],
        &[
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "gopher"),
        ],
        &[
            ("Host", "a.example"),
            ("Forwarded", "host=evil.example"),
            ("X-Request-ID", "7f-1"),
        ],
        &[
            ("Connection", "upgrade"),
            ("Expect", "100-continue"),
            ("Cookie", "a=b; c=d"),
        ],
    ];
    let mut requests = Vec::new();
    for peer in peers {
        for headers in headers {
            for path in ["/report/7?a=b", "/none", "//report//7/", "/"] {
                let mut request = TestRequest::with_uri(path);
                if let Some(peer) = peer {
                    request = request.peer_addr(peer.parse().unwrap());
                }
                for header in headers {
                    request = request.append_header(*header);
                }
                requests.push(request);
            }
        }
    }
    requests
}

#[track_caller]
fn compare(bare: &[String], measured: &[String]) {
    for (bare, measured) in bare.iter().zip(measured) {
        assert_eq!(bare, measured);
    }
    assert_eq!(bare.len(), measured.len());
}

#[actix_web::test]
async fn a_handler_sees_the_request_that_it_would_see_without_the_middleware() {
    let recorder = Recorder::start();
    let metrics = recorder.metrics().trust_forwarded(true);
    let metrics = metrics.remote_ip(Placement::Tag);
    let metrics = metrics.customize(|_, _, m| m.set_tag("customized", "yes"));
    for metrics in [metrics, recorder.metrics()] {
        compare(
            &reports_with!(leave, metrics, false),
            &reports_with!(leave, metrics, true),
        );
        compare(
            &reports_with!(strip, metrics, false),
            &reports_with!(strip, metrics, true),
        );
        compare(
            &reports_with!(replace, metrics, false),
            &reports_with!(replace, metrics, true),
        );
    }
    let points = recorder.finish().await;
    assert_eq!(points.len(), 6 * requests().len());
}

#[actix_web::test]
async fn the_address_is_read_from_the_headers_as_they_came() {
    let recorder = Recorder::start();
    let app = App::new()
        .default_service(web::to(report))
        .wrap(from_fn(strip))
        .wrap(recorder.metrics().trust_forwarded(true));
    let app = init_service(app).await;
    let mut expected = Vec::new();
    for request in requests() {
        let request = request.to_request();
        let as_it_came = {
            let headers = request.headers();
            let mut bare = TestRequest::default();
            for (name, value) in headers {
                bare = bare.append_header((name, value));
            }
            let bare = bare.to_http_request();
            let info = bare.connection_info();
            // A peer is told in the way in which it is told without a proxy.
            let peer = || Some(request.peer_addr()?.ip().to_canonical().to_string());
            info.realip_remote_addr().map(str::to_owned).or_else(peer)
        };
        expected.push(as_it_came.filter(|address| !address.is_empty()));
        let body = call_and_read_body(&app, request).await;
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(!body.contains("forwarded"), "{body}");
    }
    let points = recorder.finish().await;
    let recorded = points.iter().map(|point| point.field("remote_ip"));
    let recorded: Vec<_> = recorded
        .map(|address| Some(address?.as_str()?.to_owned()))
        .collect();
    assert_eq!(recorded, expected);
}
