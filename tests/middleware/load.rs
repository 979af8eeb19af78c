use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use actix_web::{HttpResponse, rt, web};
use futures_util::{StreamExt as _, stream};

use crate::service::Service;

const CLIENTS: usize = 4;
const EACH: usize = 60;

/// What a client does. How the first two end is left to chance.
const PLANS: [Plan; 5] = [
    Plan::new("/whole", "", ""),
    Plan::new("/whole", "", "\r\n\r\n"),
    Plan::new("/whole", "", "\r\n0\r\n\r\n"),
    Plan::new("/endless", "", "first"),
    // The server says so when it begins with the request.
    Plan::new("/never", "Expect: 100-continue\r\n", "100 Continue\r\n\r\n"),
];

#[derive(Clone, Copy)]
struct Plan {
    target: &'static str,
    header: &'static str,
    /// What it waits for before it vanishes.
    last: &'static str,
}

impl Plan {
    const fn new(target: &'static str, header: &'static str, last: &'static str) -> Self {
        Self {
            target,
            header,
            last,
        }
    }
}

fn response(target: &str) -> HttpResponse {
    let chunks = (0..50).map(|_| Ok::<_, actix_web::Error>(web::Bytes::from_static(b"bytes")));
    match target {
        "whole" => HttpResponse::Ok().streaming(stream::iter(chunks)),
        _ => {
            let first = stream::iter([Ok::<_, actix_web::Error>("first".into())]);
            HttpResponse::Ok().streaming(first.chain(stream::pending()))
        }
    }
}

#[test]
fn under_random_aborts_every_request_that_was_begun_is_recorded_once() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let service = Service::start_with(
        |metrics| metrics,
        move |app| {
            let begun = Arc::clone(&count);
            let handler = move |target: web::Path<String>| {
                begun.fetch_add(1, Ordering::SeqCst);
                async move {
                    rt::task::yield_now().await;
                    if *target == "never" {
                        std::future::pending::<()>().await;
                    }
                    response(&target)
                }
            };
            app.route("/{target}", web::get().to(handler));
        },
    );
    let plans: Vec<usize> = thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|seed| {
            let service = &service;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed as u64);
                let plans: Vec<_> = (0..EACH).map(|_| random.usize(..PLANS.len())).collect();
                for plan in &plans {
                    let plan = PLANS[*plan];
                    let Plan { target, header, .. } = plan;
                    let mut client = service.connect();
                    client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{header}\r\n"));
                    client.read_until(plan.last.as_bytes());
                    client.vanish();
                }
                plans
            })
        });
        let clients: Vec<_> = clients.collect();
        let joined = clients.into_iter().map(|client| client.join().unwrap());
        joined.flatten().collect()
    });
    let points = service.finish();
    assert_eq!(points.len(), begun.load(Ordering::SeqCst));
    let recorded = |status, outcome| {
        let tags = [("status_code", status), ("outcome", outcome)];
        let is_one = |point: &&_| is_tagged(point, tags);
        points.iter().filter(is_one).count()
    };
    let counts = [("200", "ok"), ("200", "aborted"), ("499", "aborted")]
        .map(|(status, outcome)| recorded(status, outcome));
    assert_eq!(counts.iter().sum::<usize>(), points.len(), "{points:?}");
    let planned = |plan| plans.iter().filter(|it| **it == plan).count();
    for (count, plan) in counts.into_iter().zip(2..) {
        assert!(count >= planned(plan), "{counts:?}");
    }
}

fn is_tagged(point: &actix_influxdb::testing::Point, tags: [(&str, &str); 2]) -> bool {
    tags.iter()
        .all(|(key, value)| point.tag(key) == Some(value))
}
