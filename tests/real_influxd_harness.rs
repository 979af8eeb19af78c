//! The harness that the other tests stand on: what it promises of a real influxd and VictoriaMetrics.

mod support;

use std::{
    env,
    future::Future,
    io::{self, BufRead as _, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::{Command, Stdio},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use serde_json::json;
use support::{
    http,
    influxd::{Influxd, PASSWORD, USER},
    require_influxd, require_victoria_metrics, test_name,
    wait::wait_until,
};

const SOON: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

fn write(influxd: &Influxd, database: &str, lines: &str) {
    let reply = influxd.write(database, lines).expect("an answer");
    assert_eq!(reply.status, 204, "{}", reply.body);
}

#[test]
fn a_point_written_by_hand_is_read_back() {
    let influxd = require_influxd!();
    influxd.create_database("a \"b\"&c");
    assert_eq!(influxd.databases(), ["a \"b\"&c"]);
    let lines = "m\\ 1,t=x\\,y f=1,n=7i,s=\"a\\\"b +%\n🦀\" 1700000000000000001\nm\\ 1 f=2.5 2";
    write(&influxd, "a \"b\"&c", lines);

    assert_eq!(influxd.count("a \"b\"&c", "m 1", "f"), 2);
    assert_eq!(influxd.count("a \"b\"&c", "m 1", "n"), 1);
    assert_eq!(influxd.count("a \"b\"&c", "other", "f"), 0);
    let rows = influxd.query_all("a \"b\"&c", "m 1");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].time, 2);
    assert!(rows[0].tags.is_empty());
    assert_eq!(rows[0].fields, [("f".to_owned(), json!(2.5))].into());
    assert_eq!(rows[1].time, 1_700_000_000_000_000_001);
    assert_eq!(rows[1].tags, [("t".to_owned(), "x,y".to_owned())].into());
    assert_eq!(rows[1].fields["n"], json!(7));
    assert_eq!(rows[1].fields["s"], json!("a\"b +%\n🦀"));
    let types = influxd.field_types("a \"b\"&c", "m 1");
    assert_eq!(types["f"], "float");
    assert_eq!(types["n"], "integer");

    influxd.drop_database("a \"b\"&c");
    assert!(influxd.databases().is_empty());
}

#[test]
fn a_query_that_fails_fails_the_test_with_the_servers_reason() {
    let influxd = require_influxd!();
    let count = AssertUnwindSafe(|| influxd.count("nope", "m", "f"));
    let panic = catch_unwind(count).expect_err("a panic");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("database not found: nope"), "{message}");
}

#[test]
fn a_point_survives_a_kill_and_a_stop() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    write(&influxd, "db", "m f=1 1");
    let url = influxd.url().to_owned();

    influxd.kill();
    assert!(influxd.ping(SOON).is_err());
    influxd.restart();
    assert_eq!(influxd.count("db", "m", "f"), 1);

    influxd.stop();
    assert!(influxd.ping(SOON).is_err());
    influxd.restart();
    assert_eq!(influxd.count("db", "m", "f"), 1);
    assert_eq!(influxd.url(), url);
}

#[test]
fn a_paused_server_does_not_answer_until_it_is_resumed() {
    let influxd = require_influxd!();
    influxd.pause();
    let error = influxd.ping(SOON).expect_err("no answer");
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error}");
    influxd.resume();
    assert_eq!(influxd.ping(LONG).expect("an answer").status, 204);

    influxd.pause();
    influxd.stop();
    influxd.restart();
    assert_eq!(influxd.ping(LONG).expect("an answer").status, 204);
}

#[test]
fn with_auth_only_the_administrator_gets_in() {
    let influxd = require_influxd!(Influxd::builder().auth(true));
    influxd.create_database("db");
    write(&influxd, "db", "m f=1 1");
    assert_eq!(influxd.count("db", "m", "f"), 1);

    let url = format!("{}/write", influxd.url());
    let status = |parameters: &[_]| http::post(&url, parameters, b"m f=1 2").unwrap().status;
    assert_eq!(status(&[("db", "db")]), 401);
    assert_eq!(status(&[("db", "db"), ("u", USER), ("p", "wrong")]), 401);
    assert_eq!(status(&[("db", "db"), ("u", USER), ("p", PASSWORD)]), 204);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let influxd = require_influxd!(Influxd::builder().max_body_size(1_000));
    influxd.create_database("db");
    write(&influxd, "db", "m f=1 1");
    // A connection that is cut before the answer is an error here.
    if let Ok(reply) = influxd.write("db", "m f=1 2\n".repeat(100_000)) {
        assert_eq!(reply.status, 413, "{}", reply.body);
    }
    assert_eq!(influxd.count("db", "m", "f"), 1);
}

