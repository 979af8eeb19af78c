//! Each server that `FakeInflux` imitates, written to by a pipeline: what is good is stored, what is bad is rejected, and
//! nothing else is given up.

mod support;

use std::time::{Duration, Instant};

use actix_influxdb::{
    Config, Consistency, FailureKind, Influx, Measurement, PingError, Precision, Product,
    Timestamp,
    testing::{Answer, FakeInflux, Point, Server, record_line},
};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, quiet, settled},
};

/// How long a server is watched that is to be given nothing up.
const WATCHED: Duration = Duration::from_millis(300);

const TOKEN: &str = "secret";

const START: i64 = 1_700_000_000_000_000_000;

/// Sends only what it is told to, and soon tries again what failed.
fn slow(config: Config) -> Config {
    config
        .interval(Duration::from_secs(3_600))
        .trigger_size(1_000_000)
        .max_retry_delay(Duration::from_millis(100))
        .tag_hostname(false)
}

/// With its credentials, in each API that it has.
fn configs(server: Server, fake: &FakeInflux) -> Vec<Config> {
    let url = match server {
        Server::GreptimeDb => format!("{}/v1/influxdb", fake.url()),
        _ => fake.url(),
    };
    let v1 = || Config::v1(&url);
    let v2 = || Config::v2(&url, "acme", TOKEN);
    let v3 = || Config::v3(&url, TOKEN);
    let all = match server {
        Server::InfluxDb1_6 | Server::Telegraf => vec![v1()],
        Server::InfluxDb2_7 | Server::Cloud => vec![v2(), v1().token(TOKEN)],
        Server::InfluxDb3 => vec![v3(), v2(), v1().token(TOKEN)],
        Server::TelegrafV2 => vec![v2()],
        _ => vec![v1(), v2()],
    };
    if matches!(
        server,
        Server::InfluxDb2_7 | Server::Cloud | Server::InfluxDb3 | Server::TelegrafV2
    ) {
        fake.require_token(TOKEN);
    }
    all.into_iter().map(slow).collect()
}

