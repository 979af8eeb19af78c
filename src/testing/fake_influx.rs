//! The server's handle.

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    answer::Answer,
    diagnosis,
    listener::Port,
    point::Point,
    request::Request,
    server::Server,
    state::{DefaultAnswer, Shared},
    view::View,
};

/// Time that [`FakeInflux::close_idle`] waits for responses being sent.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// An InfluxDB server within the test's process. The [module](super) describes its responses.
///
/// Dropping a `FakeInflux` closes all connections and ends its threads. The drop panics if one of
/// the threads has panicked, for example in a function given to [`answer_with`](Self::answer_with).
pub struct FakeInflux {
    shared: Arc<Shared>,
    port: Mutex<Port>,
    address: SocketAddr,
}

/// Start and address.
impl FakeInflux {
    /// Starts a server on a free port of the loopback address.
    ///
    /// # Panics
    ///
    /// If there is no free port, or no thread can be started.
    #[must_use = "the server ends when it is dropped"]
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let (port, address) = Port::open(&shared);
        Self {
            shared,
            port: Mutex::new(port),
            address,
        }
    }

    /// Starts a server that responds like `server`, with its paths, errors and limits. The default
    /// is an InfluxDB 1.6.7 that also accepts writes of v2 and v3. Scripts
    /// ([`answer_next`](Self::answer_next) and others) take precedence.
    ///
    /// Points are found in the database or bucket named in the request, even if the server would
    /// store them differently (VictoriaMetrics: a series per field); with QuestDB, which has no
    /// databases, in `""`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use actix_influxdb::{Config, Influx, testing::{self, FakeInflux, Server}};
    ///
    /// # #[actix::main]
    /// # async fn main() {
    /// let fake = FakeInflux::imitating(Server::InfluxDb3);
    /// fake.require_token("secret");
    /// let influx = Influx::start(Config::v3(fake.url(), "secret")).unwrap();
    /// testing::record_line(&influx, "example", "good ok=true 1").unwrap();
    /// testing::record_line(&influx, "example", "bad 1").unwrap();
    /// let report = influx.shutdown(Duration::from_secs(5)).await;
    /// assert_eq!((report.written, report.rejected), (1, 1));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// See [`start`](Self::start).
    #[must_use = "the server ends when it is dropped"]
    pub fn imitating(server: Server) -> Self {
        let influx = Self::start();
        influx.shared.change(|state| {
            state.server = Some(server);
            state.max_body_size = server.max_body_size();
        });
        influx
    }

    /// Returns the base URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address, which stays the same for the server's life.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

/// Points and requests that have arrived.
impl FakeInflux {
    /// Returns the points stored in `database`, in order of arrival: what a query would return.
    /// Points with the same measurement, tags, timestamp and retention policy are merged; each
    /// field has its latest value.
    pub fn points(&self, database: &str) -> Vec<Point> {
        self.view(|view| view.points(database).cloned().collect())
    }

    /// Returns every good line that arrived for `database`, in order of arrival, including repeated
    /// ones.
    pub fn received(&self, database: &str) -> Vec<Point> {
        self.view(|view| view.received(database).cloned().collect())
    }

    /// Returns the number of points stored in `database`.
    pub fn count(&self, database: &str) -> usize {
        self.view(|view| view.count(database))
    }

    /// Returns the number of good lines that arrived for `database`, including repeated ones.
    pub fn received_count(&self, database: &str) -> usize {
        self.view(|view| view.received_count(database))
    }

    /// Returns the databases that were created or written to, sorted by name.
    pub fn databases(&self) -> Vec<String> {
        self.view(|view| view.databases().map(str::to_owned).collect())
    }

