use actix_web::web;

use crate::{
    expect::{answered, check},
    service::Service,
};

#[test]
fn a_part_of_the_requests_is_recorded_with_the_weight_of_all() {
    const REQUESTS: usize = 400;
    let service = Service::start_with(
        |metrics| metrics.sample(0.25),
        |app| {
            app.route("/", web::get().to(async || "ok"));
        },
    );
    let mut client = service.connect();
    for _ in 0..REQUESTS {
        assert_eq!(client.get("/").status, 200);
    }
    let points = service.finish();
    // Six standard deviations around a quarter of them.
    assert!((48..=152).contains(&points.len()), "{}", points.len());
    let expected = answered("GET", "/", 200, "ok", 2).field("weight", 4.0);
    check(&points, &vec![expected; points.len()]);
}

#[test]
fn a_rate_of_1_records_all_with_a_weight_of_1() {
    let service = Service::start_with(
        |metrics| metrics.sample(1.0),
        |app| {
            app.route("/", web::get().to(async || "ok"));
        },
    );
    let mut client = service.connect();
    let expected = answered("GET", "/", 200, "ok", 2).field("weight", 1.0);
    for _ in 0..5 {
        client.get("/");
    }
    check(&service.finish(), &vec![expected; 5]);
}
