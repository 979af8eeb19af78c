//! What a request costs in heap allocations, with the middleware and without it.

#![allow(unsafe_code)] // an allocator that counts

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::Duration,
};

use actix_influxdb::{Config, Influx, InfluxMetrics, testing::FakeInflux};
use actix_web::{
    App, HttpServer,
    body::to_bytes,
    dev::{Service, ServiceResponse},
    middleware::Condition,
    rt,
    test::{TestRequest, init_service},
    web::{self, ServiceConfig},
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: it is the system's allocator; counting allocates nothing.
#[allow(clippy::undocumented_unsafe_blocks)] // each call below has its caller's promises
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const WARM_UP: u64 = 200;
const REQUESTS: u64 = 2_000;

/// Allocations per request in the steady state.
async fn per_request<S, B, E>(service: S, path: &str) -> f64
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = E>,
    B: actix_web::body::MessageBody,
    E: std::fmt::Debug,
{
    let peer = "127.0.0.1:4000".parse().unwrap();
    let mut counted = 0;
    for round in 0..WARM_UP + REQUESTS {
        let request = TestRequest::with_uri(path).peer_addr(peer);
        let request = request.to_request();
        let before = ALLOCATIONS.get();
        let response = service.call(request).await.unwrap();
        let body = to_bytes(response.into_body()).await;
        assert!(matches!(&*body.ok().unwrap(), b"a user" | b""));
        if round >= WARM_UP {
            counted += ALLOCATIONS.get() - before;
        }
    }
    counted as f64 / REQUESTS as f64
}

/// Users' pages of all kinds: with a name, with a guard for the method, with both, with neither.
fn routes(app: &mut ServiceConfig) {
    let page = async || "a user";
    app.service(web::resource("/named/{id}").name("named").to(page))
        .service(web::resource("/guarded/{id}").get(page))
        .service(web::resource("/both/{id}").name("both").get(page))
        .service(web::resource("/neither/{id}").to(page));
}

/// How many more allocations a request for `path` is with the middleware, beside one now and then
/// of a buffer that grows.
async fn added(path: &str) -> f64 {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url())).unwrap();
    let bare = init_service(App::new().configure(routes)).await;
    let bare = per_request(bare, path).await;
    let metrics = InfluxMetrics::new(&influx, "db");
    let measured = App::new().configure(routes).wrap(metrics);
    let measured = per_request(init_service(measured).await, path).await;
    assert!(influx.shutdown(Duration::from_secs(20)).await.is_complete());
    assert_eq!(fake.count("db") as u64, WARM_UP + REQUESTS);
    measured - bare
}

#[actix_web::test]
async fn a_measured_request_costs_one_allocation_more_and_none_if_it_has_a_guard_and_a_name() {
    for (path, expected) in [
        // The table for the mark of the request, which a guard for the method makes otherwise.
        ("/named/7", 1.0),
        // The text of the pattern, which actix-web makes anew for each request that asks.
        ("/guarded/7", 1.0),
        ("/both/7", 0.0),
        ("/neither/7", 2.0),
        // The table, and the look for a pattern, which is actix-web's: one for each that it tries.
        ("/none/7", 5.0),
    ] {
        let added = added(path).await;
        assert!(added <= expected + 0.05, "{path}: {added} more");
    }
}

/// The allocations of this thread so far, of the same length each time.
async fn allocations() -> String {
    format!("{:020}", ALLOCATIONS.get())
}

/// Allocations of a server's worker per request on one connection, its reads and writes included.
fn per_request_of_a_server(metrics: Option<InfluxMetrics>, path: &str) -> f64 {
    let (tell, told) = mpsc::channel();
    let server = thread::spawn(move || {
        rt::System::new().block_on(async move {
            let app = move || {
                let is_measured = metrics.is_some();
                let unused = || InfluxMetrics::new(&disabled(), "db");
                let metrics = metrics.clone().unwrap_or_else(unused);
                App::new()
                    .service(web::resource("/named/{id}").name("named").get(allocations))
                    .route("/unnamed/{id}", web::get().to(allocations))
                    .wrap(Condition::new(is_measured, metrics))
            };
            let server = HttpServer::new(app).workers(1).disable_signals();
            let server = server.bind(("127.0.0.1", 0)).unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            tell.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = told
        .recv_timeout(std::time::Duration::from_secs(20))
        .unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut ask = || -> u64 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut response = Vec::new();
        let mut buffer = [0; 4_096];
        loop {
            let count = socket.read(&mut buffer).unwrap();
            assert!(count > 0, "the connection ended");
            response.extend_from_slice(&buffer[..count]);
            let text = str::from_utf8(&response).unwrap();
            if let Some((_, body)) = text.split_once("\r\n\r\n")
                && body.len() == 20
            {
                return body.parse().unwrap();
            }
        }
    };
    let mut before = 0;
    let mut after = 0;
    for round in 0..=WARM_UP + REQUESTS {
        let count = ask();
        if round == WARM_UP {
            before = count;
        }
        after = count;
    }
    rt::System::new().block_on(handle.stop(false));
    server.join().unwrap();
    (after - before) as f64 / REQUESTS as f64
}

fn disabled() -> Influx {
    Influx::start(Config::default().enabled(false)).unwrap()
}

#[test]
fn on_a_server_a_request_costs_one_allocation_more_and_none_with_a_name() {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url())).unwrap();
    for (path, expected) in [("/named/7", 0.0), ("/unnamed/7", 1.0)] {
        let bare = per_request_of_a_server(None, path);
        let metrics = InfluxMetrics::new(&influx, "db");
        let measured = per_request_of_a_server(Some(metrics), path);
        let added = measured - bare;
        assert!(added <= expected + 0.05, "{path}: {added} more than {bare}");
    }
}