#[test]
fn a_tag_value_over_the_limit_is_refused() {
    let influxd = require_influxd!(Influxd::builder().max_values_per_tag(2));
    influxd.create_database("db");
    // influxd compares with what it had before the request, so a single request may exceed it.
    write(&influxd, "db", "m,t=a f=1 1\nm,t=b f=1 1");
    let reply = influxd.write("db", "m,t=c f=1 1\nm,t=a f=1 2").unwrap();
    assert_eq!(reply.status, 400);
    assert!(
        reply.body.contains("max-values-per-tag limit exceeded"),
        "{}",
        reply.body
    );
    assert_eq!(influxd.count("db", "m", "f"), 3);
}

#[test]
fn servers_side_by_side_share_nothing() {
    let (one, other) = (require_influxd!(), require_influxd!());
    assert_ne!(one.url(), other.url());
    one.create_database("db");
    other.create_database("db");
    write(&one, "db", "m f=1 1");
    other.kill();
    assert_eq!(one.count("db", "m", "f"), 1);
    other.restart();
    assert_eq!(other.count("db", "m", "f"), 0);
}

#[test]
fn a_test_that_panics_leaves_neither_process_nor_folder() {
    let influxd = require_influxd!();
    let url = influxd.url().to_owned();
    let variables = http::get(&format!("{url}/debug/vars"), &[], LONG)
        .unwrap()
        .body;
    let variables: serde_json::Value = serde_json::from_str(&variables).unwrap();
    let file = PathBuf::from(variables["cmdline"][2].as_str().expect("the configuration"));
    assert!(file.is_file());

    let test = thread::spawn(move || {
        let _influxd = influxd;
        panic!("as a failing test does");
    });
    assert!(test.join().is_err());
    assert!(http::get(&format!("{url}/ping"), &[], SOON).is_err());
    assert!(!file.parent().unwrap().exists());
}

#[test]
fn a_test_program_that_is_killed_leaves_no_process() {
    const INNER: &str = "HARNESS_INNER";
    let influxd = require_influxd!();
    if env::var_os(INNER).is_some() {
        println!("\n{}", influxd.url());
        // Until it is killed, or the outer one is.
        _ = io::stdin().read(&mut [0]);
        return;
    }
    // What is killed doesn't tidy up: its folders go with this one.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, name) = test_name!().split_once("::").expect("the program's name");
    let mut inner = Command::new(env::current_exe().expect("this program"))
        .args([name, "--exact", "--nocapture"])
        .env(INNER, "1")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let lines = BufReader::new(inner.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| line.expect("a line"));
    let address = lines.find_map(|line| Some(line.strip_prefix("http://")?.to_owned()));
    let address = address.expect("where the inner server is");
    assert!(TcpStream::connect(&address).is_ok());

    inner.kill().expect("it runs");
    inner.wait().expect("it has ended");
    let is_gone = || TcpStream::connect(&address).is_err();
    assert!(wait_until(LONG, is_gone), "{address} is still served");
    assert_eq!(influxd.ping(LONG).expect("an answer").status, 204);
}

#[test]
fn a_port_that_another_process_took_is_told_from_a_server_that_fails() {
    let influxd = require_influxd!();
    influxd.kill();
    let address = influxd.url().trim_start_matches("http://");
    let _squatter = TcpListener::bind(address).expect("the port is free again");
    let panic = catch_unwind(AssertUnwindSafe(|| influxd.restart())).expect_err("a panic");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(
        message.contains("was taken by another process"),
        "{message}"
    );
}

#[test]
fn the_name_of_a_test_is_known_within_async_blocks_and_closures() {
    let expected = concat!(
        "real_influxd_harness::",
        "the_name_of_a_test_is_known_within_async_blocks_and_closures"
    );
    assert_eq!(test_name!(), expected);
    assert_eq!(Some(()).map(|()| test_name!()), Some(expected));
    let mut name = Box::pin(async { test_name!() });
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(name.as_mut().poll(&mut context), Poll::Ready(expected));
}

#[test]
fn victoria_metrics_keeps_points_over_a_stop_and_names_them_by_field() {
    let victoria = require_victoria_metrics!();
    let lines = "cpu,host=a usage=1.5,n=2i 1700000000001000000\n\
                 cpu,host=b usage=3 1700000000002000000";
    assert_eq!(victoria.write("db", lines).expect("an answer").status, 204);
    assert_eq!(victoria.count(r#"{db="db"}"#), 3);

    victoria.stop();
    victoria.restart();
    let series = victoria.export(r#"cpu_usage{host="a"}"#);
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].name, "cpu_usage");
    assert_eq!(series[0].labels["host"], "a");
    assert_eq!(series[0].labels["db"], "db");
    assert_eq!(series[0].samples, [(1_700_000_000_001, 1.5)]);

    victoria.kill();
    assert!(victoria.write("db", lines).is_err());
    victoria.restart();
    assert_eq!(victoria.count(r#"{db="db"}"#), 3);
}
