//! The example `scale_out`: several services write to a vmagent, which passes on to two nodes of VictoriaMetrics; a node is killed, the
//! agent is restarted, and nothing that was counted as written is missing.

#![cfg(unix)]

mod support;

use std::{
    env, fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use support::{test_name, victoria, vmagent, wait::wait_until};

/// The script itself ends in half a minute.
const LIMIT: Duration = Duration::from_secs(120);

/// The first of three free ports.
fn ports() -> u16 {
    let are_free = |first: &u16| {
        let taken: Vec<_> = (*first..first + 3)
            .map(|port| TcpListener::bind(("127.0.0.1", port)))
            .collect();
        taken.iter().all(Result::is_ok)
    };
    let first = 20_000 + (std::process::id() % 4_000) as u16 * 3;
    let mut ports = (first..first + 3_000).step_by(3);
    ports.find(are_free).expect("three free ports")
}

#[test]
fn nothing_is_missing_on_a_node_behind_an_agent_when_the_other_is_killed_and_the_agent_restarted() {
    let programs = (
        victoria::installed(test_name!()),
        vmagent::installed(test_name!()),
    );
    let (Some(node), Some(agent)) = programs else {
        return;
    };
    let Some(example) = support::example::program(test_name!(), "scale_out") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    let file = fs::File::create(&output).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scale_out/run");
    let mut run = Command::new(script)
        .env("SERVICE", example)
        .env("VICTORIA_METRICS_BIN", node)
        .env("VMAGENT_BIN", agent)
        .env("PORT", ports().to_string())
        .envs([("SERVICES", "3"), ("RATE", "500"), ("SECONDS_OF_LOAD", "8")])
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .expect("the script starts");
    let has_ended = wait_until(LIMIT, || run.try_wait().unwrap().is_some());
    if !has_ended {
        // So that it ends what it has started.
        let id = run.id().to_string();
        _ = Command::new("kill").args(["-TERM", &id]).status();
    }
    let status = run.wait().unwrap();
    let output = fs::read_to_string(output).unwrap();
    assert!(has_ended && status.success(), "{status}: {output}");
    let number = |begin: &str| {
        let line = output.lines().find(|line| line.starts_with(begin));
        let line = line.unwrap_or_else(|| panic!("no {begin:?} in {output}"));
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(number("written by the services"), 3 * 500 * 8, "{output}");
    assert_eq!(number("on node 1"), 3 * 500 * 8, "{output}");
    // What it had answered in its last seconds is lost with it, and nothing else.
    assert!(number("on node 2") >= 3 * 500 * 3, "{output}");
    assert!(output.contains("has dropped 0 blocks"), "{output}");
}
