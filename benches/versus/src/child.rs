//! This program again, in a process of its own: so each subject is alone in its process.
//!
//! A child says what it found in lines `key=value` on its standard output.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::{Child as Process, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Killed when it is dropped.
#[derive(Debug)]
pub struct Child {
    what: String,
    process: Process,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    said: HashMap<String, String>,
}

impl Child {
    /// Starts this program with other arguments.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("can't tell where this program is")?;
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(command, arguments.join(" "))
    }

    /// Starts another program, called `what` in errors.
    pub fn spawn(mut command: Command, what: String) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command
            .spawn()
            .with_context(|| format!("can't start `{what}`"))?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().context("it has no output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let said = HashMap::new();
        Ok(Self {
            what,
            process,
            stdin,
            lines,
            said,
        })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it says, now or later, of `key`.
    pub fn wait_for(&mut self, key: &str, timeout: Duration) -> Result<String> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(value) = self.said.get(key) {
                return Ok(value.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some((key, value)) = line.split_once('=') {
                        self.said.insert(key.to_owned(), value.to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("`{}` did not say `{key}` in {timeout:?}", self.what)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.process.wait()?;
                    bail!("`{}` ended without saying `{key}` ({status})", self.what)
                }
            }
        }
    }

    pub fn number(&mut self, key: &str, timeout: Duration) -> Result<f64> {
        let value = self.wait_for(key, timeout)?;
        let number = value.parse();
        number.with_context(|| format!("`{}` said {key}={value:?}, no number", self.what))
    }

    /// Closes its standard input, which asks some of them to end.
    pub fn ask_to_end(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has ended.
    pub fn end(&mut self, timeout: Duration) -> Result<()> {
        self.ask_to_end();
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("`{}` failed ({status})", self.what);
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("`{}` did not end in {timeout:?}", self.what)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It fails where it has ended, which is as well.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
