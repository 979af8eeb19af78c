use std::sync::mpsc;

use actix_influxdb::testing::Point;
use actix_web::{HttpResponse, rt, web};
use bytes::Bytes;
use futures_util::stream;
use h2::client::SendRequest;
use tokio::sync::watch;

use crate::{
    expect::{answered, check},
    service::{LONG, Service},
};

/// A connection that knows beforehand that the server speaks HTTP/2.
pub async fn connect(service: &Service) -> SendRequest<Bytes> {
    let socket = tokio::net::TcpStream::connect(service.address)
        .await
        .unwrap();
    let (client, connection) = h2::client::handshake(socket).await.unwrap();
    rt::spawn(connection);
    client.ready().await.unwrap()
}

pub fn request(method: &str, path: &str) -> http::Request<()> {
    let request = http::Request::builder().method(method);
    request
        .uri(format!("http://localhost{path}"))
        .body(())
        .unwrap()
}

pub async fn body(response: http::Response<h2::RecvStream>) -> Vec<u8> {
    let mut stream = response.into_body();
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        body.extend_from_slice(&chunk.unwrap());
    }
    body
}

#[test]
fn streams_of_a_connection_are_measurements_of_their_own() {
    let service = Service::start(|app| {
        app.route("/hello", web::route().to(async || "hello"));
        app.route("/204", web::get().to(async || HttpResponse::NoContent()));
    });
    rt::System::new().block_on(async {
        let mut client = connect(&service).await;
        for (method, path, expected) in [
            ("GET", "/hello", "hello"),
            ("HEAD", "/hello", ""),
            ("GET", "/204", ""),
            ("GET", "/none", ""),
        ] {
            let (response, _) = client.send_request(request(method, path), true).unwrap();
            assert_eq!(body(response.await.unwrap()).await, expected.as_bytes());
        }
    });
    check(
        &service.finish(),
        &[
            answered("GET", "/hello", 200, "ok", 5),
            answered("HEAD", "/hello", 200, "ok", 0),
            answered("GET", "/204", 204, "ok", 0),
            answered("GET", "unmatched", 404, "ok", 0),
        ],
    );
}

/// A whole request, so that the server has seen what was sent before.
async fn round_trip(client: &mut SendRequest<Bytes>) {
    for _ in 0..2 {
        let (response, _) = client.send_request(request("GET", "/hello"), true).unwrap();
        assert_eq!(body(response.await.unwrap()).await, b"hello");
    }
}

/// The measurements of `path`.
fn of(service: Service, path: &str) -> Vec<Point> {
    let mut points = service.finish();
    points.retain(|point| point.tag("endpoint") == Some(path));
    points
}

#[test]
fn a_stream_that_is_reset_in_the_body_is_aborted() {
    let service = Service::start(|app| {
        let endless = async || {
            let chunk = web::Bytes::from_static(&[b'x'; 1_024]);
            let chunks = std::iter::repeat_with(move || Ok::<_, actix_web::Error>(chunk.clone()));
            HttpResponse::Ok().streaming(stream::iter(chunks))
        };
        app.route("/endless", web::get().to(endless));
        app.route("/hello", web::get().to(async || "hello"));
    });
    rt::System::new().block_on(async {
        let mut client = connect(&service).await;
        let (response, mut sender) = client
            .send_request(request("GET", "/endless"), true)
            .unwrap();
        let mut stream = response.await.unwrap().into_body();
        stream.data().await.unwrap().unwrap();
        sender.send_reset(h2::Reason::CANCEL);
        round_trip(&mut client).await;
    });
    service.wait_for(3);
    let points = of(service, "/endless");
    let sent = points[0].field("content_length").unwrap().as_integer();
    let sent = sent.filter(|sent| *sent > 0).unwrap();
    check(
        &points,
        &[answered("GET", "/endless", 200, "aborted", sent)],
    );
}

#[test]
fn a_stream_that_is_reset_before_the_head_is_aborted_with_nothing_sent() {
    let (tell, told) = mpsc::channel();
    let (release, released) = watch::channel(false);
    let service = Service::start_with(
        |metrics| metrics,
        move |app| {
            let (tell, released) = (tell.clone(), released.clone());
            let handler = move || {
                let (tell, mut released) = (tell.clone(), released.clone());
                async move {
                    tell.send(()).unwrap();
                    released.wait_for(|released| *released).await.unwrap();
                    "too late"
                }
            };
            app.route("/slow", web::get().to(handler));
            app.route("/hello", web::get().to(async || "hello"));
        },
    );
    rt::System::new().block_on(async {
        let mut client = connect(&service).await;
        let (response, _) = client.send_request(request("GET", "/slow"), true).unwrap();
        let begun = rt::task::spawn_blocking(move || told.recv_timeout(LONG).unwrap());
        begun.await.unwrap();
        drop(response);
        round_trip(&mut client).await;
    });
    // actix-web lets the handler go on, and finds out when it sends the head.
    release.send(true).unwrap();
    service.wait_for(3);
    let expected = answered("GET", "/slow", 200, "aborted", 0);
    check(&of(service, "/slow"), &[expected]);
}
