//! A tag with more values than its budget: what goes out, what is counted, and what is logged.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use actix_influxdb::{
    Config, Influx, Measurement, Stats,
    testing::{FakeInflux, Point},
};
use log::{Level, LevelFilter};
use support::{
    logger::{self, Line},
    pipeline::settled_within,
};

const LONG: Duration = Duration::from_secs(60);
const OTHER: &str = "_other";

fn config(fake: &FakeInflux, values: usize) -> Config {
    Config::v1(fake.url())
        .tag_hostname(false)
        .max_tag_values(values)
}

fn measurement(name: &'static str, user: impl Into<String>) -> Measurement {
    Measurement::new("db", name)
        .tag("method", "oauth")
        .tag("user", user.into())
        .field("ms", 12)
}

fn tag<'a>(point: &'a Point, key: &str) -> &'a str {
    point.tag(key).unwrap()
}

/// The distinct values of the tag `user`.
fn users(fake: &FakeInflux) -> BTreeSet<String> {
    let points = fake.points("db");
    let users = points.iter().map(|point| tag(point, "user").to_owned());
    users.collect()
}

/// Ends the pipeline, with everything written.
async fn end(influx: &Influx) -> Stats {
    let stats = settled_within(LONG, influx).await;
    assert_eq!(stats.written, stats.recorded, "{stats}");
    stats
}

#[actix::test]
async fn values_past_the_budget_become_other_and_known_ones_are_not_affected() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake, 2)).unwrap();
    for user in ["ada", "bob", "cyd", "ada", "dan", "bob", "cyd"] {
        influx.record(measurement("login", user)).unwrap();
    }
    // The same budget whichever way a measurement comes.
    let addr = influx.addr();
    addr.send(measurement("login", "eve")).await.unwrap();
    addr.send(measurement("login", "ada")).await.unwrap();
    let stats = end(&influx).await;
    assert_eq!((stats.recorded, stats.tags_capped), (9, 4));
    let points = fake.points("db");
    let mut lines: Vec<_> = points.iter().map(|point| tag(point, "user")).collect();
    lines.sort_unstable();
    let [o, a, b] = [OTHER, "ada", "bob"];
    assert_eq!(lines, [o, o, o, o, a, a, a, b, b]);
    for point in &points {
        assert_eq!(tag(point, "method"), "oauth");
        assert_eq!(point.field("ms").unwrap().as_integer(), Some(12));
    }
}

#[actix::test]
async fn threads_share_one_budget() {
    const THREADS: usize = 4;
    const USERS: usize = 1_000;
    const BUDGET: usize = 100;
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake, BUDGET)).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let influx = &influx;
            scope.spawn(move || {
                for round in 0..2 {
                    for number in 0..USERS {
                        let user = format!("{}", (number * 7 + thread * 250 + round) % USERS);
                        influx.record(measurement("login", user)).unwrap();
                    }
                }
            });
        }
    });
    let stats = end(&influx).await;
    let users = users(&fake);
    assert_eq!(users.len(), BUDGET + 1);
    assert!(users.contains(OTHER));
    let mut of_user = BTreeMap::<_, usize>::new();
    for point in fake.points("db") {
        *of_user.entry(tag(&point, "user").to_owned()).or_default() += 1;
    }
    // What the first thread to see a user was told holds for all threads and for ever.
    let of_each = THREADS * 2;
    let capped = (USERS - BUDGET) * of_each;
    assert_eq!(of_user.remove(OTHER), Some(capped));
    assert!(of_user.values().all(|points| *points == of_each));
    assert_eq!(stats.tags_capped, capped as u64);
}

#[actix::test]
async fn the_budget_can_be_changed_while_it_runs() {
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake, 1)).unwrap();
    let record = |user: &str| influx.record(measurement("login", user)).unwrap();
    let set = |values| {
        let change = |config: Config| config.max_tag_values(values);
        influx.update(change).unwrap();
    };
    record("ada");
    record("bob");
    assert_eq!(influx.stats().tags_capped, 1);
    set(2);
    record("bob");
    record("cyd");
    assert_eq!(influx.stats().tags_capped, 2);
    set(1);
    record("bob");
    record("cyd");
    assert_eq!(influx.stats().tags_capped, 3);
    set(0);
    record("dan");
    record("eve");
    set(1);
    record("dan");
    let stats = end(&influx).await;
    assert_eq!(stats.tags_capped, 4, "what went out unguarded is not known");
    let expected = [OTHER, "ada", "bob", "dan", "eve"].map(str::to_owned);
    assert_eq!(users(&fake), expected.into());
}