    /// Returns all requests of any kind, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.view(|view| view.requests().to_vec())
    }

    /// Returns the number of requests of any kind.
    pub fn request_count(&self) -> usize {
        self.view(|view| view.requests().len())
    }

    /// Returns the number of writes.
    pub fn write_count(&self) -> usize {
        self.view(|view| view.write_count())
    }

    /// Returns the number of accepted connections.
    pub fn connection_count(&self) -> u64 {
        self.view(|view| view.connection_count())
    }

    /// Calls `look` with everything that has arrived, without copying. `look` must not call the
    /// server's methods.
    pub fn view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        look(&View::new(&self.shared.lock()))
    }

    /// Removes and returns the good lines that arrived since the last call, by database. Also
    /// removes the points and the requests, but not the types of fields; so a server can run for
    /// days.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use actix_influxdb::{Config, Influx, Measurement, testing::FakeInflux};
    ///
    /// # #[actix::main]
    /// # async fn main() {
    /// let fake = FakeInflux::start();
    /// let influx = Influx::start(Config::v1(fake.url())).unwrap();
    /// influx.record(Measurement::new("example", "login").field("ok", true)).unwrap();
    /// influx.flush(Duration::from_secs(5)).await;
    /// assert_eq!(fake.take()["example"].len(), 1);
    /// assert!(fake.take().is_empty());
    /// assert_eq!((fake.count("example"), fake.request_count()), (0, 0));
    /// # }
    /// ```
    pub fn take(&self) -> BTreeMap<String, Vec<Point>> {
        let taken = self.shared.change(|state| state.take());
        let owned = |point: Arc<Point>| Arc::unwrap_or_clone(point);
        let taken = taken.into_iter();
        taken
            .map(|(name, points)| (name, points.into_iter().map(owned).collect()))
            .collect()
    }

    /// Removes the points, the types of their fields, and the requests. Databases, scripts and
    /// settings stay.
    pub fn clear(&self) {
        self.shared.change(|state| state.clear());
    }
}

/// Waiting, without sleeping. These methods block the calling thread.
impl FakeInflux {
    /// Waits until `condition` holds, at most `timeout`. Returns whether it holds. `condition` is
    /// called after every change; it must not call the server's methods.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let influx = actix_influxdb::testing::FakeInflux::start();
    /// let late = influx.wait_until(Duration::ZERO, |view| {
    ///     view.points("example").any(|point| point.tag("tier") == Some("gold"))
    /// });
    /// assert!(!late);
    /// ```
    pub fn wait_until(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&View<'_>) -> bool,
    ) -> bool {
        self.shared
            .wait(timeout, |state| condition(&View::new(state)))
    }

    /// Waits until at least `count` points are stored in `database`.
    ///
    /// # Panics
    ///
    /// If there are fewer after `timeout`. The message says what has arrived, and possible reasons
    /// that this process's pipelines know: nothing was recorded or flushed, a body was not read, or
    /// measurements were rejected or dropped.
    #[track_caller]
    pub fn wait_for_points(&self, database: &str, count: usize, timeout: Duration) {
        if !self.wait_until(timeout, |view| view.count(database) >= count) {
            self.late(&format!("{count} points in {database:?}"), timeout);
        }
    }

    /// Waits until at least `count` requests of any kind have arrived.
    ///
    /// # Panics
    ///
    /// If there are fewer after `timeout`, with a message as in
    /// [`wait_for_points`](Self::wait_for_points).
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) {
        if !self.wait_until(timeout, |view| view.requests().len() >= count) {
            self.late(&format!("{count} requests"), timeout);
        }
    }

    #[track_caller]
    fn late(&self, what: &str, timeout: Duration) -> ! {
        let there = self.view(|view| format!("{view:?}"));
        let reasons = diagnosis::reasons(&self.url());
        let reasons = reasons.join("\n- ");
        panic!("no {what} within {timeout:?}:\n- {reasons}\nWhat has arrived: {there}");
    }
}

/// Scripts of answers.
impl FakeInflux {
    /// Responds to one write with `answer`. Each call adds to a queue; writes take from it in the
    /// order in which their heads arrive.
    pub fn answer_next(&self, answer: Answer) {
        self.shared.change(|state| state.next.push_back(answer));
    }

    /// Responds to every write with `answer` while the queue of [`answer_next`](Self::answer_next)
    /// is empty. `Answer::accept()` restores the default.
    pub fn answer_always(&self, answer: Answer) {
        self.shared
            .change(|state| state.default_answer = DefaultAnswer::Always(answer));
    }

