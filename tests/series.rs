//! A series: what is checked, encoded and guarded once, and what each of its points does.

mod support;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use actix_influxdb::{
    Config, Delivery, FieldValue, Influx, RecordError, Series, Timestamp, series,
    testing::{FakeInflux, Point},
};
use support::pipeline::{LONG, quiet, settled};

fn config(fake: &FakeInflux) -> Config {
    quiet(fake.url()).tag_hostname(false)
}

fn tags(point: &Point) -> BTreeMap<&str, &str> {
    let keys = ["method", "zone", "user", "tier"];
    let of = |key| Some((key, point.tag(key)?));
    keys.into_iter().filter_map(of).collect()
}

fn integer(point: &Point, key: &str) -> Option<i64> {
    point.field(key)?.as_integer()
}

#[actix::test]
async fn points_have_the_tags_of_their_series_and_fields_and_timestamps_of_their_own() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).base_tag("zone", "eu")).unwrap();
    let logins = influx
        .series("db", "log in")
        .tags([("user", "a, b"), ("method", "x")])
        .tag("method", "oauth")
        .build()
        .unwrap();
    logins
        .point()
        .field("n", 1)
        .timestamp(Timestamp::from_nanos(7))
        .record()
        .unwrap();
    let mut second = logins.point().timestamp(Timestamp::from_nanos(8));
    second.set_field("n", "replaced");
    second.set_field("text", "a\"b");
    second
        .field("n", 2)
        .field("nan", f64::NAN)
        .record()
        .unwrap();
    let stats = settled(&influx).await;
    assert_eq!((stats.recorded, stats.written), (2, 2));
    let mut points = fake.points("db");
    points.sort_by_key(|point| point.timestamp);
    for (point, number) in points.iter().zip(1..) {
        let expected = [("method", "oauth"), ("user", "a, b"), ("zone", "eu")];
        assert_eq!(
            (point.measurement.as_str(), tags(point)),
            ("log in", expected.into())
        );
        assert_eq!(integer(point, "n"), Some(number));
        assert_eq!(point.timestamp, Some(6 + number));
        assert_eq!(point.field("nan"), None);
    }
    assert_eq!(points[1].field("text").unwrap().as_str(), Some("a\"b"));
}

#[actix::test]
async fn points_are_stamped_when_they_are_begun_and_never_twice() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let series = influx.series("db", "m").build().unwrap();
    let (first, second) = (series.point(), series.point());
    second.field("n", 2).record().unwrap();
    first.field("n", 1).record().unwrap();
    settled(&influx).await;
    let mut points = fake.points("db");
    points.sort_by_key(|point| point.timestamp);
    let numbers: Vec<_> = points.iter().map(|point| integer(point, "n")).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
}

#[actix::test]
async fn base_tags_follow_an_update_also_while_other_threads_record() {
    const THREADS: usize = 4;
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).base_tag("zone", "0")).unwrap();
    let series = influx.series("db", "m").tag("method", "x").build().unwrap();
    let stop = AtomicBool::new(false);
    let recorded: usize = thread::scope(|scope| {
        let record = || {
            let mut recorded = 0;
            while !stop.load(Ordering::Relaxed) {
                series.point().field("n", 1).record().unwrap();
                recorded += 1;
                thread::yield_now();
            }
            recorded
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(record)).collect();
        for zone in 1..=20 {
            influx
                .update(|config| config.base_tag("zone", zone.to_string()))
                .unwrap();
            let n = 1_000 + zone;
            series.point().field("seen", n).record().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|it| it.join().unwrap()).sum()
    });
    let stats = settled(&influx).await;
    assert_eq!(stats.written as usize, recorded + 20);
    for point in fake.points("db") {
        let zone = point.tag("zone").unwrap();
        assert_eq!(point.tag("method"), Some("x"));
        if let Some(seen) = integer(&point, "seen") {
            assert_eq!(
                zone,
                (seen - 1_000).to_string(),
                "the update was over by then"
            );
        }
    }
}

