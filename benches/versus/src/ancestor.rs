//! The library that this crate descends from, sprockets-influxdb. It is Python, so it has an
//! environment of its own beside this program, with the published package.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

use crate::{child::Child, data::Points};

/// The last one there is.
pub const VERSION: &str = "2.2.1";

const SCRIPT: &str = include_str!("../sprockets.py");

#[derive(Debug)]
pub struct Ancestor {
    python: PathBuf,
    points: NamedTempFile,
}

impl Ancestor {
    /// Installs it, unless an earlier run has.
    pub fn prepare() -> Result<Self> {
        let program = std::env::current_exe().context("can't tell where this program is")?;
        let folder = program.with_file_name("sprockets");
        let python = folder.join("bin/python");
        if !is_installed(&python) {
            done(
                "python3",
                Command::new("python3").args(["-m", "venv"]).arg(&folder),
            )?;
            let mut pip = Command::new(&python);
            let package = format!("sprockets-influxdb=={VERSION}");
            done(
                "pip",
                pip.args(["-m", "pip", "install", "--quiet", &package]),
            )?;
            if !is_installed(&python) {
                bail!("{package} is installed, but can't be imported by this Python");
            }
        }
        let points = NamedTempFile::new().context("no file for the points")?;
        fs::write(&points, table()?)?;
        Ok(Self { python, points })
    }

    /// A process as those of the other clients.
    pub fn start(&self, points: usize, port: Option<u16>, core: usize) -> Result<Child> {
        let url = port.map_or_else(String::new, |port| format!("http://127.0.0.1:{port}"));
        let mut command = Command::new(&self.python);
        command.arg("-c").arg(SCRIPT).arg(self.points.path());
        command.args([points.to_string(), core.to_string(), url]);
        Child::spawn(command, "python: sprockets-influxdb".to_owned())
    }
}

fn is_installed(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import sprockets_influxdb, tornado.httpclient"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn done(what: &str, command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("can't start {what}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what} failed: {}", said.trim());
    }
    Ok(())
}

/// The points as text, one in a line.
fn table() -> Result<String> {
    let mut out = String::new();
    for point in Points::different().batches().flatten() {
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            point.host,
            point.region,
            point.service,
            point.endpoint,
            point.method,
            point.status,
            point.duration,
            point.bytes
        )?;
    }
    Ok(out)
}