#[actix::test]
async fn base_tags_are_not_guarded_unless_a_measurement_sets_them() {
    let fake = FakeInflux::start();
    let config = config(&fake, 1).base_tag("zone", "a");
    let influx = Influx::start(config).unwrap();
    let record = |zone: Option<&'static str>| {
        let measurement = measurement("login", "ada").tags(zone.map(|zone| ("zone", zone)));
        influx.record(measurement).unwrap();
    };
    record(Some("b"));
    record(None);
    influx
        .update(|config| config.base_tag("zone", "c"))
        .unwrap();
    record(None);
    record(Some("d"));
    assert_eq!(end(&influx).await.tags_capped, 1);
    let points = fake.points("db");
    let zones: BTreeSet<_> = points.iter().map(|point| tag(point, "zone")).collect();
    assert_eq!(zones, ["a", "b", "c", OTHER].into());
}

/// Text that a stranger made up, never the same twice.
fn made_up(number: usize) -> String {
    const PIECES: [&str; 8] = [",", " ", "=", "\n", "\\", "\"", "🦀", "x"];
    let pieces = (0..6).map(|at| PIECES[(number >> (3 * at)) % 8]);
    format!("{}{number}", pieces.collect::<String>())
}

#[actix::test]
async fn a_stranger_who_makes_up_100_000_values_makes_no_more_series_than_the_budget() {
    const VALUES: usize = 100_000;
    const BUDGET: usize = 50;
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake, BUDGET)).unwrap();
    influx.record(measurement("login", "ada")).unwrap();
    for number in 0..VALUES {
        influx
            .record(measurement("login", made_up(number)))
            .unwrap();
        if number % 1_000 == 0 {
            influx.record(measurement("login", "ada")).unwrap();
        }
    }
    let stats = end(&influx).await;
    assert_eq!(stats.tags_capped, (VALUES - (BUDGET - 1)) as u64);
    let points = fake.points("db");
    assert_eq!(points.len() as u64, stats.recorded);
    let series: BTreeSet<_> = points.iter().map(|point| &point.tags).collect();
    assert_eq!(series.len(), BUDGET + 1);
    let of_ada = points.iter().filter(|point| tag(point, "user") == "ada");
    assert_eq!(of_ada.count(), 1 + VALUES / 1_000);
}

#[cfg(feature = "middleware")]
#[actix::test]
async fn a_request_header_as_a_tag_is_guarded() {
    use actix_influxdb::{InfluxMetrics, Placement};
    use actix_web::{App, test, web};

    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake, 3)).unwrap();
    let metrics = InfluxMetrics::new(&influx, "db").correlation_id("x-request-id", Placement::Tag);
    let app = App::new().route("/", web::get().to(async || "ok"));
    let app = test::init_service(app.wrap(metrics)).await;
    for number in 0..10 {
        let request = test::TestRequest::get().insert_header(("x-request-id", number));
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, "ok", "the response is untouched");
    }
    assert_eq!(end(&influx).await.tags_capped, 7);
    let points = fake.points("db");
    let ids: Vec<_> = points
        .iter()
        .map(|point| tag(point, "correlation_id"))
        .collect();
    assert_eq!(ids[..3], ["0", "1", "2"]);
    assert_eq!(ids[3..], [OTHER; 7]);
}

#[actix::test]
async fn the_end_of_a_budget_is_one_warning_that_no_recording_thread_writes() {
    logger::install(LevelFilter::Warn);
    let fake = FakeInflux::start();
    let influx = Influx::start(config(&fake, 2)).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let influx = &influx;
            scope.spawn(move || {
                for number in 0..100 {
                    let user = format!("{thread}-{number}");
                    influx.record(measurement("logged", user)).unwrap();
                }
            });
        }
    });
    end(&influx).await;
    let mut logged = logger::take();
    logged.retain(|line| line.text.contains("logged"));
    let expected = Line {
        level: Level::Warn,
        thread: "influx".to_owned(),
        text: "the tag \"user\" of the measurement \"logged\" in the database \"db\" has used up \
               its 2 values (max_tag_values): a new one becomes _other"
            .to_owned(),
    };
    assert_eq!(logged, [expected]);
}
