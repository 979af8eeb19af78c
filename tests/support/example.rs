//! The programs of `examples/`, built before they are run: also where a single test file was asked for, of which
//! cargo builds no examples.

use std::{
    collections::BTreeSet,
    env,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// As this test was built.
const FEATURES: [(&str, bool); 5] = [
    ("gzip", cfg!(feature = "gzip")),
    ("middleware", cfg!(feature = "middleware")),
    ("rustls", cfg!(feature = "rustls")),
    ("serde", cfg!(feature = "serde")),
    ("testing", cfg!(feature = "testing")),
];

/// The program of an example; `None` after saying that `test` was left out, where this is not run by cargo and the
/// example is not built.
///
/// # Panics
///
/// With what cargo says, if the example can't be built.
pub fn program(test: &str, name: &str) -> Option<PathBuf> {
    let this = env::current_exe().expect("a test is a program");
    // target/debug/deps/this
    let profile = this.parent()?.parent()?;
    if let Some(cargo) = env::var_os("CARGO") {
        static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if built.insert(name.to_owned()) {
            let target = profile.parent()?;
            let profile = match profile.file_name()?.to_str()? {
                "debug" => "dev",
                other => other,
            };
            let features = FEATURES.iter().filter(|(_, is_on)| *is_on);
            let features: Vec<_> = features.map(|(feature, _)| *feature).collect();
            let mut build = Command::new(cargo);
            build
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args(["build", "--offline", "--quiet", "--no-default-features"])
                .args(["--example", name, "--profile", profile])
                .args(["--features", &features.join(",")])
                .arg("--target-dir")
                .arg(target);
            let output = build.output().expect("cargo starts");
            let errors = String::from_utf8_lossy(&output.stderr);
            let is_built = output.status.success();
            assert!(is_built, "examples/{name} can't be built:\n{errors}");
        }
    }
    let program = profile.join("examples").join(name);
    if !program.is_file() {
        let why = format!("examples/{name} is not built (cargo build --examples)");
        super::leave_out(test, &why);
        return None;
    }
    Some(program)
}
