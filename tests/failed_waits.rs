//! A wait of `FakeInflux` that fails says why, as far as the pipelines of the process know. And the
//! installed pipeline of one thread, by which these tests run at the same time.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actix_influxdb::{
    Config, Influx, InfluxMetrics, Measurement, RecordError,
    testing::{Answer, FakeInflux},
};
use actix_web::{App, HttpResponse, test, web};
use support::pipeline::{LONG, quiet};

/// What a wait for one more point than there are says.
fn why(fake: &FakeInflux) -> String {
    let count = fake.count("db") + 1;
    let wait = AssertUnwindSafe(|| fake.wait_for_points("db", count, Duration::ZERO));
    let panicked = catch_unwind(wait).expect_err("there are that many");
    *panicked.downcast::<String>().unwrap()
}

fn assert_says(fake: &FakeInflux, words: &str) {
    let why = why(fake);
    assert!(why.contains(words), "{words:?} is not in:\n{why}");
}

fn record(value: impl Into<actix_influxdb::FieldValue>) {
    let measurement = Measurement::new("db", "m").field("f", value);
    actix_influxdb::record(measurement).unwrap();
}

#[actix_web::test]
async fn nobody_sends_there() {
    let fake = FakeInflux::start();
    let none = format!("no pipeline of this process sends to {}: ", fake.url());
    assert_says(&fake, &none);
    let other = FakeInflux::start();
    let _influx = Influx::start(quiet(other.url())).unwrap();
    assert_says(&fake, "send elsewhere");
}

#[actix_web::test]
async fn nothing_was_recorded_or_flushed_or_it_is_on_its_way() {
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let _here = influx.install_here();
    assert_says(&fake, "nothing was recorded");
    record(1.0);
    assert_says(
        &fake,
        "1 measurements are buffered and were not flushed: they are sent 3600s after the first of \
         them (interval), or by `influx.flush",
    );
    fake.answer_next(Answer::accept().stall_before_response());
    influx.flush(Duration::ZERO).await;
    fake.wait_for_requests(1, LONG);
    assert_says(
        &fake,
        "1 measurements are being sent and have no answer yet",
    );
    fake.release();
    assert!(influx.flush(LONG).await.is_complete());
    assert_says(
        &fake,
        "all recorded measurements have arrived (recorded=1 written=1",
    );
}

#[actix_web::test]
async fn the_server_rejected_it_or_is_down() {
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let _here = influx.install_here();
    record(1.0);
    record("text");
    influx.flush(LONG).await;
    assert_says(
        &fake,
        "1 measurements of database db were rejected, the last one with: ",
    );
    assert_says(&fake, "field type conflict");
    fake.answer_always(Answer::status(503));
    record(2.0);
    influx.flush(Duration::from_millis(100)).await;
    assert_says(&fake, "they are sent again: down: 1 pending for ");
    assert_says(&fake, "503");
    influx.shutdown(Duration::ZERO).await;
    assert_says(&fake, "the pipeline is stopped");
    assert_says(&fake, "measurements were dropped: undelivered=1");
}

#[actix_web::test]
async fn it_was_dropped_before() {
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url()).enabled(false)).unwrap();
    let here = influx.install_here();
    record(1.0);
    assert_says(&fake, "delivery is disabled (enabled)");
    assert_says(&fake, "measurements were dropped: disabled=1");
    drop(here);
    let late = Measurement::new("db", "m").field("f", 1);
    assert_eq!(actix_influxdb::record(late), Err(RecordError::NotInstalled));
}

#[actix_web::test]
async fn the_body_of_a_response_was_not_read() {
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let metrics = InfluxMetrics::new(&influx, "db");
    let handler = async || HttpResponse::Ok().body("text");
    let app = App::new().route("/", web::get().to(handler)).wrap(metrics);
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().uri("/").to_request();
    let response = test::call_service(&app, request).await;
    influx.flush(LONG).await;
    assert_says(
        &fake,
        "1 requests are open: one is recorded when the body of its response has been read",
    );
    test::read_body(response).await;
    influx.flush(LONG).await;
    fake.wait_for_points("db", 1, Duration::ZERO);
    assert_says(&fake, "all recorded measurements have arrived");
}

/// Many at the same time, each with a pipeline of its own, and code that knows of none.
#[actix_web::test]
async fn each_thread_records_with_the_pipeline_that_is_installed_there() {
    let threads: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let fake = FakeInflux::start();
                let influx = Influx::start(Config::v1(fake.url())).unwrap();
                let here = influx.install_here();
                let series = actix_influxdb::series("db", "m").build().unwrap();
                for _ in 0..number {
                    record(1.0);
                    series.point().field("f", 1.0).record().unwrap();
                }
                let installed = Influx::installed().unwrap();
                drop(installed.guard(LONG));
                drop(here);
                assert_eq!(fake.count("db"), 2 * number);
                assert!(Influx::installed().is_none());
            })
        })
        .collect();
    threads.into_iter().for_each(|it| it.join().unwrap());
}
