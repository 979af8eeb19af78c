//! What one server has said is nothing against another one.

mod support;

use std::time::Duration;

use actix_influxdb::{
    Config, Influx,
    testing::{Answer, FakeInflux},
};
use support::measurement::record;

const LONG: Duration = Duration::from_secs(10);

fn start(config: Config) -> Influx {
    let config = config.trigger_size(1).request_timeout(LONG);
    Influx::start(config.max_retry_delay(Duration::from_millis(100))).unwrap()
}

#[actix::test]
async fn a_new_server_is_tried_at_once_whatever_the_old_one_answers_later() {
    let (old, new) = (FakeInflux::start(), FakeInflux::start());
    let overloaded = Answer::status(503).retry_after(600);
    old.answer_next(overloaded.stall_before_response());
    let influx = start(Config::v1(old.url()));
    record(&influx, "db", 1);
    old.wait_for_requests(1, LONG);
    influx.update(|config| config.url(new.url())).unwrap();
    old.release();
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(new.count("db"), 1);
}

#[actix::test]
async fn a_new_password_is_tried_at_once_whatever_becomes_of_the_old_one() {
    let fake = FakeInflux::start();
    fake.require_auth("ada", "right");
    let overloaded = Answer::status(503).retry_after(600);
    fake.answer_next(overloaded.stall_before_response());
    let influx = start(Config::v1(fake.url()).user("ada").password("wrong"));
    record(&influx, "db", 1);
    fake.wait_for_requests(1, LONG);
    influx.update(|config| config.password("right")).unwrap();
    fake.release();
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(fake.count("db"), 1);
}

#[actix::test]
async fn the_next_of_several_servers_is_tried_whatever_is_wrong_with_the_first() {
    let wrong = [
        Answer::status(500),
        Answer::status(503),
        Answer::status(429),
        Answer::error(401, "authorization failed"),
        Answer::status(404),
        Answer::hang_up(),
        Answer::accept().cut_response(10),
    ];
    for answer in wrong {
        let (first, second) = (FakeInflux::start(), FakeInflux::start());
        first.answer_always(answer.clone());
        let urls = format!("{},{}", first.url(), second.url());
        let influx = start(Config::v1(urls));
        record(&influx, "db", 1);
        let report = influx.flush(Duration::from_secs(3)).await;
        assert!(report.is_complete(), "{answer:?}: {report:?}");
        assert_eq!(second.count("db"), 1, "{answer:?}");
    }
}

#[actix::test]
async fn the_next_of_several_servers_need_not_wait_until_the_first_has_time() {
    let (first, second) = (FakeInflux::start(), FakeInflux::start());
    first.answer_always(Answer::status(503).retry_after(600));
    let influx = start(Config::v1(format!("{},{}", first.url(), second.url())));
    record(&influx, "db", 1);
    let report = influx.flush(Duration::from_secs(3)).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(second.count("db"), 1);
}

#[actix::test]
async fn the_next_of_several_servers_is_tried_when_the_first_refuses_or_says_nothing() {
    for says_nothing in [false, true] {
        let (first, second) = (FakeInflux::start(), FakeInflux::start());
        match says_nothing {
            true => first.answer_always(Answer::accept().stall_before_body()),
            false => first.refuse(),
        }
        let urls = format!("{},{}", first.url(), second.url());
        let influx = start(Config::v1(urls));
        let timeout = Duration::from_millis(200);
        influx
            .update(|config| config.request_timeout(timeout))
            .unwrap();
        record(&influx, "db", 1);
        let report = influx.flush(Duration::from_secs(3)).await;
        assert!(report.is_complete(), "{says_nothing}: {report:?}");
        assert_eq!(second.count("db"), 1);
    }
}
