//! Every script of an answer.

use std::time::{Duration, Instant, SystemTime};

use actix_influxdb::testing::{Answer, FakeInflux};

use crate::client::{Client, Cut, MOMENT, PATIENCE, write};

#[test]
fn scripted_answers_are_used_in_order_and_only_for_writes() {
    let influx = FakeInflux::start();
    influx.answer_always(Answer::status(500));
    influx.answer_next(Answer::status(503).retry_after(30));
    influx.answer_next(Answer::accept());
    influx.answer_next(Answer::error(500, "retention policy not found: one_week"));

    let mut client = Client::new(&influx);
    assert_eq!(client.get("/ping").response().status, 204);
    let busy = client.post("d", "m v=1 1").response();
    assert_eq!(
        (busy.status, busy.header("retry-after"), busy.text()),
        (503, Some("30"), "")
    );
    assert_eq!(client.post("d", "m v=1 2").response().status, 204);
    let missing = client.post("d", "m v=1 3").response();
    assert_eq!(
        missing.header("x-influxdb-error"),
        Some("retention policy not found: one_week")
    );
    assert_eq!(
        missing.text(),
        "{\"error\":\"retention policy not found: one_week\"}\n"
    );
    for _ in 0..3 {
        assert_eq!(client.post("d", "m v=1 4").response().status, 500);
    }
    influx.answer_always(Answer::accept());
    assert_eq!(client.post("d", "m v=1 5").response().status, 204);
    let statuses: Vec<_> = influx
        .requests()
        .iter()
        .map(|request| request.status.unwrap())
        .collect();
    assert_eq!(statuses, [204, 503, 204, 500, 500, 500, 500, 204]);
    assert_eq!(influx.count("d"), 2);
}

#[test]
fn a_function_may_decide_by_the_request() {
    let influx = FakeInflux::start();
    influx.answer_with(|request| {
        if request.text().contains("poison") {
            Answer::status(422)
        } else {
            Answer::accept()
        }
    });
    assert_eq!(write(&influx, "d", "m v=1 1").status, 204);
    assert_eq!(write(&influx, "d", "m v=1 2\npoison v=1 2").status, 422);
    influx.answer_next(Answer::status(429));
    assert_eq!(write(&influx, "d", "m v=1 3").status, 429);

    influx.answer_with(|_| Answer::status(200).stall_before_body());
    let mut client = Client::new(&influx).patience(MOMENT);
    assert_eq!(client.post("d", "m v=1 4").end(), Cut::Silence(Vec::new()));
    influx.release();
    assert_eq!(client.response().status, 200);
}

#[test]
fn an_answer_may_have_any_status_body_and_headers() {
    let influx = FakeInflux::start();
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let binary: Vec<u8> = (0..=255).collect();
    influx.answer_next(
        Answer::status(503)
            .retry_after_date(date)
            .header("X-A", "b")
            .body(binary.clone()),
    );
    influx.answer_next(Answer::status(500).body_of_size(3_000_000));
    influx.answer_next(Answer::status(500).body("in chunks").chunked());

    let mut client = Client::new(&influx);
    let response = client.post("d", "m v=1 1").response();
    assert_eq!(
        response.header("retry-after"),
        Some("Sun, 09 Sep 2001 01:46:40 GMT")
    );
    assert_eq!(
        (response.header("x-a"), &response.body),
        (Some("b"), &binary)
    );
    assert_eq!(client.post("d", "m v=1 1").response().body.len(), 3_000_000);
    let chunked = client.post("d", "m v=1 1").response();
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert_eq!(chunked.text(), "in chunks");
}

#[test]
fn an_answer_may_store_and_not_tell() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::status(500).store());
    assert_eq!(write(&influx, "d", "m v=1 1\nbad\nm v=1 2").status, 500);
    assert_eq!(influx.count("d"), 2);

    influx.answer_next(Answer::accept().cut_response(0));
    let cut = Client::new(&influx).post("d", "m v=1 3").end();
    assert_eq!((cut, influx.count("d")), (Cut::End(Vec::new()), 3));
    assert_eq!(influx.requests()[1].status, None);
}

