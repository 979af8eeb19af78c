//! `examples/spool_ctl`: what is in a folder is listed, checked, exported and sent.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use actix_influxdb::{Config, Influx, Measurement, Precision, testing::FakeInflux};
use support::pipeline::LONG;
use tempfile::TempDir;

fn example() -> Option<PathBuf> {
    support::example::program("spool_ctl", "spool_ctl")
}

fn run(program: &Path, url: &str, arguments: &[&str], folder: &Path) -> (Output, String) {
    let mut command = Command::new(program);
    command.arg(arguments[0]).arg(folder).args(&arguments[1..]);
    let output = command.env("INFLUXDB_URL", url).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[actix::test]
async fn what_is_in_a_folder_is_listed_checked_exported_and_sent() {
    let Some(program) = example() else { return };
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let spool = folder.path().join("spool");
    fake.refuse();
    for (database, precision) in [("a b", Precision::Nanoseconds), ("c", Precision::Seconds)] {
        let config = Config::v1(fake.url())
            .precision(precision)
            .spool_dir(&spool);
        let influx = Influx::start(config).unwrap();
        for number in 0..10 {
            let measurement = Measurement::new(database, "m")
                .tag("number", number.to_string())
                .field("number", number);
            influx.record(measurement).unwrap();
        }
        assert_eq!(influx.shutdown(LONG).await.undelivered, 0);
    }
    fake.accept_again();
    let url = fake.url();
    let run = |arguments: &[&str]| run(&program, &url, arguments, &spool);

    let (output, text) = run(&["list"]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("a%20b") && text.contains("20 measurements"),
        "{text}"
    );
    let (output, text) = run(&["check"]);
    assert!(
        output.status.success() && text.contains("2 files, 0 can't be read"),
        "{text}"
    );
    let (output, text) = run(&["export", "--database", "c"]);
    assert!(
        output.status.success() && text.lines().count() == 10,
        "{text}"
    );
    let out = folder.path().join("out");
    let (output, _) = run(&["export", "--to", out.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    for name in ["a_b.ns.lp", "c.s.lp"] {
        let lines = fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(lines.lines().count(), 10, "{name}");
    }

    // Another process has it: said, and nothing is sent.
    let holder = Influx::start(Config::v1("http://127.0.0.1:9").spool_dir(&spool)).unwrap();
    let is_open = || holder.stats().recovered == 20;
    assert!(support::wait::wait_until(LONG, is_open));
    let (output, _) = run(&["send"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("another process"),
        "{error}"
    );
    holder.shutdown(LONG).await;

    let (output, text) = run(&["send"]);
    assert!(
        output.status.success() && text.contains("written=20"),
        "{output:?}"
    );
    assert_eq!((fake.count("a b"), fake.count("c")), (10, 10));

    let damaged = spool.join("000000000001-1-1-a.lp");
    fs::write(&damaged, "x").unwrap();
    let (output, text) = run(&["check"]);
    assert!(
        !output.status.success() && text.contains("damaged"),
        "{text}"
    );
    let (output, _) = self::run(&program, &url, &["list"], Path::new("/no/such/folder"));
    assert!(!output.status.success());
}
