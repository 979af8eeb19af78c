//! A real influxd on a free port, with its files in a folder that goes away with it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{child::Child, data::DATABASE, machine};

const START: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Influxd {
    // Dropped first: it writes to the folder.
    process: Child,
    _folder: TempDir,
    pub port: u16,
    pub version: String,
}

impl Influxd {
    /// Is there one, as a command?
    pub fn is_available() -> bool {
        let mut command = Command::new("influxd");
        let command = command.arg("version");
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Starts one that has the database.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new().context("no folder for influxd")?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let file = folder.path().join("influxdb.conf");
        fs::write(&file, config(folder.path(), port))?;
        let mut command = Command::new("influxd");
        command.arg("-config").arg(&file).stderr(Stdio::null());
        let process = Child::spawn(command, "influxd".to_owned())?;
        let deadline = Instant::now() + START;
        let version = loop {
            match request(port, "GET /ping") {
                Ok(head) => break version(&head),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("influxd does not answer"));
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        };
        request(
            port,
            &format!("POST /query?q=CREATE%20DATABASE%20{DATABASE}"),
        )?;
        Ok(Self {
            process,
            _folder: folder,
            port,
            version,
        })
    }

    /// Its CPU time so far, in seconds.
    pub fn cpu(&self) -> Result<f64> {
        machine::cpu_of(self.process.id())
    }
}

/// The smallest that keeps it away from other folders and ports, and from the network. The first
/// address is that of a backup service that nobody uses.
fn config(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        r#"reporting-enabled = false
bind-address = "127.0.0.1:0"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[logging]
level = "error"
"#
    )
}

/// The head of the answer, if it is 2xx.
fn request(port: u16, what: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(START))?;
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 2") {
        bail!("influxd said to {what:?}: {answer}");
    }
    Ok(answer)
}

fn version(head: &str) -> String {
    let version = head
        .lines()
        .find_map(|line| line.strip_prefix("X-Influxdb-Version: "));
    version.unwrap_or("unknown").to_owned()
}