/// Where its points are found.
fn database(server: Server, config: &Config, name: &'static str) -> &'static str {
    let is_v2 = config.settings().org().is_some();
    match server {
        Server::QuestDb => "",
        // The bucket means nothing there.
        Server::VictoriaMetrics1_79 | Server::VictoriaMetrics1_112 | Server::Vmagent1_79
            if is_v2 =>
        {
            ""
        }
        _ => name,
    }
}

fn stamps(fake: &FakeInflux, database: &str) -> Vec<i64> {
    let points = fake.points(database).into_iter();
    let mut stamps: Vec<_> = points
        .map(|point: Point| point.timestamp.unwrap())
        .collect();
    stamps.sort_unstable();
    stamps
}

#[actix::test]
async fn good_lines_are_stored_and_bad_ones_rejected_by_each_server_in_each_of_its_apis() {
    for server in Server::all() {
        let count = configs(*server, &FakeInflux::imitating(*server)).len();
        for number in 0..count {
            let fake = FakeInflux::imitating(*server);
            let config = configs(*server, &fake).remove(number);
            let what = format!("{server} {:?}", config.settings().api());
            let stored = database(*server, &config, "db");
            let influx = Influx::start(config).unwrap();
            for number in 0..500_i64 {
                if number % 100 == 50 {
                    record_line(&influx, "db", &format!("bad{number}")).unwrap();
                }
                let point = Measurement::new("db", "m").field("f", number);
                let at = Timestamp::from_nanos(START + number * 1_000_000);
                influx.record(point.timestamp(at)).unwrap();
            }
            let stats = settled(&influx).await;
            let skips = matches!(server, Server::VictoriaMetrics1_79 | Server::Vmagent1_79);
            let (written, rejected) = if skips { (505, 0) } else { (500, 5) };
            assert_eq!(
                (stats.written, stats.rejected),
                (written, rejected),
                "{what}"
            );
            let wanted: Vec<_> = (0..500).map(|number| START + number * 1_000_000).collect();
            let mut stamps = stamps(&fake, stored);
            // It stores again what is sent again.
            stamps.dedup();
            assert_eq!(stamps, wanted, "{what}");
        }
    }
}

#[actix::test]
async fn every_precision_means_the_same_to_each_server_in_each_of_its_apis() {
    let at = START + 123_456_789;
    for server in Server::all() {
        let count = configs(*server, &FakeInflux::imitating(*server)).len();
        for (precision, nanoseconds) in [
            (Precision::Nanoseconds, 1),
            (Precision::Microseconds, 1_000),
            (Precision::Milliseconds, 1_000_000),
            (Precision::Seconds, 1_000_000_000),
        ] {
            for number in 0..count {
                let fake = FakeInflux::imitating(*server);
                let config = configs(*server, &fake).remove(number).precision(precision);
                let what = format!("{server} {:?} {precision}", config.settings().api());
                let stored = database(*server, &config, "db");
                let influx = Influx::start(config).unwrap();
                let point = Measurement::new("db", "m").field("f", 1);
                let point = point.timestamp(Timestamp::from_nanos(at));
                influx.record(point).unwrap();
                assert_eq!(settled(&influx).await.written, 1, "{what}");
                let is_victoria = matches!(
                    server,
                    Server::VictoriaMetrics1_79
                        | Server::VictoriaMetrics1_112
                        | Server::Vmagent1_79
                );
                let unit = if is_victoria {
                    nanoseconds.max(1_000_000)
                } else {
                    nanoseconds
                };
                assert_eq!(stamps(&fake, stored), [at / unit * unit], "{what}");
            }
        }
    }
}

/// What is written to it, and how many POSTs that took.
async fn written(
    server: Server,
    lines: impl Iterator<Item = String>,
) -> (FakeInflux, u64, u64, usize) {
    let fake = FakeInflux::imitating(server);
    let config = configs(server, &fake).remove(0);
    let influx = Influx::start(config).unwrap();
    for line in lines {
        record_line(&influx, "db", &line).unwrap();
    }
    let stats = settled(&influx).await;
    let posts = fake.write_count();
    (fake, stats.written, stats.rejected, posts)
}

#[actix::test]
async fn all_lines_that_influxdb_3_lists_are_rejected_with_one_post_more() {
    let lines = (0..1_000).map(|number| match number % 50 {
        7 => format!("bad{number}"),
        // A conflict of types, and a tag's key as a field.
        8 => format!("m f=\"text\" {number}"),
        9 => format!("tagged t=1 {number}"),
        _ => format!("m f=1 {number}\ntagged,t=a f=1 {number}")
            .lines()
            .next()
            .unwrap()
            .to_owned(),
    });
    let first = ["tagged,t=a f=1 1", "m f=1 1"].map(str::to_owned);
    let (fake, written, rejected, posts) =
        written(Server::InfluxDb3, first.into_iter().chain(lines)).await;
    assert_eq!((written, rejected, posts), (942, 60, 2));
    let request = &fake.requests()[0];
    assert_eq!(request.param("accept_partial"), Some("true"));
}

#[actix::test]
async fn a_list_that_is_longer_than_what_is_read_of_it_is_used_as_far_as_it_reaches() {
    // Some 130 bytes each: a list of 400 KiB.
    let lines = (0..6_000).map(|number| match number % 2 {
        0 => format!("m f=1 {number}"),
        _ => format!("bad{number},t=}}]}} {}", "x".repeat(20)),
    });
    let (_, written, rejected, posts) = written(Server::InfluxDb3, lines).await;
    assert_eq!((written, rejected), (3_000, 3_000));
    assert!(posts <= 12, "{posts} POSTs");
    // Also where each answer repeats what is left of the body.
    let lines = (0..20_000).map(|number| match number % 5_000 {
        4_000 => format!("bad{number}"),
        _ => format!("m,tag={} f=1 {number}", "v".repeat(40)),
    });
    let (_, written, rejected, posts) = self::written(Server::VictoriaMetrics1_112, lines).await;
    assert_eq!((written, rejected), (19_996, 4));
    assert!(posts <= 10, "{posts} POSTs");
}

#[actix::test]
async fn limits_of_columns_and_tables_reject_the_lines_that_meet_them() {
    let wide: Vec<_> = (0..600).map(|number| format!("f{number}=1")).collect();
    let wide = format!("wide {} 1", wide.join(","));
    let lines = (0..100).map(|number| match number {
        50 => wide.clone(),
        _ => format!("m f=1 {number}"),
    });
    let (_, written, rejected, posts) = written(Server::InfluxDb3, lines).await;
    assert_eq!((written, rejected, posts), (99, 1, 2));
    let tables = (0..2_010).map(|number| format!("table{number} f=1 1"));
    let (_, written, rejected, _) = self::written(Server::InfluxDb3, tables).await;
    assert_eq!((written, rejected), (2_000, 10));
}

#[actix::test]
async fn a_database_beyond_the_limit_is_kept_and_the_others_go_on() {
    let fake = FakeInflux::imitating(Server::InfluxDb3);
    let influx = Influx::start(slow(Config::v3(fake.url(), TOKEN))).unwrap();
    for database in ["a", "b", "c", "d", "e"] {
        record(&influx, database, 10);
    }
    assert_eq!(influx.flush(LONG).await.written, 50);
    for database in ["a", "sixth", "e"] {
        record(&influx, database, 10);
    }
    let report = influx.flush(WATCHED).await;
    assert_eq!((report.written, report.undelivered), (20, 10), "{report:?}");
    let stats = influx.stats();
    assert_eq!((stats.rejected, stats.pending), (0, 10), "{stats}");
    let failure = stats.endpoints[0].last_failure.as_ref().unwrap();
    assert_eq!(failure.reason.kind, FailureKind::Misconfigured);
    assert!(
        failure
            .reason
            .message
            .contains("exceed limit of 5 databases")
    );
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn a_body_that_is_too_large_is_split_whatever_the_status() {
    for server in [
        Server::InfluxDb1_6,
        Server::InfluxDb2_7,
        // 500.
        Server::InfluxDb3,
        Server::Cloud,
        // 400.
        Server::VictoriaMetrics1_112,
        Server::GreptimeDb,
        Server::Telegraf,
        Server::TelegrafV2,
    ] {
        let fake = FakeInflux::imitating(server);
        fake.set_max_body_size(5_000);
        let config = configs(server, &fake).remove(0);
        let influx = Influx::start(config).unwrap();
        record(&influx, "db", 1_000);
        let stats = settled(&influx).await;
        assert_eq!(stats.written, 1_000, "{server}: {stats}");
        assert_eq!(fake.received_count("db"), 1_000, "{server}");
    }
}

#[actix::test]
async fn conflicts_of_types_reject_only_the_lines_in_conflict() {
    for server in Server::all() {
        let is_without_types = matches!(
            server,
            Server::VictoriaMetrics1_79
                | Server::VictoriaMetrics1_112
                | Server::Vmagent1_79
                | Server::Telegraf
                | Server::TelegrafV2
        );
        if is_without_types {
            continue;
        }
        let fake = FakeInflux::imitating(*server);
        let config = configs(*server, &fake).remove(0);
        let influx = Influx::start(config).unwrap();
        record_line(&influx, "db", "m timeout=1 1").unwrap();
        assert_eq!(influx.flush(LONG).await.written, 1, "{server}");
        for number in 2..202 {
            let value = if number % 100 == 50 { "\"text\"" } else { "2" };
            // Names as hostile as they can be: they are no words of the server's.
            let line = format!("m timeout={value} {number}");
            record_line(&influx, "db", &line).unwrap();
        }
        let stats = settled(&influx).await;
        assert_eq!((stats.written, stats.rejected), (199, 2), "{server}");
    }
}

/// Kept as a fault of the configuration, and written when it is mended.
async fn is_kept(fake: &FakeInflux, config: Config, mend: impl FnOnce(&FakeInflux), said: &str) {
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 100);
    let report = influx.flush(WATCHED).await;
    assert_eq!(report.undelivered, 100, "{said}: {report:?}");
    assert!(
        fake.write_count() < 10,
        "{said}: {} POSTs",
        fake.write_count()
    );
    let stats = influx.stats();
    assert_eq!((stats.rejected, stats.pending), (0, 100), "{said}");
    let failure = stats.endpoints[0].last_failure.clone().unwrap().reason;
    assert!(failure.message.contains(said), "{}", failure.message);
    mend(fake);
    // A probe may have written it before the shutdown begins.
    let report = influx.shutdown(LONG).await;
    assert_eq!(report.stats.written, 100, "{said}");
}

#[actix::test]
async fn a_database_bucket_or_mapping_that_is_missing_is_kept() {
    for (server, said) in [
        (Server::InfluxDb1_6, "database not found"),
        (Server::InfluxDb1_8, "database not found"),
        (Server::InfluxDb1_12, "database not found"),
        (Server::InfluxDb2_7, "bucket \"db\" not found"),
        (Server::Cloud, "bucket \"db\" not found"),
        (Server::GreptimeDb, "Failed to find schema"),
    ] {
        let fake = FakeInflux::imitating(server);
        fake.without_database("db");
        let config = configs(server, &fake).remove(0);
        is_kept(&fake, config, |fake| fake.create_database("db"), said).await;
    }
    let fake = FakeInflux::imitating(Server::InfluxDb2_7);
    fake.without_database("db");
    let v1 = configs(Server::InfluxDb2_7, &fake).remove(1);
    let said = "no dbrp mapping found";
    is_kept(&fake, v1, |fake| fake.create_database("db"), said).await;
    let fake = FakeInflux::imitating(Server::InfluxDb1_6);
    fake.without_retention_policy("week");
    let influx = Influx::start(slow(Config::v1(fake.url()))).unwrap();
    let database = || actix_influxdb::Database::new("db").retention_policy("week");
    record(&influx, database(), 100);
    let report = influx.flush(WATCHED).await;
    assert_eq!(report.undelivered, 100, "{report:?}");
    assert_eq!(influx.stats().rejected, 0);
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn what_a_server_refuses_for_its_credentials_is_kept() {
    for server in Server::all() {
        let fake = FakeInflux::imitating(*server);
        let config = configs(*server, &fake).remove(0);
        match config.settings().has_token() {
            true => fake.require_token("another"),
            false => fake.require_auth("ada", "another"),
        }
        let right = |fake: &FakeInflux| {
            fake.require_token(TOKEN);
            fake.answer_always(Answer::status(204));
        };
        is_kept(&fake, config, right, "status 401").await;
    }
    // A scheme that InfluxDB 3 doesn't know is a 400.
    let fake = FakeInflux::imitating(Server::InfluxDb3);
    fake.require_token(TOKEN);
    let refusal = r#"{"error": "Authorization header was malformed, the request was not in the form of 'Authorization: <auth-scheme> <token>'"}"#;
    fake.answer_always(Answer::status(400).body(refusal));
    let config = slow(Config::v3(fake.url(), TOKEN));
    let right = |fake: &FakeInflux| fake.answer_always(Answer::accept());
    is_kept(&fake, config, right, "malformed").await;
}

#[actix::test]
async fn what_a_server_can_not_store_for_now_is_kept() {
    for server in Server::all() {
        let count = configs(*server, &FakeInflux::imitating(*server)).len();
        for number in 0..count {
            let fake = FakeInflux::imitating(*server);
            let config = configs(*server, &fake).remove(number);
            let what = format!("{server} {:?}", config.settings().api());
            fake.set_read_only(true);
            let influx = Influx::start(config).unwrap();
            record(&influx, "db", 100);
            let report = influx.flush(WATCHED).await;
            // It has a queue.
            let kept = if *server == Server::Vmagent1_79 {
                0
            } else {
                100
            };
            assert_eq!(report.undelivered, kept, "{what}: {report:?}");
            let stats = influx.stats();
            assert_eq!((stats.rejected, stats.pending), (0, kept), "{what}");
            fake.set_read_only(false);
            assert_eq!(settled(&influx).await.written, 100, "{what}");
        }
    }
}

#[actix::test]
async fn troubles_of_a_servers_storage_are_kept_whatever_their_status() {
    for (status, body) in [
        // InfluxDB 3, by its v2 API.
        (
            400,
            r#"{"code":"invalid","message":"write buffer error: error from wal: wal buffer full with 100 ops"}"#,
        ),
        (
            400,
            r#"{"code":"invalid","message":"write buffer error: error from persister: object store: timeout"}"#,
        ),
        (
            500,
            "write buffer error: error from wal: wal is shutdown and not accepting writes",
        ),
        // InfluxDB 1.8 to 1.12.
        (
            400,
            r#"{"error":"partial write: write /var/lib/influxdb/wal/1: no space left on device dropped=100"}"#,
        ),
        (
            500,
            r#"{"error":"engine: cache-max-memory-size exceeded: (1073743900/1073741824)"}"#,
        ),
        (503, "request throttled, queue full"),
        // VictoriaMetrics, vmagent.
        (
            503,
            "cannot store metrics: the storage is in read-only mode; check -storage.minFreeDiskSpaceBytes",
        ),
        (
            429,
            "remote storage systems cannot keep up with the data ingestion rate",
        ),
        // GreptimeDB, openGemini, QuestDB, TDengine, Telegraf.
        (
            401,
            r#"{"code":4007,"error":"Region 42 is read only","execution_time_ms":0}"#,
        ),
        (
            400,
            r#"{"error":"readonly now and writing is not allowed"}"#,
        ),
        (
            500,
            r#"{"code":"internal error","message":"failed to parse line protocol:errors encountered on line(s):write error: m, errno: 28, error: could not append","line":1,"errorId":"a-1"}"#,
        ),
        (503, r#"{"code":"internal error","message":"pool timeout"}"#),
        (429, ""),
    ] {
        let fake = FakeInflux::start();
        fake.answer_always(Answer::status(status).body(body));
        let influx = Influx::start(quiet(fake.url())).unwrap();
        record(&influx, "db", 100);
        let report = influx.flush(WATCHED).await;
        assert_eq!(report.undelivered, 100, "{body}: {report:?}");
        assert_eq!(influx.stats().rejected, 0, "{body}");
        fake.answer_always(Answer::accept());
        assert_eq!(influx.shutdown(LONG).await.written, 100, "{body}");
    }
}

#[actix::test]
async fn retry_after_of_the_cloud_is_followed() {
    let fake = FakeInflux::imitating(Server::Cloud);
    let config = configs(Server::Cloud, &fake).remove(0);
    let limited = r#"{"code":"too many requests","message":"org acme has exceeded limited_write plan limit"}"#;
    for status in [429, 503] {
        fake.answer_next(Answer::status(status).body(limited).retry_after(1));
        let influx = Influx::start(config.clone()).unwrap();
        record(&influx, "db", 10);
        let began = Instant::now();
        assert_eq!(influx.flush(LONG).await.written, 10);
        assert!(
            began.elapsed() >= Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        settled(&influx).await;
    }
}

#[actix::test]
async fn settings_of_one_api_are_sent_with_it() {
    let fake = FakeInflux::imitating(Server::InfluxDb1_6);
    let config = slow(Config::v1(fake.url())).consistency(Consistency::All);
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 1);
    influx.flush(LONG).await;
    influx.update(|config| config.consistency(None)).unwrap();
    record(&influx, "db", 1);
    settled(&influx).await;
    let levels = fake.requests();
    let levels = levels.iter().map(|request| request.param("consistency"));
    assert_eq!(levels.collect::<Vec<_>>(), [Some("all"), None]);

    let fake = FakeInflux::imitating(Server::InfluxDb3);
    let influx = Influx::start(slow(Config::v3(fake.url(), TOKEN)).no_sync(true)).unwrap();
    record(&influx, "db", 1);
    settled(&influx).await;
    assert_eq!(fake.requests()[0].param("no_sync"), Some("true"));
}

#[actix::test]
async fn a_bucket_and_an_organisation_go_by_name_and_by_id() {
    for name in ["my bucket", "0a1b2c3d4e5f6071"] {
        let fake = FakeInflux::imitating(Server::InfluxDb2_7);
        fake.require_token(TOKEN);
        let influx = Influx::start(slow(Config::v2(fake.url(), name, TOKEN))).unwrap();
        record(&influx, name, 10);
        assert_eq!(settled(&influx).await.written, 10);
        assert_eq!(fake.count(name), 10);
        assert_eq!(fake.requests()[0].param("org"), Some(name));
    }
}

#[actix::test]
async fn the_api_is_changed_while_it_runs_unless_the_unit_would_be_another() {
    let fake = FakeInflux::imitating(Server::InfluxDb1_8);
    let influx =
        Influx::start(slow(Config::v1(fake.url())).precision(Precision::Microseconds)).unwrap();
    let v2 = |config: Config| config.api(actix_influxdb::Api::V2).org("o").token("t");
    let error = influx.update(v2).unwrap_err();
    assert!(error.to_string().starts_with("api is \"v2\""), "{error}");
    settled(&influx).await;
    let influx = Influx::start(slow(Config::v1(fake.url()))).unwrap();
    influx.update(v2).unwrap();
    record(&influx, "db", 1);
    settled(&influx).await;
    assert_eq!(fake.requests()[0].path, "/api/v2/write");
}

#[actix::test]
async fn a_ping_tells_which_server_it_is() {
    for server in Server::all() {
        let fake = FakeInflux::imitating(*server);
        let config = configs(*server, &fake).remove(0);
        let influx = Influx::start(config).unwrap();
        let info = influx.ping().await.unwrap();
        let (product, version) = match server {
            Server::InfluxDb1_6 => (Product::InfluxDb, Some("1.6.7")),
            Server::InfluxDb1_8 => (Product::InfluxDb, Some("1.8.10")),
            Server::InfluxDb1_12 => (Product::InfluxDb, Some("1.12.4")),
            Server::InfluxDb2_7 => (Product::InfluxDb, Some("2.7.12")),
            Server::InfluxDb3 => (Product::InfluxDb, Some("3.6.0")),
            Server::Cloud => (Product::InfluxDbCloud, None),
            // They answer a ping alike, and none says its version.
            Server::VictoriaMetrics1_79 | Server::VictoriaMetrics1_112 | Server::Vmagent1_79 => {
                (Product::VictoriaMetrics, None)
            }
            Server::QuestDb => (Product::QuestDb, None),
            Server::GreptimeDb => (Product::Unknown, None),
            Server::Telegraf | Server::TelegrafV2 => (Product::Telegraf, None),
            _ => unreachable!(),
        };
        assert_eq!(
            (info.product, info.version.as_deref()),
            (product, version),
            "{server}"
        );
        settled(&influx).await;
    }
    // Without the token InfluxDB 3 answers nothing.
    let fake = FakeInflux::imitating(Server::InfluxDb3);
    fake.require_token(TOKEN);
    let influx = Influx::start(slow(Config::v3(fake.url(), "wrong"))).unwrap();
    let error = influx.ping().await.unwrap_err();
    assert!(
        matches!(error, PingError::Status { status: 401, .. }),
        "{error}"
    );
    settled(&influx).await;
}

#[actix::test]
async fn the_first_contact_tells_which_server_it_is() {
    for server in Server::all() {
        let fake = FakeInflux::imitating(*server);
        let config = configs(*server, &fake).remove(0);
        let influx = Influx::start(config).unwrap();
        assert_eq!(influx.stats().endpoints[0].server, None);
        record(&influx, "db", 1);
        assert_eq!(influx.flush(LONG).await.written, 1);
        let wanted = match server {
            Server::InfluxDb1_6 => "InfluxDB 1.6.7 (OSS)",
            Server::InfluxDb1_8 => "InfluxDB 1.8.10 (OSS)",
            Server::InfluxDb1_12 => "InfluxDB 1.12.4 (OSS)",
            Server::InfluxDb2_7 => "InfluxDB 2.7.12 (OSS)",
            Server::InfluxDb3 => "InfluxDB 3.6.0 (Core)",
            Server::Cloud => "InfluxDB Cloud",
            Server::VictoriaMetrics1_79 | Server::VictoriaMetrics1_112 => "VictoriaMetrics",
            Server::Vmagent1_79 => "vmagent",
            Server::QuestDb => "QuestDB",
            Server::GreptimeDb => "",
            Server::Telegraf => "Telegraf (influxdb_listener)",
            Server::TelegrafV2 => "Telegraf (influxdb_v2_listener)",
            _ => unreachable!(),
        };
        // What the answer itself doesn't tell, a ping does.
        let is_told = support::wait_for(LONG, || {
            let server = influx.stats().endpoints[0].server.clone();
            wanted.is_empty() || server.is_some_and(|server| server.to_string().starts_with(wanted))
        });
        assert!(is_told.await, "{server}: {:?}", influx.stats().endpoints);
        settled(&influx).await;
    }
}

#[actix::test]
async fn a_server_that_tells_its_product_only_is_asked_for_its_version() {
    let fake = FakeInflux::imitating(Server::InfluxDb3);
    // As 3.10 does.
    fake.answer_always(Answer::accept().header("cluster-uuid", "6f1e2d3c"));
    let influx = Influx::start(slow(Config::v3(fake.url(), TOKEN))).unwrap();
    for _ in 0..3 {
        record(&influx, "db", 1);
        influx.flush(LONG).await;
    }
    let is_told = support::wait_for(LONG, || {
        let server = influx.stats().endpoints[0].server.clone();
        server.is_some_and(|server| server.version.as_deref() == Some("3.6.0"))
    });
    assert!(is_told.await, "{:?}", influx.stats().endpoints);
    record(&influx, "db", 1);
    settled(&influx).await;
    let server = influx.stats().endpoints[0].server.clone().unwrap();
    assert_eq!(server.version.as_deref(), Some("3.6.0"), "{server}");
    let pings = fake.requests();
    let pings = pings.iter().filter(|request| request.path == "/ping");
    assert_eq!(pings.count(), 1);
}

#[actix::test]
async fn a_name_or_retention_policy_that_holds_a_servers_words_is_none_of_them() {
    // VictoriaMetrics 1.79 repeats the URL, with the database.
    let fake = FakeInflux::imitating(Server::VictoriaMetrics1_79);
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let long = format!("m f=\"{}\" 1", "x".repeat(600_000));
    record_line(&influx, "gzip timeout", &long).unwrap();
    for number in 0..10 {
        record_line(&influx, "gzip timeout", &format!("m f=1 {number}")).unwrap();
    }
    let stats = settled(&influx).await;
    assert_eq!((stats.written, stats.rejected), (10, 1), "{stats}");
}
