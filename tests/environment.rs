//! What is odd in the process's environment is said when delivery starts. One test only: it
//! changes the environment, which is sound only while nothing else uses it.

#![allow(unsafe_code)] // the process environment is changed

mod support;

use actix_influxdb::{Config, Influx, StartError};
use log::{Level, LevelFilter};
use support::logger;

/// Sets these, and takes every other setting away.
fn set(variables: &[(&str, &str)]) {
    // SAFETY: the only test of this process, and it has started no pipeline that is still at work.
    unsafe {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INFLUX") {
                std::env::remove_var(name);
            }
        }
        for (name, value) in variables {
            std::env::set_var(name, value);
        }
    }
}

fn warnings() -> Vec<String> {
    let lines = logger::take().into_iter();
    let lines = lines.filter(|line| line.level == Level::Warn);
    let mut texts: Vec<_> = lines.map(|line| line.text).collect();
    texts.sort();
    texts
}

#[test]
fn what_is_odd_in_the_environment_is_a_warning_each_at_the_start() {
    // As a pod has it whose namespace has a Service named influxdb, with two slips.
    set(&[
        ("INFLUXDB_ENABLED", "false"),
        ("INFLUXDB_PORT", "tcp://10.0.0.1:8086"),
        ("INFLUXDB_PORT_8086_TCP", "tcp://10.0.0.1:8086"),
        ("INFLUXDB_SERVICE_HOST", "10.0.0.1"),
        ("INFLUXDB_DB", "example"),
        ("INFLUXDB_URLS", "http://ada:hunter2@db"),
        ("INFLUXDB_MAXCLIENTS", "3"),
    ]);
    let config = Config::from_env().expect("nothing that keeps it from starting");
    // The logger comes after the settings, as it often does.
    logger::install(LevelFilter::Info);
    Influx::start(config).unwrap();
    assert_eq!(
        warnings(),
        [
            "INFLUXDB_MAXCLIENTS is set, but not read: is it INFLUXDB_MAX_CLIENTS?",
            "INFLUXDB_PORT is \"tcp://10.0.0.1:8086\", as Kubernetes sets it for a Service named \
             influxdb, or Docker for a link: it is ignored, and measurements go to \
             localhost:8086 (set INFLUXDB_URL to choose the server)",
            "INFLUXDB_URLS is set, but not read: is it INFLUXDB_URL?",
        ]
    );

    // With a URL nothing of that is looked at.
    set(&[
        ("INFLUXDB_ENABLED", "false"),
        ("INFLUXDB_PORT", "tcp://10.0.0.1:8086"),
        ("INFLUXDB_URL", "http://db:8086"),
    ]);
    Influx::start(Config::from_env().unwrap()).unwrap();
    assert_eq!(warnings(), [""; 0]);

    // What is missing is named as it would be set here.
    set(&[("INFLUXDB_API", "v2"), ("INFLUXDB_TOKEN", "hunter2")]);
    let error = Influx::start(Config::from_env().unwrap()).unwrap_err();
    assert!(matches!(error, StartError::Config(_)));
    assert_eq!(
        error.to_string(),
        "a setting can't be used: INFLUXDB_ORG is missing: API v2 needs INFLUXDB_ORG and \
         INFLUXDB_TOKEN"
    );
}
