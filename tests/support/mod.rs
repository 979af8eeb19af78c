//! What several test programs share: pipelines and what they are fed, and real servers, each a
//! process of its own on a free loopback port.
//!
//! A test that needs a server begins with `let influxd = require_influxd!();`: where it isn't
//! installed the test says that it was left out and returns, or fails if `REQUIRE_SERVERS=1`.

// Every test crate compiles this module whole and uses its own part of it.
#![allow(dead_code, unused_imports, unused_macros)]

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
pub mod victoria;
pub mod wait;

use std::{
    env,
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
        match $crate::support::victoria::installed($crate::support::test_name!()) {
            Some(binary) => $crate::support::victoria::VictoriaMetrics::start(&binary),
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

pub(crate) use {require_influxd, require_nginx, require_victoria_metrics, test_name};

/// Takes `::here` and any `::{{closure}}` (an async test's body is one) off a type's name.
pub fn function_around(type_name: &'static str) -> &'static str {
    let mut name = type_name.trim_end_matches("::here");
    while let Some(outer) = name.strip_suffix("::{{closure}}") {
        name = outer;
    }
    name
}

/// Where `variable` says that the server is, else where PATH or Debian has it; `None` after saying
/// that `test` was left out.
///
/// # Panics
///
/// If `variable` names no file, or if the server is missing and `REQUIRE_SERVERS=1`.
fn find_or_leave_out(test: &str, binary: &str, package: &str, variable: &str) -> Option<PathBuf> {
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
        let message = format!(
            "left out: {test}: {binary} is not installed \
             (Debian: apt-get install {package}), or run ./tests/run"
        );
        assert!(
            env::var_os("REQUIRE_SERVERS").is_none_or(|value| value != "1"),
            "{message}"
        );
        // libtest captures what the print macros write, not this: a plain `cargo test` shows it.
        let _ = writeln!(io::stderr(), "{message}");
    }
    found
}
