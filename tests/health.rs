//! Health during and after outages of every kind, as a program sees it and as JSON.

mod support;

use std::time::{Duration, SystemTime};

use actix_influxdb::{
    Config, FailureKind, Health, HealthStatus, Influx,
    testing::{Answer, FakeInflux},
};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, quiet, settled},
    wait::wait_until,
};

/// Long enough for some attempts.
const A_WHILE: Duration = Duration::from_millis(200);

fn assert_ok(health: &Health, why: &str) {
    assert_eq!(health.status, HealthStatus::Ok, "{why}: {health:#?}");
    assert!(health.recording && health.is_ok(), "{why}");
    assert!(health.endpoints_down.is_empty(), "{why}: {health:#?}");
    assert!(health.databases_down.is_empty(), "{why}: {health:#?}");
    assert_eq!((health.pending, health.pending_since), (0, None), "{why}");
}

/// The reasons of all outages.
fn reasons(health: &Health) -> Vec<FailureKind> {
    let endpoints = health.endpoints_down.iter().map(|down| &down.outage);
    let databases = health.databases_down.iter().map(|down| &down.outage);
    endpoints
        .chain(databases)
        .map(|it| it.reason.kind)
        .collect()
}

/// The health once it has that status: a busy machine may need some time for the first attempt.
fn becomes(influx: &Influx, status: HealthStatus, why: &str) -> Health {
    let is_so = wait_until(LONG, || influx.health().status == status);
    let health = influx.health();
    assert!(is_so, "{why}: {health:#?}");
    health
}

#[actix::test]
async fn every_kind_of_outage_is_told_while_it_lasts_and_over_with_its_first_success() {
    use FailureKind::{
        Interrupted, Misconfigured, MissingDatabase, TimedOut, Unauthorized, Unavailable,
        Unreachable,
    };
    type Fault = fn(&FakeInflux);
    type Mend = fn(&FakeInflux);
    let accept: Mend = |fake| fake.answer_always(Answer::accept());
    let faults: [(&str, FailureKind, Fault, Mend); 9] = [
        (
            "refused",
            Unreachable,
            |fake| {
                fake.refuse();
                fake.close_idle();
            },
            FakeInflux::accept_again,
        ),
        (
            "missing",
            MissingDatabase,
            |fake| fake.without_database("db"),
            |fake| fake.create_database("db"),
        ),
        (
            "503",
            Unavailable,
            |fake| fake.answer_always(Answer::status(503)),
            accept,
        ),
        (
            "429",
            Unavailable,
            |fake| fake.answer_always(Answer::status(429)),
            accept,
        ),
        (
            "401",
            Unauthorized,
            |fake| fake.answer_always(Answer::status(401)),
            accept,
        ),
        (
            "403",
            Misconfigured,
            |fake| fake.answer_always(Answer::status(403)),
            accept,
        ),
        (
            "a web page",
            Misconfigured,
            |fake| fake.answer_always(Answer::status(200).body("<html><title>x</title>")),
            accept,
        ),
        (
            "silence",
            TimedOut,
            |fake| fake.answer_always(Answer::accept().stall_before_response()),
            |fake| {
                fake.answer_always(Answer::accept());
                fake.release();
            },
        ),
        (
            "reset",
            Interrupted,
            |fake| fake.answer_always(Answer::hang_up()),
            accept,
        ),
    ];
    // At the first start, and after the server has worked.
    for works_first in [false, true] {
        for (name, kind, fault, mend) in faults {
            let fake = FakeInflux::start();
            let config = impatient(fake.url()).request_timeout(Duration::from_millis(100));
            let influx = Influx::start(config).unwrap();
            let before = influx.health();
            assert_eq!(before.status, HealthStatus::Untried, "{name}");
            assert_eq!(before.last_success, None, "{name}");
            if works_first {
                record(&influx, "db", 1);
                assert!(influx.flush(LONG).await.is_complete(), "{name}");
                assert_ok(&influx.health(), name);
            }
            let began = SystemTime::now();
            fault(&fake);
            record(&influx, "db", 3);
            influx.flush(A_WHILE).await;
            let down = becomes(&influx, HealthStatus::Down, name);
            assert!(down.recording && !down.is_ok(), "{name}");
            assert_eq!(down.last_success.is_some(), works_first, "{name}");
            assert_eq!(reasons(&down), [kind], "{name}: {down:#?}");
            assert_eq!((down.pending, down.places.total()), (3, 3), "{name}");
            let times = [
                down.pending_since.expect(name),
                down.endpoints_down
                    .iter()
                    .map(|it| it.outage.since)
                    .chain(down.databases_down.iter().map(|it| it.outage.since))
                    .next()
                    .unwrap(),
            ];
            for since in times {
                let lasts = began..=SystemTime::now();
                assert!(lasts.contains(&since), "{name}: {since:?} not in {lasts:?}");
            }
            let needs_action = matches!(kind, Unauthorized | MissingDatabase | Misconfigured);
            let outage = down.endpoints_down.first().map(|it| &it.outage);
            let outage = outage.unwrap_or_else(|| &down.databases_down[0].outage);
            assert_eq!(outage.needs_action(), needs_action, "{name}");
            let in_stats = influx.stats().health;
            assert_eq!(in_stats.status, HealthStatus::Down, "{name}");
            assert_eq!(reasons(&in_stats), [kind], "{name}");

            mend(&fake);
            assert!(influx.flush(LONG).await.is_complete(), "{name}");
            let after = influx.health();
            assert_ok(&after, name);
            assert!(after.last_success.unwrap() >= began, "{name}");
            let stats = influx.stats();
            assert!(stats.endpoints.iter().all(|it| it.outage.is_none()));
            assert!(stats.databases.iter().all(|it| it.outage.is_none()));
            settled(&influx).await;
            assert_eq!(influx.health().status, HealthStatus::Stopped, "{name}");
        }
    }
}

