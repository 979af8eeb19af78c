//! The library that this crate descends from, sprockets-influxdb. It is Python, so it has an
//! environment of its own beside this program, with the published package.

use std::{
    convert::Infallible,
    fmt::{Display, Write as _},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    child::Child,
    data::{
        Points,
        key::Key,
        shape::{Fields, Literals, ManyFields, ManyTags, Request, Shape, Tags, Value},
    },
    workload::Workload,
};

/// The last one there is.
pub const VERSION: &str = "2.2.1";

const SCRIPT: &str = include_str!("../sprockets.py");

#[derive(Debug)]
pub struct Ancestor {
    python: PathBuf,
    /// A file for each workload that was asked for.
    points: TempDir,
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
        let points = TempDir::new().context("no folder for the points")?;
        Ok(Self { python, points })
    }

    /// A process as those of the other clients. It reads the points from a file.
    pub fn start(
        &self,
        workload: &Workload,
        points: usize,
        port: Option<u16>,
        core: usize,
    ) -> Result<Child> {
        let url = port.map_or_else(String::new, |port| format!("http://127.0.0.1:{port}"));
        let mut command = Command::new(&self.python);
        command.arg("-c").arg(SCRIPT).arg(self.file(workload)?);
        command.args([points.to_string(), core.to_string(), url]);
        Child::spawn(command, "python: sprockets-influxdb".to_owned())
    }

    /// The workload's points, written when they are first asked for.
    fn file(&self, workload: &Workload) -> Result<PathBuf> {
        let path = self.points.path().join(workload.name);
        if !path.exists() {
            let text = match (workload.tags, workload.fields) {
                (6, 2) => table::<Request<Literals>>(workload),
                (20, 2) => table::<ManyTags>(workload),
                (1, 10) => table::<ManyFields>(workload),
                (tags, fields) => bail!("no points have {tags} tags and {fields} fields"),
            };
            fs::write(&path, text)?;
        }
        Ok(path)
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

/// How many points are in its file: they come again after these.
const DIFFERENT: usize = 200_000;

/// The points as text: a line with the keys of their tags and one with those of their fields, and
/// then a line for each.
fn table<S: Shape>(workload: &Workload) -> String {
    let points = Points::new(workload, DIFFERENT);
    let mut tags = String::new();
    let mut fields = String::new();
    let mut rows = String::new();
    for (place, point) in points.batches().flatten().enumerate() {
        let Ok(Row { keys, values }) = S::tags(&point, Row::default());
        if place == 0 {
            tags = keys;
        }
        rows.push_str(&values);
        let Ok(Row { keys, values }) = S::fields(&point, Row::default());
        if place == 0 {
            fields = keys;
        }
        rows.push_str(&values);
        rows.push('\n');
    }
    format!("{tags}\n{fields}\n{rows}")
}

/// Keys and values, each with a tab after it.
#[derive(Debug, Default)]
struct Row {
    keys: String,
    values: String,
}

impl Row {
    fn with(mut self, key: Key, value: impl Display) -> Result<Self, Infallible> {
        self.keys += key.name;
        self.keys.push('\t');
        // Writing to a string does not fail.
        _ = write!(self.values, "{value}\t");
        Ok(self)
    }
}

impl Tags for Row {
    type Error = Infallible;

    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Infallible> {
        self.with(key, value.as_ref())
    }
}

impl Fields for Row {
    type Error = Infallible;

    /// A float stays one, also where it is whole.
    fn float(self, key: Key, value: f64) -> Result<Self, Infallible> {
        self.with(key, format_args!("{value:?}"))
    }

    fn integer(self, key: Key, value: i64) -> Result<Self, Infallible> {
        self.with(key, value)
    }
}
