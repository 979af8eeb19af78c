//! The pipeline's own figures, as they arrive.

mod support;

use std::time::Duration;

use actix_influxdb::{
    Config, Influx,
    testing::{Answer, FakeInflux, Value},
};
use support::{
    measurement::record,
    pipeline::{LONG, settled},
};

const OFTEN: Duration = Duration::from_millis(30);

fn measured(fake: &FakeInflux) -> Config {
    Config::v1(fake.url())
        .interval(OFTEN)
        .max_retry_delay(OFTEN)
        .self_measurement("own", OFTEN)
}

fn integer(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::Integer(value)) => *value,
        other => panic!("no integer: {other:?}"),
    }
}

#[actix::test]
async fn the_ledger_arrives_as_a_measurement_and_its_points_are_in_the_ledger() {
    let fake = FakeInflux::start();
    let influx = Influx::start(measured(&fake).base_tag("region", "eu")).unwrap();
    record(&influx, "db", 5);
    let is_there = fake.wait_until(LONG, |view| {
        view.points("own").any(|point| {
            point.measurement == "influx_client" && integer(point.field("written")) >= 5
        })
    });
    assert!(is_there);
    let stats = settled(&influx).await;
    let received = fake.received_count("db") + fake.received_count("own");
    assert_eq!(stats.written, received as u64);
    let points = fake.points("own");
    let client = points.iter().rfind(|it| it.field("post_max").is_some());
    let client = client.unwrap();
    assert_eq!(client.measurement, "influx_client");
    let field = |key: &str| integer(client.field(key));
    let ended = field("written") + field("rejected") + field("dropped");
    assert_eq!(
        field("recorded") + field("recovered"),
        ended + field("pending")
    );
    let places = ["buffered", "in_flight", "spooled"];
    let places = places.map(|place| field(&format!("pending_{place}")));
    assert_eq!(places.iter().sum::<i64>(), field("pending"));
    assert!(field("posts") > 0 && field("bytes") > 0);
    assert_eq!((field("endpoints_down"), field("databases_down")), (0, 0));
    let took = |key| match client.field(key) {
        Some(Value::Float(seconds)) => *seconds,
        other => panic!("{key} is {other:?}"),
    };
    assert!(took("post_max") > 0.0);
    assert!(took("post_p50") <= took("post_p99") && took("post_p99") <= took("post_max"));
    assert_eq!(client.tag("region"), Some("eu"));
    let program = client.tag("program").unwrap();
    assert!(program.starts_with("self_measurement"), "{program}");
    let endpoint = points
        .iter()
        .find(|it| it.measurement == "influx_client_endpoint");
    let endpoint = endpoint.unwrap();
    assert_eq!(endpoint.tag("url"), Some(&*fake.url()));
    assert_eq!(integer(endpoint.field("down")), 0);
}

#[actix::test]
async fn an_outage_is_in_the_figures_that_arrive_after_it() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.param("db") {
        Some("db") => Answer::status(503),
        _ => Answer::accept(),
    });
    let influx = Influx::start(measured(&fake).base_tag("program", "mine")).unwrap();
    record(&influx, "db", 5);
    let is_told = fake.wait_until(LONG, |view| {
        view.points("own").any(|point| {
            point.field("databases_down") == Some(&Value::Integer(1))
                && integer(point.field("pending")) >= 5
                && integer(point.field("posts_failed")) > 0
                && point.field("pending_age").is_some()
        })
    });
    assert!(is_told, "{:?}", fake.points("own"));
    assert_eq!(fake.points("own")[0].tag("program"), Some("mine"));
    fake.answer_always(Answer::accept());
    settled(&influx).await;
}