#[actix::test]
async fn a_value_beyond_the_budget_is_other_in_the_series_and_counts_with_each_point() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).max_tag_values(1)).unwrap();
    let of = |user: &'static str| influx.series("db", "m").tag("user", user).build().unwrap();
    let (ada, bob) = (of("ada"), of("bob"));
    for _ in 0..3 {
        ada.point().field("n", 1).record().unwrap();
        bob.point().field("n", 1).record().unwrap();
    }
    assert_eq!(influx.stats().tags_capped, 3);
    assert_eq!(bob.tags().collect::<Vec<_>>(), [("user", "bob")]);
    influx.update(|config| config.max_tag_values(2)).unwrap();
    bob.point().field("n", 2).record().unwrap();
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.tags_capped), (7, 3));
    let mut users = BTreeMap::<_, usize>::new();
    for point in fake.points("db") {
        *users
            .entry(point.tag("user").unwrap().to_owned())
            .or_default() += 1;
    }
    let expected = [("_other", 3), ("ada", 3), ("bob", 1)];
    assert_eq!(
        users,
        expected
            .map(|(user, count)| (user.to_owned(), count))
            .into()
    );
}

#[actix::test]
async fn a_series_and_measurements_share_one_budget() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).max_tag_values(1)).unwrap();
    let measurement = actix_influxdb::Measurement::new("db", "m").field("n", 1);
    influx.record(measurement.tag("user", "ada")).unwrap();
    let bob = influx.series("db", "m").tag("user", "bob").build().unwrap();
    bob.point().field("n", 1).record().unwrap();
    assert_eq!(settled(&influx).await.tags_capped, 1);
}

#[actix::test]
async fn a_derived_series_has_one_tag_more_or_another_value() {
    let influx = Influx::start(Config::default().enabled(false)).unwrap();
    let jobs = influx
        .series("db", "job")
        .tag("queue", "mail")
        .build()
        .unwrap();
    let gold = jobs.with_tag("tier", "gold").unwrap();
    let other = gold.with_tag("queue", 7).unwrap();
    let tags = |series: &Series| format!("{:?}", series.tags().collect::<Vec<_>>());
    assert_eq!(tags(&jobs), r#"[("queue", "mail")]"#);
    assert_eq!(tags(&gold), r#"[("queue", "mail"), ("tier", "gold")]"#);
    assert_eq!(tags(&other), r#"[("tier", "gold"), ("queue", "7")]"#);
    assert_eq!((other.database().name(), other.name()), ("db", "job"));
    assert!(matches!(
        jobs.with_tag("time", 1),
        Err(RecordError::InvalidName { .. })
    ));
    let shown = format!("{gold:?}");
    assert!(
        shown.contains(r#"name: "job", tags: {"queue": "mail", "tier": "gold"}"#),
        "{shown}"
    );
}

#[actix::test]
async fn what_becomes_of_a_point_can_be_waited_for() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).interval(Duration::from_millis(1))).unwrap();
    let series = influx.series("db", "m").build().unwrap();
    let delivery = series.point().field("n", 1).deliver();
    let delivery = tokio::time::timeout(LONG, delivery).await;
    assert_eq!(delivery.unwrap(), Delivery::Written);
    let dropped = series.point().deliver().await;
    assert!(matches!(dropped, Delivery::Dropped { .. }), "{dropped:?}");
    assert_eq!(settled(&influx).await.dropped.invalid, 1);
}

#[actix::test]
async fn invalid_names_fail_when_a_series_is_built_and_invalid_points_are_counted() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake).max_tag_values(1)).unwrap();
    for (database, name, key) in [
        ("", "m", "k"),
        ("db", "", "k"),
        ("db", "#m", "k"),
        ("db", "m", "time"),
    ] {
        let built = influx
            .series(database, name)
            .tag("user", "eve")
            .tag(key, "x")
            .build();
        let error = built.expect_err("it was built");
        assert!(error.is_invalid(), "{error}");
    }
    assert_eq!(influx.stats().recorded, 0);
    // And they have used no budget.
    let series = influx.series("db", "m").tag("user", "ada").build().unwrap();
    for point in [
        series.point(),
        series.point().field("n", f64::INFINITY),
        series.point().field("", 1).field("n", 1),
        series.point().field("n", 1).field("time", 1),
        series
            .point()
            .field("n", 1)
            .timestamp(Timestamp::from_nanos(i64::MAX)),
    ] {
        let error = point.record().unwrap_err();
        assert!(error.is_invalid(), "{error}");
    }
    series.point().field("n", 1).record().unwrap();
    let stats = settled(&influx).await;
    assert_eq!(
        (stats.recorded, stats.dropped.invalid, stats.tags_capped),
        (6, 5, 0)
    );
    assert_eq!(fake.count("db"), 1);
}