#[actix::test]
async fn one_of_two_databases_that_fails_is_a_degradation_and_no_end() {
    let fake = FakeInflux::start();
    fake.without_database("gone");
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 1);
    record(&influx, "gone", 2);
    influx.flush(A_WHILE).await;
    let health = becomes(&influx, HealthStatus::Degraded, "one of two");
    let [down] = &*health.databases_down else {
        panic!("{health:#?}");
    };
    assert_eq!((down.database.name(), down.pending), ("gone", 2));
    assert_eq!(health.more_databases_down, 0);
    let line = health.to_string();
    assert!(line.contains("; database gone (2 pending) for "), "{line}");
    fake.create_database("gone");
    settled(&influx).await;
}

#[actix::test]
async fn one_of_two_endpoints_that_fails_is_a_degradation_and_no_end() {
    let (dead, fake) = (FakeInflux::start(), FakeInflux::start());
    dead.refuse();
    let urls = format!("{},{}", dead.url(), fake.url());
    let influx = Influx::start(impatient(urls)).unwrap();
    record(&influx, "db", 1);
    assert!(influx.flush(LONG).await.is_complete());
    let health = influx.health();
    assert_eq!(health.status, HealthStatus::Degraded, "{health:#?}");
    assert_eq!(health.endpoints_down[0].url, dead.url());
    settled(&influx).await;
}

#[actix::test]
async fn a_database_whose_measurements_have_expired_is_not_down_for_ever() {
    let fake = FakeInflux::start();
    fake.answer_with(|request| match request.param("db") {
        Some("bad") => Answer::status(503),
        _ => Answer::accept(),
    });
    let config = impatient(fake.url()).max_age(Duration::from_secs(1));
    let influx = Influx::start(config).unwrap();
    record(&influx, "good", 1);
    record(&influx, "bad", 1);
    influx.flush(Duration::from_millis(100)).await;
    becomes(&influx, HealthStatus::Degraded, "one of two");
    assert!(influx.flush(LONG).await.is_complete());
    assert_eq!(influx.stats().dropped.expired, 1);
    assert_ok(&influx.health(), "expired");
    let stats = influx.stats();
    let closed = actix_influxdb::BreakerState::Closed;
    assert!(stats.databases.iter().all(|it| it.state == closed));
    settled(&influx).await;
}

