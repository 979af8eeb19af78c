use std::{future, sync::mpsc, time::Duration};

use actix_web::{HttpResponse, web};
use futures_util::stream;

use crate::{
    expect::{answered, check, unanswered},
    service::{LONG, Service},
};

#[test]
fn a_client_that_goes_before_the_head_is_aborted_with_status_499() {
    let (tell, told) = mpsc::channel();
    let service = Service::start_with(
        |metrics| metrics,
        move |app| {
            let tell = tell.clone();
            app.service(web::resource("/slow/{id}").name("slow").get(move || {
                tell.send(()).unwrap();
                future::pending::<HttpResponse>()
            }));
        },
    );
    let mut client = service.connect();
    client.request("GET", "/slow/1");
    told.recv_timeout(LONG).unwrap();
    client.vanish();
    service.wait_for(1);
    check(
        &service.finish(),
        &[unanswered("GET", "/slow/{id}", 499, "aborted").tag("handler", "slow")],
    );
}

#[test]
fn a_client_that_goes_in_the_body_is_aborted_with_the_status_it_had() {
    let service = Service::start(|app| {
        app.route(
            "/endless",
            web::get().to(async || {
                let first = stream::iter([Ok::<_, actix_web::Error>("first".into())]);
                let rest = stream::pending();
                HttpResponse::Ok().streaming(stream::StreamExt::chain(first, rest))
            }),
        );
    });
    let mut client = service.connect();
    client.request("GET", "/endless").read_until(b"first");
    client.vanish();
    service.wait_for(1);
    check(
        &service.finish(),
        &[answered("GET", "/endless", 200, "aborted", 5)],
    );
}

#[test]
fn a_body_that_a_client_leaves_unread_is_aborted_with_the_bytes_that_were_taken() {
    const CHUNK: usize = 1 << 16;
    let service = Service::start(|app| {
        app.route(
            "/large",
            web::get().to(async || {
                let chunk = Ok::<_, actix_web::Error>(web::Bytes::from_static(&[b'x'; CHUNK]));
                // More than any socket's buffer, but not for ever.
                let chunks = std::iter::repeat_with(move || chunk.as_ref().unwrap().clone());
                let chunks = chunks.take(10_000).map(Ok::<_, actix_web::Error>);
                HttpResponse::Ok().streaming(stream::iter(chunks))
            }),
        );
    });
    let mut client = service.connect();
    client.request("GET", "/large").read_until(b"xxxx");
    client.vanish();
    service.wait_for(1);
    let points = service.finish();
    let sent = points[0]
        .field("content_length")
        .unwrap()
        .as_integer()
        .unwrap();
    assert!(sent > 0 && sent < 10_000 * CHUNK as i64, "{sent}");
    check(&points, &[answered("GET", "/large", 200, "aborted", sent)]);
}

#[test]
fn the_duration_goes_to_the_end_of_the_body_and_the_first_byte_is_before_it() {
    const PAUSE: Duration = Duration::from_millis(40);
    let service = Service::start(|app| {
        app.route(
            "/slow",
            web::get().to(async || {
                let chunk = async {
                    actix_web::rt::time::sleep(PAUSE).await;
                    Ok::<_, actix_web::Error>("late".into())
                };
                HttpResponse::Ok().streaming(stream::once(Box::pin(chunk)))
            }),
        );
    });
    let mut client = service.connect();
    client.request("GET", "/slow").read_until(b"late");
    let points = service.finish();
    let seconds = |key| points[0].field(key).unwrap().as_float().unwrap();
    let body = seconds("duration") - seconds("time_to_first_byte");
    assert!(body >= PAUSE.as_secs_f64(), "{points:?}");
    check(&points, &[answered("GET", "/slow", 200, "ok", 4)]);
}
