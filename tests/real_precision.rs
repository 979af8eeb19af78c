//! What a real InfluxDB 1.x does where others do something else: microseconds, a field with a tag's key, API v2.

mod support;

use std::time::Duration;

use actix_influxdb::{Config, Influx, Measurement, Precision, Timestamp};
use support::{
    measurement::record,
    pipeline::{quiet, settled},
    require_influxd, wait_for,
};

const AT: i64 = 1_700_000_000_123_456_789;

#[actix::test]
async fn microseconds_are_stored_as_microseconds() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    for (name, precision, stored) in [
        ("ns", Precision::Nanoseconds, AT),
        ("us", Precision::Microseconds, AT / 1_000 * 1_000),
        ("ms", Precision::Milliseconds, AT / 1_000_000 * 1_000_000),
        ("s", Precision::Seconds, AT / 1_000_000_000 * 1_000_000_000),
    ] {
        let influx = Influx::start(quiet(influxd.url()).precision(precision)).unwrap();
        let point = Measurement::new("db", name).field("f", 1);
        influx
            .record(point.timestamp(Timestamp::from_nanos(AT)))
            .unwrap();
        assert_eq!(settled(&influx).await.written, 1);
        let rows = influxd.query_all("db", name);
        let stamps: Vec<_> = rows.iter().map(|row| row.time).collect();
        assert_eq!(stamps, [stored], "{name}");
    }
}

#[actix::test]
async fn a_field_with_the_key_of_a_tag_is_stored_by_influxdb_1() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    let influx = Influx::start(quiet(influxd.url())).unwrap();
    let point = Measurement::new("db", "m").tag("k", "tag").field("k", 1);
    influx.record(point).unwrap();
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (1, 0));
    let reply = influxd.query("db", "SELECT \"k\"::field, \"k\"::tag FROM \"m\"");
    let row = &reply["results"][0]["series"][0]["values"][0];
    assert_eq!((row[1].as_i64(), row[2].as_str()), (Some(1), Some("tag")));
}

#[actix::test]
async fn influxdb_1_6_written_to_by_api_v2_is_named_with_the_setting_to_change() {
    let influxd = require_influxd!();
    let config = Config::v2(influxd.url(), "acme", "token")
        .interval(Duration::from_secs(3_600))
        .trigger_size(1_000_000);
    let influx = Influx::start(config).unwrap();
    let info = influx.ping().await.unwrap();
    assert_eq!(info.product, actix_influxdb::Product::InfluxDb);
    assert!(info.version.as_ref().unwrap().starts_with("1."), "{info}");
    record(&influx, "db", 10);
    let report = influx.flush(Duration::from_millis(300)).await;
    assert_eq!(report.undelivered, 10);
    let is_known = wait_for(Duration::from_secs(20), || {
        let server = influx.stats().endpoints[0].server.clone();
        server.is_some_and(|server| server.to_string().starts_with("InfluxDB 1."))
    });
    assert!(is_known.await, "{:?}", influx.stats().endpoints);
    influx.shutdown(Duration::ZERO).await;
}
