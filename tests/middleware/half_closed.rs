//! Clients that close their connection normally, while the server is at work for them. It sees that
//! nothing more comes, and can't know whether somebody reads.

use std::{sync::mpsc, time::Duration};

use actix_influxdb::{InfluxMetrics, testing::Point};
use actix_web::{HttpResponse, rt, web};
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::{
    client::Client,
    expect::{Expected, answered, check, unanswered},
    service::{DATABASE, LONG, Service},
};

/// What becomes of a client that has asked for what is not ready yet.
struct Waiting {
    service: Service,
    client: Client,
    release: watch::Sender<bool>,
}

impl Waiting {
    fn start(half_closed: bool) -> Self {
        let (tell, told) = mpsc::channel();
        let (release, released) = watch::channel(false);
        let routes = move |app: &mut web::ServiceConfig| {
            let (tell, released) = (tell.clone(), released.clone());
            let handler = move || {
                let (tell, mut released) = (tell.clone(), released.clone());
                async move {
                    tell.send(()).unwrap();
                    released.wait_for(|released| *released).await.unwrap();
                    "answer"
                }
            };
            app.route("/slow", web::get().to(handler))
                .route("/hello", web::get().to(async || "hello"));
        };
        let build = |influx: &_| (InfluxMetrics::new(influx, DATABASE), routes);
        let service = Service::start_server(half_closed, build);
        let mut client = service.connect();
        client.request("GET", "/slow");
        told.recv_timeout(LONG).unwrap();
        Self {
            service,
            client,
            release,
        }
    }
}

/// The measurement of what was asked for, which is ready after the server has seen the client close.
fn measured(service: Service, release: &watch::Sender<bool>) -> Vec<Point> {
    // Its one worker has looked at all connections, when it has answered another twice.
    let mut other = service.connect();
    for _ in 0..2 {
        assert_eq!(other.get("/hello").status, 200);
    }
    release.send(true).ok();
    service.wait_for(3);
    let mut points = service.finish();
    points.retain(|point| point.tag("endpoint") == Some("/slow"));
    points
}

fn ok() -> Expected {
    answered("GET", "/slow", 200, "ok", 6)
}

fn aborted() -> Expected {
    unanswered("GET", "/slow", 499, "aborted")
}

#[test]
fn a_client_that_only_stops_sending_is_answered() {
    let Waiting {
        service,
        mut client,
        release,
    } = Waiting::start(true);
    client.close_sending();
    let points = measured(service, &release);
    assert_eq!(client.response(true).body, b"answer");
    check(&points, &[ok()]);
}

#[test]
fn a_client_that_has_closed_is_ok_since_the_server_takes_it_for_one_that_reads() {
    let Waiting {
        service,
        client,
        release,
    } = Waiting::start(true);
    drop(client);
    check(&measured(service, &release), &[ok()]);
}

#[test]
fn a_client_that_has_closed_is_aborted_where_half_closed_connections_are_not_allowed() {
    let Waiting {
        service,
        client,
        release,
    } = Waiting::start(false);
    drop(client);
    // The handler never ends.
    service.wait_for(1);
    check(&measured(service, &release), &[aborted()]);
}

#[test]
fn a_client_that_only_stops_sending_is_not_answered_where_that_is_not_allowed() {
    let Waiting {
        service,
        mut client,
        release,
    } = Waiting::start(false);
    client.close_sending();
    assert_eq!(client.read_to_end(), b"");
    check(&measured(service, &release), &[aborted()]);
}

#[test]
fn a_client_that_sends_its_request_and_the_end_at_once_is_answered_if_that_is_ready() {
    for half_closed in [true, false] {
        let service = Service::start_server(half_closed, |influx| {
            let hello = |app: &mut web::ServiceConfig| {
                app.route("/hello", web::get().to(async || "hello"));
            };
            (InfluxMetrics::new(influx, DATABASE), hello)
        });
        let mut client = service.connect();
        let response = client.request("GET", "/hello").close_sending();
        assert_eq!(response.response(true).body, b"hello");
        check(
            &service.finish(),
            &[answered("GET", "/hello", 200, "ok", 5)],
        );
    }
}

#[test]
fn a_client_that_has_closed_in_the_body_is_aborted_when_it_is_written_to() {
    let service = Service::start(|app| {
        let ticks = async || {
            let tick = async |()| {
                rt::time::sleep(Duration::from_millis(1)).await;
                Some((Ok::<_, actix_web::Error>(web::Bytes::from("tick")), ()))
            };
            HttpResponse::Ok().streaming(Box::pin(stream::unfold((), tick)))
        };
        app.route("/ticks", web::get().to(ticks));
    });
    let mut client = service.connect();
    client.request("GET", "/ticks").read_until(b"tick");
    drop(client);
    service.wait_for(1);
    let points = service.finish();
    let sent = points[0].field("content_length").unwrap().as_integer();
    let expected = answered("GET", "/ticks", 200, "aborted", sent.unwrap());
    check(&points, &[expected]);
}

#[test]
fn a_client_that_has_closed_in_a_silent_body_is_aborted_where_half_closed_is_not_allowed() {
    let service = Service::start_server(false, |influx| {
        let silent = async || {
            let first = stream::iter([Ok::<_, actix_web::Error>("first".into())]);
            HttpResponse::Ok().streaming(first.chain(stream::pending()))
        };
        let routes = move |app: &mut web::ServiceConfig| {
            app.route("/silent", web::get().to(silent));
        };
        (InfluxMetrics::new(influx, DATABASE), routes)
    });
    let mut client = service.connect();
    client.request("GET", "/silent").read_until(b"first");
    drop(client);
    service.wait_for(1);
    check(
        &service.finish(),
        &[answered("GET", "/silent", 200, "aborted", 5)],
    );
}