#[actix::test]
async fn rejected_lines_are_no_outage() {
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let bad = |value: actix_influxdb::FieldValue| {
        actix_influxdb::Measurement::new("db", "m").field("f", value)
    };
    influx.record(bad(1.0.into())).unwrap();
    assert!(influx.flush(LONG).await.is_complete());
    influx.record(bad("text".into())).unwrap();
    assert_eq!(influx.flush(LONG).await.rejected, 1);
    assert_ok(&influx.health(), "rejected");
    settled(&influx).await;
}

#[actix::test]
async fn another_url_begins_anew_and_another_credential_when_it_has_worked() {
    let (fake, other) = (FakeInflux::start(), FakeInflux::start());
    fake.require_auth("ada", "right");
    let influx = Influx::start(impatient(fake.url()).user("ada").password("wrong")).unwrap();
    record(&influx, "db", 1);
    influx.flush(A_WHILE).await;
    let down = becomes(&influx, HealthStatus::Down, "a wrong password");
    assert_eq!(reasons(&down), [FailureKind::Unauthorized]);
    // As long as nothing is known of it.
    let slow = Answer::accept().stall_before_response();
    fake.answer_always(slow);
    influx.update(|config| config.password("right")).unwrap();
    influx.flush(Duration::ZERO).await; // the update is applied by now
    fake.wait_until(LONG, |view| {
        view.requests().last().is_some_and(|it| it.status.is_none())
    });
    assert_eq!(influx.health().status, HealthStatus::Down);
    let closed = actix_influxdb::BreakerState::Closed;
    assert_eq!(influx.stats().endpoints[0].state, closed);
    fake.answer_always(Answer::accept());
    fake.release();
    assert!(influx.flush(LONG).await.is_complete());
    assert_ok(&influx.health(), "another password");

    fake.without_database("db");
    record(&influx, "db", 1);
    influx.flush(A_WHILE).await;
    let down = becomes(&influx, HealthStatus::Down, "no database");
    assert_eq!(reasons(&down), [FailureKind::MissingDatabase]);
    let alone = FakeInflux::start();
    alone.answer_always(Answer::accept().stall_before_response());
    let url = alone.url();
    influx.update(|config| config.url(url)).unwrap();
    alone.wait_for_requests(1, LONG);
    assert_eq!(reasons(&influx.health()), [], "nothing is known of it");
    alone.answer_always(Answer::accept());
    alone.release();
    assert!(influx.flush(LONG).await.is_complete());
    let url = fake.url();
    influx.update(|config| config.url(url)).unwrap();
    fake.create_database("db");

    fake.refuse();
    fake.close_idle();
    record(&influx, "db", 1);
    influx.flush(A_WHILE).await;
    becomes(&influx, HealthStatus::Down, "refused");
    let url = other.url();
    influx.update(|config| config.url(url)).unwrap();
    assert!(influx.flush(LONG).await.is_complete());
    assert_ok(&influx.health(), "another URL");
    settled(&influx).await;
}

#[actix::test]
async fn the_oldest_of_what_is_pending_says_since_when() {
    let fake = FakeInflux::start();
    fake.without_database("old");
    fake.without_database("new");
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let mut since = Vec::new();
    for database in ["old", "new"] {
        let began = SystemTime::now();
        record(&influx, database, 1);
        influx.flush(A_WHILE).await;
        since.push(began..SystemTime::now());
    }
    assert!(since[0].contains(&influx.health().pending_since.unwrap()));
    fake.create_database("old");
    fake.wait_for_points("old", 1, LONG);
    influx.flush(A_WHILE).await;
    assert!(since[1].contains(&influx.health().pending_since.unwrap()));
    fake.create_database("new");
    settled(&influx).await;
}