#[test]
fn a_stall_before_the_body_ends_when_it_is_released() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::accept().stall_before_body());
    let mut client = Client::new(&influx).patience(MOMENT);
    client.post("d", "m v=1 1");
    influx.wait_for_requests(1, PATIENCE);
    assert_eq!(client.end(), Cut::Silence(Vec::new()));
    let stalled = &influx.requests()[0];
    assert_eq!(
        (stalled.body.len(), stalled.status, influx.count("d")),
        (0, None, 0)
    );

    influx.release();
    assert_eq!(client.patience(PATIENCE).response().status, 204);
    let done = &influx.requests()[0];
    assert_eq!(
        (done.body.len(), done.status, influx.count("d")),
        (7, Some(204), 1)
    );
    assert_eq!(influx.request_count(), 1);
}

#[test]
fn a_late_answer_comes_after_the_points_are_stored() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::accept().stall_before_response());
    let mut client = Client::new(&influx).patience(MOMENT);
    client.post("d", "m v=1 1");
    influx.wait_for_points("d", 1, PATIENCE);
    assert_eq!(client.end(), Cut::Silence(Vec::new()));
    influx.release();
    assert_eq!(client.patience(PATIENCE).response().status, 204);
}

#[test]
fn a_release_frees_what_was_recorded_before_it_and_nothing_else() {
    let influx = FakeInflux::start();
    influx.release();
    influx.answer_always(Answer::status(200).stall_before_response());
    let mut first = Client::new(&influx);
    first.post("d", "m v=1 1");
    influx.wait_for_requests(1, PATIENCE);
    influx.release();
    assert_eq!(first.response().status, 200);
    let mut second = first.patience(MOMENT);
    second.post("d", "m v=1 2");
    assert_eq!(second.end(), Cut::Silence(Vec::new()));
}

#[test]
fn a_stall_in_the_response_leaves_its_beginning() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::status(500).body("oops").stall_in_response(12));
    let mut client = Client::new(&influx).patience(MOMENT);
    client.post("d", "m v=1 1");
    assert_eq!(client.end(), Cut::Silence(b"HTTP/1.1 500".to_vec()));
    influx.release();
    let response = client.patience(PATIENCE).response();
    assert_eq!((response.status, response.text()), (500, "oops"));
}

#[test]
fn a_dropped_server_ends_every_kind_of_stall_at_once() {
    let influx = FakeInflux::start();
    let stalls = [
        Answer::accept().stall_before_body(),
        Answer::accept().stall_before_response(),
        Answer::accept().stall_in_response(5),
        Answer::accept().drip(1, Duration::from_secs(3_600)),
    ];
    let mut clients: Vec<_> = (1..)
        .zip(stalls)
        .map(|(count, stall)| {
            influx.answer_next(stall);
            let mut client = Client::new(&influx);
            client.post("d", "m v=1 1");
            influx.wait_for_requests(count, PATIENCE);
            client
        })
        .collect();
    // One that is silent, and one that never reads its large answer.
    clients.push(Client::new(&influx));
    influx.answer_next(Answer::status(500).body_of_size(30_000_000));
    let mut deaf = Client::new(&influx);
    deaf.post("d", "m v=1 1");
    influx.wait_for_requests(5, PATIENCE);

    let start = Instant::now();
    drop(influx);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    for client in &mut clients {
        assert!(!matches!(client.end(), Cut::Silence(_)));
    }
}

#[test]
fn the_next_connection_is_closed_when_it_is_accepted() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::hang_up());
    influx.answer_next(Answer::hang_up().reset());
    assert_eq!(Client::new(&influx).end(), Cut::End(Vec::new()));
    assert_eq!(Client::new(&influx).end(), Cut::Reset);
    assert_eq!(
        Client::new(&influx).post("d", "m v=1 1").response().status,
        204
    );
    assert_eq!((influx.request_count(), influx.connection_count()), (1, 3));
}

