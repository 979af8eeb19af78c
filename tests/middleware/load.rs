use std::{
    collections::BTreeMap,
    iter, mem,
    sync::{Arc, Mutex},
    thread,
};

use actix_influxdb::testing::Point;
use actix_web::{
    HttpResponse,
    dev::Service as _,
    error, rt,
    web::{self, Bytes, ServiceConfig},
};
use fastrand::Rng;
use futures_util::{StreamExt as _, stream};

use crate::{client::Client, service::Service};

const CLIENTS: u64 = 6;
const CONNECTIONS: usize = 80;

/// How a client spends a connection. In some it can tell what becomes of its requests.
const PLANS: [fn(&Service, &mut Rng, &mut Told); 8] = [
    // It vanishes without a look, or after the head, or after some of the body.
    |service, random, _| {
        let mut client = service.connect();
        client.request("GET", "/whole");
        client.read_until([&b""[..], b"\r\n\r\n", b"bytes"][random.usize(..3)]);
        client.vanish();
    },
    // It sends half a request, or two, or five, and does the same.
    |service, random, _| {
        let mut client = service.connect();
        let all = b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5);
        client.send(&all[..random.usize(1..=all.len())]);
        if random.bool() {
            thread::yield_now();
        }
        client.vanish();
    },
    // It reads all that it asked for, once or more, and closes the connection.
    |service, random, told| {
        let mut client = service.connect();
        for _ in 0..random.usize(1..5) {
            read_whole(&mut client, told);
        }
    },
    // It does so, and vanishes while it waits for more.
    |service, random, told| {
        let mut client = service.connect();
        for _ in 0..random.usize(..3) {
            read_whole(&mut client, told);
        }
        client.request("GET", "/endless").read_until(b"first");
        told.add(("/endless", "200", "aborted"));
        client.vanish();
    },
    // It vanishes when the server says that it begins.
    |service, _, told| {
        let mut client = service.connect();
        client.send("GET /never HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n");
        client.read_until(b"100 Continue\r\n\r\n");
        told.add(("/never", "499", "aborted"));
        client.vanish();
    },
    |service, _, told| {
        assert_eq!(service.connect().get("/fails").status, 500);
        told.add(("/fails", "500", "error"));
    },
    |service, _, told| {
        service.connect().request("GET", "/panics").read_to_end();
        told.add(("/panics", "500", "panicked"));
    },
    // It reads the first of its requests, and vanishes amid the others.
    |service, random, told| {
        let mut client = service.connect();
        let requests = random.usize(2..5);
        client.send("GET /whole HTTP/1.1\r\nHost: x\r\n\r\n".repeat(requests));
        client.read_until(END);
        told.add(WHOLE);
        client.vanish();
    },
];

type Kind = (&'static str, &'static str, &'static str);

const WHOLE: Kind = ("/whole", "200", "ok");
const END: &[u8] = b"\r\n0\r\n\r\n";

/// What clients can tell of their requests: so many of an endpoint, status and outcome.
#[derive(Default)]
struct Told(BTreeMap<Kind, usize>);

impl Told {
    fn add(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }
}

fn read_whole(client: &mut Client, told: &mut Told) {
    client.request("GET", "/whole").take_until(END);
    told.add(WHOLE);
}

/// How many requests of each path reached the service, as it counts them itself.
type Begun = Arc<Mutex<BTreeMap<String, usize>>>;

fn routes(app: &mut ServiceConfig, begun: Begun) {
    let whole = async || {
        rt::task::yield_now().await;
        let chunks = (0..50).map(|_| Ok::<_, actix_web::Error>(Bytes::from("bytes")));
        HttpResponse::Ok().streaming(stream::iter(chunks))
    };
    let endless = async || {
        let first = stream::iter([Ok::<_, actix_web::Error>("first".into())]);
        HttpResponse::Ok().streaming(first.chain(stream::pending()))
    };
    let panics = async || {
        rt::task::yield_now().await;
        if true {
            panic!("as planned");
        }
        ""
    };
    let fails = async || Err::<&str, _>(error::ErrorInternalServerError("as planned"));
    let scope = web::scope("").wrap_fn(move |request, service| {
        let path = request.path().to_owned();
        *begun.lock().unwrap().entry(path).or_default() += 1;
        service.call(request)
    });
    app.service(
        scope
            .route("/whole", web::get().to(whole))
            .route("/endless", web::get().to(endless))
            .route(
                "/never",
                web::get().to(std::future::pending::<HttpResponse>),
            )
            .route("/panics", web::get().to(panics))
            .route("/fails", web::get().to(fails)),
    );
}

#[test]
fn under_random_aborts_requests_served_and_aborted_are_the_measurements_exactly() {
    let begun = Begun::default();
    let counted = Arc::clone(&begun);
    let service = Service::start_with(
        |metrics| metrics,
        move |app| routes(app, Arc::clone(&counted)),
    );
    let told = Mutex::new(Told::default());
    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            let (service, told) = (&service, &told);
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                let mut mine = Told::default();
                for _ in 0..CONNECTIONS {
                    let plan = random.choice(PLANS).unwrap();
                    plan(service, &mut random, &mut mine);
                }
                let mut told = told.lock().unwrap();
                for (kind, count) in mine.0 {
                    *told.0.entry(kind).or_default() += count;
                }
            });
        }
    });
    let points = service.finish();
    let told = told.into_inner().unwrap().0;
    let begun = mem::take(&mut *begun.lock().unwrap());

    let mut recorded = BTreeMap::new();
    let mut by_endpoint = BTreeMap::new();
    for point in &points {
        *recorded.entry(kind_of(point)).or_default() += 1;
        *by_endpoint.entry(kind_of(point).0.to_owned()).or_default() += 1;
    }
    assert_eq!(by_endpoint, begun);
    for (kind, count) in &told {
        let recorded: usize = recorded.get(kind).copied().unwrap_or_default();
        match *kind {
            // Others ended so too, for all that their clients know.
            WHOLE => assert!(recorded >= *count, "{recorded} of {count}"),
            kind => assert_eq!(recorded, *count, "{kind:?}"),
        }
    }
    let unknown = ["200", "499"].map(|status| ("/whole", status, "aborted"));
    let known = told.keys().copied().chain(unknown);
    let known: Vec<_> = known.chain(iter::once(WHOLE)).collect();
    assert!(
        recorded.keys().all(|kind| known.contains(kind)),
        "{recorded:?}"
    );
}

fn kind_of(point: &Point) -> (&str, &str, &str) {
    let tag = |key| point.tag(key).unwrap();
    (tag("endpoint"), tag("status_code"), tag("outcome"))
}