#[actix::test]
async fn a_pipeline_that_does_not_record_says_why() {
    let off = Influx::start(Config::default().enabled(false)).unwrap();
    record(&off, "db", 1);
    let health = off.health();
    assert_eq!(
        (health.status, health.recording),
        (HealthStatus::Disabled, false)
    );
    assert_eq!(health.to_string(), "disabled: 0 pending");

    let fake = FakeInflux::start();
    fake.answer_always(Answer::accept().stall_before_response());
    let influx = Influx::start(quiet(fake.url())).unwrap();
    record(&influx, "db", 1);
    let end = std::thread::spawn({
        let influx = influx.clone();
        move || actix::System::new().block_on(influx.shutdown(LONG))
    });
    fake.wait_for_requests(1, LONG);
    let health = influx.health();
    assert_eq!(
        (health.status, health.recording),
        (HealthStatus::Stopping, false)
    );
    assert_eq!(health.places.in_flight, 1);
    fake.answer_always(Answer::accept());
    fake.release();
    let report = end.join().unwrap();
    assert_eq!(report.stats.health, influx.health());
    assert_eq!(influx.health().status, HealthStatus::Stopped);
}

#[actix::test]
async fn of_very_many_databases_that_are_down_a_hundred_are_named_and_the_others_counted() {
    let fake = FakeInflux::start();
    fake.answer_always(Answer::status(503));
    let influx = Influx::start(impatient(fake.url()).max_clients(50)).unwrap();
    for number in 0..300 {
        record(&influx, format!("db{number}"), 1 + number % 7);
    }
    // Once the endpoint is down too, no further database is tried.
    for _ in 0..100 {
        influx.flush(A_WHILE).await;
        let health = influx.health();
        let named = health.databases_down.len();
        assert!(named <= 100);
        if health.more_databases_down > 0 {
            assert_eq!(named, 100);
            let pending = health.databases_down.iter().map(|it| it.pending);
            assert!(pending.is_sorted_by(|a, b| a >= b));
            break;
        }
        if !health.endpoints_down.is_empty() {
            break;
        }
    }
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn as_json_health_and_statistics_have_names_and_times_to_read() {
    let fake = FakeInflux::start();
    fake.without_database("gone");
    let influx = Influx::start(impatient(fake.url())).unwrap();
    record(&influx, "db", 1);
    record(&influx, "gone", 2);
    influx.flush(A_WHILE).await;
    becomes(&influx, HealthStatus::Degraded, "one of two");
    let stats = serde_json::to_value(influx.stats()).unwrap();
    let health = &stats["health"];
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["recording"], true);
    assert_eq!(health["pending"], 2);
    assert_eq!(health["databases_down"][0]["database"], "gone");
    let outage = &health["databases_down"][0];
    assert_eq!(outage["reason"]["kind"], "missing_database");
    let since = outage["since"].as_str().unwrap();
    assert!(since.ends_with('Z') && since.len() == 24, "{since}");
    assert_eq!(stats["written"], 1);
    assert_eq!(stats["dropped"]["buffer_full"], 0);
    let places = ["buffered", "in_flight"].map(|it| stats["places"][it].as_u64().unwrap());
    assert_eq!(places.iter().sum::<u64>(), 2);
    assert_eq!(stats["endpoints"][0]["url"], fake.url());
    assert_eq!(stats["endpoints"][0]["state"], "closed");
    assert_eq!(stats["databases"][1]["state"], "open");
    assert_eq!(stats["databases"][1]["outage"]["reason"]["status"], 404);
    influx.shutdown(Duration::ZERO).await;
}