#[test]
fn a_connection_that_is_open_is_closed_at_the_next_write() {
    let influx = FakeInflux::start();
    let mut client = Client::new(&influx);
    client.get("/ping").response();
    influx.answer_next(Answer::hang_up());
    assert_eq!(client.get("/ping").response().status, 204);
    assert_eq!(client.post("d", "m v=1 1").end(), Cut::End(Vec::new()));
    assert_eq!((influx.write_count(), influx.count("d")), (1, 0));
}

#[test]
fn a_request_is_cut_in_its_body() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::cut_request(3));
    influx.answer_next(Answer::cut_request(3).reset());
    let mut client = Client::new(&influx);
    assert_eq!(client.post("d", "m v=1 1").end(), Cut::End(Vec::new()));
    let mut client = Client::new(&influx);
    assert_eq!(client.post("d", "m v=1 1").end(), Cut::Reset);
    for request in influx.requests() {
        assert_eq!((&request.body[..], request.status), (&b"m v"[..], None));
    }
    assert_eq!(influx.count("d"), 0);
}

#[test]
fn a_response_is_cut_anywhere() {
    let influx = FakeInflux::start();
    let status_line = b"HTTP/1.1 500 Internal Server Error\r\n";
    influx.answer_next(
        Answer::status(500)
            .body("oops")
            .cut_response(status_line.len()),
    );
    let mut client = Client::new(&influx);
    assert_eq!(
        client.post("d", "m v=1 1").end(),
        Cut::End(status_line.to_vec())
    );

    let whole = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noo";
    influx.answer_next(Answer::status(500).body("oops").cut_response(whole.len()));
    let mut client = Client::new(&influx);
    assert_eq!(client.post("d", "m v=1 1").end(), Cut::End(whole.to_vec()));

    influx.answer_next(Answer::status(500).store().cut_response(0).reset());
    let mut client = Client::new(&influx);
    assert_eq!(
        (client.post("d", "m v=1 1").end(), influx.count("d")),
        (Cut::Reset, 1)
    );
}

#[test]
fn a_response_drips() {
    let influx = FakeInflux::start();
    let pause = Duration::from_millis(2);
    influx.answer_next(Answer::status(500).body("oops").drip(10, pause));
    let start = Instant::now();
    let response = write(&influx, "d", "m v=1 1");
    assert_eq!((response.status, response.text()), (500, "oops"));
    assert!(start.elapsed() >= 5 * pause, "{:?}", start.elapsed());
}

#[test]
fn a_body_may_be_shorter_or_longer_than_announced() {
    let influx = FakeInflux::start();
    influx.answer_next(
        Answer::status(500)
            .body("oops")
            .announce_length(9)
            .close_unannounced(),
    );
    let mut client = Client::new(&influx);
    let cut = client.post("d", "m v=1 1").try_response().unwrap_err();
    assert_eq!(cut, Cut::End(b"oops".to_vec()));

    influx.answer_next(Answer::status(500).body("oops").announce_length(2));
    let mut client = Client::new(&influx).patience(MOMENT);
    assert_eq!(client.post("d", "m v=1 1").response().text(), "oo");
    assert_eq!(client.end(), Cut::Silence(b"ps".to_vec()));
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::status(500).body("oops").without_length());
    let response = write(&influx, "d", "m v=1 1");
    assert_eq!(
        (response.status, response.header("content-length")),
        (500, None)
    );
    assert_eq!(response.text(), "oops");
}

#[test]
fn a_connection_is_closed_after_the_answer_without_notice() {
    let influx = FakeInflux::start();
    influx.answer_next(Answer::accept().close_unannounced());
    let mut client = Client::new(&influx);
    let response = client.post("d", "m v=1 1").response();
    assert_eq!(
        (response.status, response.header("connection")),
        (204, None)
    );
    assert_eq!(client.end(), Cut::End(Vec::new()));
}
