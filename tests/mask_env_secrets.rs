//! Masking the environment's secrets. One test only: it changes the process's environment, which
//! is sound only while nothing else uses it.

#![cfg(unix)]
#![allow(unsafe_code)] // the process environment is changed

use std::process::Command;

use actix_influxdb::Config;

fn what_a_child_inherits(variable: &str) -> String {
    let script = format!("printf %s \"${variable}\"");
    let output = Command::new("sh").args(["-c", &script]).output();
    String::from_utf8(output.expect("sh runs").stdout).expect("the value is Unicode")
}

#[test]
fn a_child_process_inherits_no_secret_once_they_are_masked() {
    // SAFETY: the only test of this process, so nothing else uses the environment.
    unsafe {
        std::env::set_var("INFLUXDB_USER", "writer");
        std::env::set_var("INFLUXDB_PASSWORD", "hunter2");
        std::env::remove_var("INFLUXDB_TOKEN");
    }
    assert_eq!(what_a_child_inherits("INFLUXDB_PASSWORD"), "hunter2");
    let config = Config::from_env().expect("the environment is fine");

    // SAFETY: as above.
    unsafe { Config::mask_env_secrets() };

    assert_eq!(what_a_child_inherits("INFLUXDB_PASSWORD"), "[redacted]");
    assert_eq!(what_a_child_inherits("INFLUXDB_USER"), "writer");
    assert_eq!(
        std::env::var_os("INFLUXDB_TOKEN"),
        None,
        "what was not set stays unset"
    );
    assert_eq!(config.validate(), Ok(()), "what was read before is kept");
    let error = Config::from_env().unwrap_err();
    assert_eq!(error.setting, "INFLUXDB_PASSWORD");
}
