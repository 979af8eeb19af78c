//! One server: a process on a free port with a folder of its own, ended when dropped.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{http, process::Process};

/// How long a server may take to start or to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub struct Server {
    process: Mutex<Process>,
    url: String,
    /// A page on which the server tells its own command line.
    identity: &'static str,
    /// The name of a unix socket in the folder, if it is asked there whether it is up.
    socket: Option<&'static str>,
    folder: TempDir,
}

/// Why a server didn't come up.
enum StartError {
    PortTaken,
    Other(String),
}

impl Server {
    /// Starts `command(folder, port)`, whose arguments must name the folder, and returns once the
    /// server answers; tries other ports while another process has taken the one it chose.
    ///
    /// # Panics
    ///
    /// With the server's log, if it doesn't come up.
    pub fn start(identity: &'static str, command: impl Fn(&Path, u16) -> Command) -> Self {
        Self::start_with(identity, None, command)
    }

    /// The same, for a server that is to be asked through a socket in its folder.
    pub fn start_with(
        identity: &'static str,
        socket: Option<&'static str>,
        command: impl Fn(&Path, u16) -> Command,
    ) -> Self {
        loop {
            let folder = TempDir::with_prefix("actix-influxdb-").expect("a temporary folder");
            let port = free_port();
            let mut command = command(folder.path(), port);
            let log = File::create(log_of(&folder)).expect("the server's log file");
            // Both read INFLUXDB_… or similar from the environment; a test's server is as it says.
            command
                .env_clear()
                .env("HOME", folder.path())
                .stdin(process::Stdio::null());
            command
                .stdout(log.try_clone().expect("a second handle"))
                .stderr(log);
            let server = Self {
                process: Mutex::new(Process::start(command)),
                url: format!("http://127.0.0.1:{port}"),
                identity,
                socket,
                folder,
            };
            match server.wait_until_ready() {
                Ok(()) => return server,
                Err(StartError::PortTaken) => continue,
                Err(StartError::Other(why)) => panic!("{why}"),
            }
        }
    }

    /// `http://127.0.0.1:PORT`, the same after a restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks the server to end (SIGTERM) and waits until it has; also when it is paused or gone.
    pub fn stop(&self) {
        self.process().terminate();
        self.process().resume();
        wait(|| self.process().exited()).expect("the server ends when asked to");
    }

    /// Ends the server at once, with no chance to save anything (SIGKILL).
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Starts it again on the same port and data, stopped first if it still runs; returns once it
    /// answers.
    pub fn restart(&self) {
        self.stop();
        self.process().restart();
        match self.wait_until_ready() {
            Ok(()) => {}
            Err(StartError::PortTaken) => panic!("{} was taken by another process", self.url),
            Err(StartError::Other(why)) => panic!("{why}"),
        }
    }

    /// Freezes it (SIGSTOP): the kernel still accepts connections for it, but nothing answers.
    pub fn pause(&self) {
        self.process().pause();
    }

    /// Lets it go on after [`pause`](Self::pause) (SIGCONT).
    pub fn resume(&self) {
        self.process().resume();
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer alone could come from another server on that port: it must name this one's folder.
    fn wait_until_ready(&self) -> Result<(), StartError> {
        let page = format!("{}{}", self.url, self.identity);
        let folder = self.folder.path().to_str().expect("a folder in UTF-8");
        let ready = wait(|| {
            if let Some(status) = self.process().exited() {
                return Some(Err(self.ended(status)));
            }
            let body = match self.socket {
                None => http::get(&page, &[], Duration::from_millis(500)).ok()?.body,
                Some(_) => self.ask(self.identity)?,
            };
            body.contains(folder).then_some(Ok(()))
        });
        let late = || format!("no answer in {PATIENCE:?} from {page}\n{}", self.log());
        ready.unwrap_or_else(|| Err(StartError::Other(late())))
    }

    /// The path of the socket.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn socket(&self) -> PathBuf {
        self.folder
            .path()
            .join(self.socket.expect("a server with a socket"))
    }

    /// The whole response to `GET path` through the socket.
    pub fn ask(&self, path: &str) -> Option<String> {
        use std::{
            io::{Read as _, Write as _},
            os::unix::net::UnixStream,
        };
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).ok()?;
        Some(String::from_utf8_lossy(&response).into_owned())
    }

    fn ended(&self, status: ExitStatus) -> StartError {
        let log = self.log();
        if log.contains("address already in use") {
            return StartError::PortTaken;
        }
        StartError::Other(format!("the server ended at once, {status}:\n{log}"))
    }

    fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("log of the server at {}:\n{}", self.url, self.log());
        }
    }
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("server.log")
}

/// The first `Some`, or `None` when there was none for [`PATIENCE`].
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            None if Instant::now() < deadline => thread::sleep(PAUSE),
            seen => return seen,
        }
    }
}

/// A port that is free now, never the same twice in a process. It is below those the kernel gives
/// to outgoing connections: while a server is down, a client that keeps trying to reach it can't
/// be given that port itself, and so keep the server from coming back.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at once begin at different places.
    let start = (process::id() % 240) as u16 * 50;
    loop {
        let port = FIRST + (start + TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