#[actix::test]
async fn after_the_shutdown_points_are_refused_and_counted() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let before = influx.series("db", "m").build().unwrap();
    influx.shutdown(LONG).await;
    let after = influx.series("db", "m").tag("user", "ada").build().unwrap();
    for series in [&before, &after] {
        let refused = series.point().field("n", 1).record();
        assert_eq!(refused, Err(RecordError::Stopping));
    }
    let refused = before.point().field("n", 1).deliver().await;
    assert!(matches!(refused, Delivery::Dropped { .. }));
    let stats = influx.stats();
    assert!(stats.balanced(), "{stats}");
    assert_eq!((stats.recorded, stats.dropped.stopping), (3, 3));
}

#[actix::test]
async fn a_series_keeps_no_pipeline_alive() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let series = influx.series("db", "m").build().unwrap();
    series.point().field("n", 1).record().unwrap();
    drop(influx);
    fake.wait_for_points("db", 1, LONG);
    let stops = async {
        while series.point().field("n", 1).record() != Err(RecordError::Stopping) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, stops)
        .await
        .expect("the pipeline has ended");
}

#[actix::test]
async fn with_delivery_disabled_points_are_only_counted() {
    let influx = Influx::start(Config::default().enabled(false)).unwrap();
    let series = influx.series("db", "m").build().unwrap();
    series.point().field("n", 1).record().unwrap();
    assert!(matches!(
        series.point().field("n", 1).deliver().await,
        Delivery::Dropped { .. }
    ));
    assert_eq!(influx.stats().dropped.disabled, 2);
}

#[actix::test]
async fn points_of_many_threads_are_all_written() {
    const THREADS: i64 = 8;
    const EACH: i64 = 5_000;
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let series = influx.series("db", "m").tag("method", "x").build().unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let series = series.clone();
            thread::spawn(move || {
                for number in 0..EACH {
                    let point = series.point().field("n", thread * EACH + number);
                    point.record().unwrap();
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(settled(&influx).await.written as i64, THREADS * EACH);
    let points = fake.points("db");
    let mut numbers: Vec<_> = points
        .iter()
        .filter_map(|point| integer(point, "n"))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..THREADS * EACH));
}

/// A value that records a point of its own while it is converted.
struct Records<'a>(&'a Series);

impl From<Records<'_>> for FieldValue {
    fn from(Records(series): Records<'_>) -> Self {
        series.point().field("inner", 1).record().unwrap();
        series.with_tag("user", "ada").unwrap();
        FieldValue::Integer(2)
    }
}

#[actix::test]
async fn no_lock_is_held_while_a_value_is_converted() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let series = influx.series("db", "m").build().unwrap();
    series
        .point()
        .field("outer", Records(&series))
        .record()
        .unwrap();
    assert_eq!(settled(&influx).await.written, 2);
}

#[actix::test]
async fn a_timer_sets_seconds_also_when_its_work_panics() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake)).unwrap();
    let series = influx.series("db", "m").build().unwrap();
    let mut point = series.point();
    assert_eq!(point.time("work", |_| 42), 42);
    {
        let _timer = point.timer("wait");
    }
    let panics = std::panic::AssertUnwindSafe(|| point.time("panic", |_| panic!("on purpose")));
    std::panic::catch_unwind(panics).unwrap_err();
    point.record().unwrap();
    settled(&influx).await;
    let point = &fake.points("db")[0];
    for key in ["work", "wait", "panic"] {
        let seconds = point.field(key).unwrap().as_float().unwrap();
        assert!((0.0..10.0).contains(&seconds), "{key}");
    }
}

#[actix::test]
async fn the_installed_pipeline_builds_series() {
    let not_installed = series("db", "m").build();
    assert_eq!(not_installed.unwrap_err(), RecordError::NotInstalled);
    let fake = FakeInflux::start();
    let influx = Influx::install(config(&fake)).unwrap();
    let series = series("db", "m").tag("method", "x").build().unwrap();
    series.point().field("n", 1).record().unwrap();
    assert_eq!(settled(&influx).await.written, 1);
}
