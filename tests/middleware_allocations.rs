//! What a request costs in heap allocations, with the middleware and without it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use actix_influxdb::{Config, Influx, InfluxMetrics, testing::FakeInflux};
use actix_web::{App, body::to_bytes, dev::Service, dev::ServiceResponse, test, web};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: it is the system's allocator; counting allocates nothing.
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
async fn per_request<S, B, E>(service: S) -> f64
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = E>,
    B: actix_web::body::MessageBody,
    E: std::fmt::Debug,
{
    let peer = "127.0.0.1:4000".parse().unwrap();
    let mut counted = 0;
    for round in 0..WARM_UP + REQUESTS {
        let request = test::TestRequest::with_uri("/users/7").peer_addr(peer);
        let request = request.to_request();
        let before = ALLOCATIONS.get();
        let response = service.call(request).await.unwrap();
        let body = to_bytes(response.into_body()).await;
        assert_eq!(body.ok().unwrap(), "a user");
        if round >= WARM_UP {
            counted += ALLOCATIONS.get() - before;
        }
    }
    counted as f64 / REQUESTS as f64
}

#[actix_web::test]
async fn a_measured_request_costs_one_allocation_more_the_text_of_its_pattern() {
    let fake = FakeInflux::start();
    let influx = Influx::start(Config::v1(fake.url())).unwrap();
    let route = || {
        web::resource("/users/{id}")
            .name("user")
            .to(async || "a user")
    };
    let bare = per_request(test::init_service(App::new().service(route())).await).await;
    let metrics = InfluxMetrics::new(&influx, "db");
    let measured = App::new().service(route()).wrap(metrics);
    let measured = per_request(test::init_service(measured).await).await;
    // actix-web makes the pattern's text anew for each request that asks; a tray's buffer grows
    // now and then.
    let added = measured - bare;
    assert!(added <= 1.05, "{added} more than the {bare} of a bare one");
    assert!(influx.shutdown(Duration::from_secs(20)).await.is_complete());
    assert_eq!(fake.count("db") as u64, WARM_UP + REQUESTS);
}
