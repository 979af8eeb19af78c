//! Counts instructions with valgrind: its counts hardly depend on what else the machine does.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::child::Child;

/// Valgrind is some 50 times slower than the machine.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Is valgrind there?
pub fn is_available() -> bool {
    let mut command = Command::new("valgrind");
    let command = command.arg("--version");
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// This program under valgrind.
#[derive(Debug)]
pub struct Counted {
    pub child: Child,
    folder: TempDir,
}

impl Counted {
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let folder = TempDir::new().context("no folder for valgrind")?;
        let program = std::env::current_exe().context("can't tell where this program is")?;
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--quiet"]);
        let mut file = std::ffi::OsString::from("--callgrind-out-file=");
        file.push(folder.path().join("counts"));
        command.arg(file).arg(program).args(arguments);
        let child = Child::spawn(command, format!("valgrind {}", arguments.join(" ")))?;
        Ok(Self { child, folder })
    }

    /// Waits until it has ended: the user instructions of all its threads.
    pub fn instructions(mut self) -> Result<f64> {
        self.child.end(TIMEOUT)?;
        let path = self.folder.path().join("counts");
        let text = fs::read_to_string(&path).context("valgrind has written no counts")?;
        let totals = text.lines().find_map(|line| {
            let totals = line.strip_prefix("totals: ");
            totals.or_else(|| line.strip_prefix("summary: "))
        });
        let totals = totals.context("there is no total in valgrind's counts")?;
        Ok(totals.trim().parse()?)
    }
}

/// Instructions for each of many, without those for starting and ending: `count` says what so many
/// of them take in all.
pub fn per_item(items: usize, mut count: impl FnMut(usize) -> Result<f64>) -> Result<f64> {
    let few = count(items)?;
    let many = count(3 * items)?;
    Ok((many - few) / (2 * items) as f64)
}
