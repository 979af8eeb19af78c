//! A server's process: it gets the signals that a test wants, and doesn't outlive the test.

use std::process::{Child, Command, ExitStatus, Stdio};

/// Killed when dropped, and also when the test's own process ends in any other way.
#[derive(Debug)]
pub struct Process {
    command: Command,
    child: Child,
    watchdog: Child,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let child = spawn(&mut command);
        Self {
            watchdog: spawn(&mut watchdog(child.id())),
            child,
            command,
        }
    }

    /// Starts it again, killed first if it still runs.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&mut self.command);
        self.watchdog = spawn(&mut watchdog(self.child.id()));
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait();
        let status = status.expect("the state of the server's process");
        if status.is_some() {
            end(&mut self.watchdog);
        }
        status
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        // The watchdog first: it would kill by a number that may soon be another process's.
        end(&mut self.watchdog);
        end(&mut self.child);
    }

    /// Asks it to end (SIGTERM); if it is paused, as soon as it is resumed.
    pub fn terminate(&mut self) {
        self.signal("TERM");
    }

    /// Freezes it (SIGSTOP).
    pub fn pause(&mut self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`pause`](Self::pause) (SIGCONT).
    pub fn resume(&mut self) {
        self.signal("CONT");
    }

    /// The shell's own `kill`, as the program is not on every machine.
    fn signal(&mut self, name: &str) {
        if self.exited().is_some() {
            return;
        }
        let id = self.child.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &id])
            .status();
        assert!(status.expect("sh starts").success(), "kill -s {name} {id}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills the process of that number when its own input is closed, which only this process holds:
/// so also when this one is killed, and nothing here runs any more.
fn watchdog(id: u32) -> Command {
    // Ctrl-C, or the end of a time limit, is for all processes of a test at once.
    const SCRIPT: &str = "trap '' HUP INT TERM; read -r _; kill -s KILL \"$0\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT, &id.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn spawn(command: &mut Command) -> Child {
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn end(child: &mut Child) {
    // Fails only if it was waited for already.
    let _ = child.kill();
    let _ = child.wait();
}
