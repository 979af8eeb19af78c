//! What several test programs share: pipelines and what they are fed, and real servers, each a
//! process of its own on a free loopback port.
//!
//! A test that needs a server begins with `let influxd = require_influxd!();`: where the server isn't
//! installed the test [leaves itself out](leave_out), and `tests/run` fails at its end.

// Every test crate compiles this module whole and uses its own part of it.
#![allow(dead_code, unused_imports, unused_macros)]

#[cfg(feature = "rustls")]
pub mod certificates;
pub mod example;
pub mod http;
pub mod influxd;
pub mod load;
pub mod logger;
pub mod measurement;
pub mod nginx;
pub mod pipeline;
pub mod process;
pub mod raw;
pub mod server;
#[cfg(feature = "rustls")]
pub mod tls_front;
pub mod victoria;
pub mod vmagent;
pub mod wait;

use std::{
    env,
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

/// The path of the test function it is used in, closures left off: `crate::module::function`.
macro_rules! test_name {
    () => {{
        fn here() {}
        $crate::support::function_around(std::any::type_name_of_val(&here))
    }};
}

/// A fresh influxd, or one as the given builder says; ends the test (see the module) without one.
macro_rules! require_influxd {
    () => {
        $crate::support::require_influxd!($crate::support::influxd::Influxd::builder())
    };
    ($builder:expr) => {
        match $crate::support::influxd::installed($crate::support::test_name!()) {
            Some(binary) => $builder.start(&binary),
            None => return,
        }
    };
}

/// A fresh VictoriaMetrics; ends the test (see the module) without one.
macro_rules! require_victoria_metrics {
    () => {
        $crate::support::require_victoria_metrics!(&[])
    };
    ($arguments:expr) => {
        match $crate::support::victoria::installed($crate::support::test_name!()) {
            Some(binary) => $crate::support::victoria::VictoriaMetrics::start(&binary, $arguments),
            None => return,
        }
    };
}

/// A fresh vmagent that passes on to these nodes; ends the test (see the module) without one.
macro_rules! require_vmagent {
    ($nodes:expr, $arguments:expr) => {
        match $crate::support::vmagent::installed($crate::support::test_name!()) {
            Some(binary) => $crate::support::vmagent::Vmagent::start(&binary, $nodes, $arguments),
            None => return,
        }
    };
}

/// An nginx with these `server` contents (a function of its folder); ends the test (see the module)
/// without one.
macro_rules! require_nginx {
    ($server:expr) => {
        match $crate::support::nginx::installed($crate::support::test_name!()) {
            Some(binary) => $crate::support::nginx::Nginx::start(&binary, $server),
            None => return,
        }
    };
}

pub(crate) use {
    require_influxd, require_nginx, require_victoria_metrics, require_vmagent, test_name,
};

/// Takes `::here` and any `::{{closure}}` (an async test's body is one) off a type's name.
pub fn function_around(type_name: &'static str) -> &'static str {
    let mut name = type_name.trim_end_matches("::here");
    while let Some(outer) = name.strip_suffix("::{{closure}}") {
        name = outer;
    }
    name
}

/// Says that `test` was left out, and why: on stderr, past libtest, which captures what the print
/// macros write, and in the file that `TESTS_LEFT_OUT` names, if it names one.
pub fn leave_out(test: &str, why: &str) {
    let line = format!("left out: {test}: {why}\n");
    _ = io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("TESTS_LEFT_OUT") {
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("TESTS_LEFT_OUT={}: {error}", path.display()));
    }
}

/// Where `variable` says that the server is, else where PATH or Debian has it; `None` after saying
/// that `test` was left out.
///
/// # Panics
///
/// If `variable` names no file.
pub fn find_or_leave_out(
    test: &str,
    binary: &str,
    package: &str,
    variable: &str,
) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        assert!(
            path.is_file(),
            "{variable}={}: no such file",
            path.display()
        );
        return Some(path);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(["/usr/bin".into(), "/usr/sbin".into()])
        .map(|folder| folder.join(binary))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        let why = format!(
            "{binary} is not installed (Debian: apt-get install {package}; else {variable}=PATH \
             names its program)"
        );
        leave_out(test, &why);
    }
    found
}

/// Waits until `condition` holds, without holding up the runtime; says whether it did within `timeout`.
pub async fn wait_for(timeout: std::time::Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = std::time::Instant::now() + timeout;
    loop {
        if condition() {
            return true;
        }
        if std::time::Instant::now() >= deadline {
            return false;
        }
        actix::clock::sleep(std::time::Duration::from_millis(2)).await;
    }
}
