//! A real vmagent, which passes on what it gets to one or more VictoriaMetrics nodes.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
};

use super::{http, server::Server};

/// The agent's program (`VMAGENT_BIN`, PATH, Debian's folders), or `None` after saying that `test` was left out.
pub fn installed(test: &str) -> Option<PathBuf> {
    super::find_or_leave_out(test, "vmagent", "victoria-metrics", "VMAGENT_BIN")
}

/// A [`Server`]: what it could not pass on is still there after it is stopped and restarted, but not all of it
/// after it is killed.
#[derive(Debug)]
pub struct Vmagent {
    server: Server,
}

impl Vmagent {
    /// Passes on to all `nodes`, each by its base URL.
    pub fn start(binary: &Path, nodes: &[String], arguments: &[&str]) -> Self {
        let server = Server::start("/flags", |folder, port| {
            let mut command = Command::new(binary);
            command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
            let queue = folder.join("queue");
            command.arg(format!("-remoteWrite.tmpDataPath={}", queue.display()));
            for node in nodes {
                command.arg(format!("-remoteWrite.url={node}/api/v1/write"));
            }
            command.args(["-loggerLevel=ERROR"]).args(arguments);
            command
        });
        Self { server }
    }

    /// A counter or gauge of its own, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let url = format!("{}/metrics", self.url());
        let reply = http::get(&url, &[], http::TIMEOUT).expect("the agent's metrics");
        let lines = reply.body.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }
}

impl Deref for Vmagent {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