    /// Lets a function respond to every write while the queue of [`answer_next`](Self::answer_next)
    /// is empty. Called on the connection's thread when the request's body is complete: so an
    /// answer that stalls before the body stalls before the response, and one that cuts the request
    /// closes the connection before the response.
    ///
    /// ```
    /// # let influx = actix_influxdb::testing::FakeInflux::start();
    /// use actix_influxdb::testing::Answer;
    ///
    /// influx.answer_with(|request| match request.param("db") {
    ///     Some("billing") => Answer::status(503),
    ///     _ => Answer::accept(),
    /// });
    /// ```
    pub fn answer_with(&self, decide: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        self.shared
            .change(|state| state.default_answer = DefaultAnswer::Decide(Arc::new(decide)));
    }

    /// Releases all stalled answers whose requests were recorded before this call. Later ones stall
    /// until the next call.
    pub fn release(&self) {
        self.shared.change(|state| state.release());
    }

    /// Removes a database with its points: writes to it get a 404 until it is created by a `/query`
    /// or by [`create_database`](Self::create_database). All other databases exist.
    pub fn without_database(&self, database: &str) {
        self.shared.change(|state| state.store.remove(database));
    }

    /// Creates a database.
    pub fn create_database(&self, database: &str) {
        self.shared.change(|state| state.store.create(database));
    }

    /// Responds to writes as if the server's storage accepted none: its disk is full or read-only,
    /// or its log is behind. With `false`, accepts writes again. vmagent 1.79 is not affected, as
    /// it has a queue.
    ///
    /// ```
    /// use actix_influxdb::testing::{FakeInflux, Server};
    ///
    /// let fake = FakeInflux::imitating(Server::GreptimeDb);
    /// fake.set_read_only(true); // 401, as if the password were wrong
    /// ```
    pub fn set_read_only(&self, is_read_only: bool) {
        self.shared
            .change(|state| state.is_read_only = is_read_only);
    }

    /// Responds to writes to this retention policy with the error of 1.6.7 for a missing one, if
    /// the server [imitates](Self::imitating) InfluxDB 1.x.
    pub fn without_retention_policy(&self, policy: &str) {
        let policy = policy.to_owned();
        self.shared
            .change(|state| _ = state.missing_policies.insert(policy));
    }

    /// Responds with 401 to writes and queries without this user and password (basic
    /// authentication, or `u=` and `p=`), or the token of [`require_token`](Self::require_token).
    /// The last call counts.
    pub fn require_auth(&self, user: &str, password: &str) {
        let user = Some((user.to_owned(), password.to_owned()));
        self.shared.change(|state| state.credentials.user = user);
    }

    /// Responds with 401 to writes and queries without this token (`Authorization: Token …` or
    /// `Bearer …`), or the user of [`require_auth`](Self::require_auth). The last call counts.
    pub fn require_token(&self, token: &str) {
        let token = Some(token.to_owned());
        self.shared.change(|state| state.credentials.token = token);
    }

    /// Responds with 413 to bodies of more bytes, as sent, compressed or not. The default is that
    /// of 1.6.7: 25,000,000.
    pub fn set_max_body_size(&self, bytes: usize) {
        self.shared.change(|state| state.max_body_size = bytes);
    }
}

/// The network.
impl FakeInflux {
    /// Stops listening: when this returns, connections are refused. The port stays reserved, and
    /// open connections stay open; see [`close_idle`](Self::close_idle).
    pub fn refuse(&self) {
        self.port.lock().refuse();
    }

    /// Listens again, on the same port.
    pub fn accept_again(&self) {
        self.port.lock().accept_again(&self.shared);
    }

    /// Closes the connections kept alive after a response, without announcing it.
    pub fn close_idle(&self) {
        self.shared.change(|state| state.connections.close_idle());
        // A client may have its response a moment before the server has finished.
        self.shared
            .wait(CLOSE_PATIENCE, |state| state.connections.idle_are_closed());
    }
}

impl Drop for FakeInflux {
    fn drop(&mut self) {
        self.port.get_mut().close();
        let threads = self.shared.change(|state| {
            state.stopping = true;
            state.connections.shut_down();
            state.connections.take_threads()
        });
        for thread in threads {
            // Panics are caught in the thread, and stored.
            let _ = thread.join();
        }
        let panics = std::mem::take(&mut self.shared.lock().panics);
        if !panics.is_empty() && !std::thread::panicking() {
            panic!("FakeInflux panicked: {}", panics.join("; "));
        }
    }
}

impl fmt::Debug for FakeInflux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeInflux")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
