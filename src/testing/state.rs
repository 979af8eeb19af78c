//! State shared by the threads of a [`FakeInflux`](super::FakeInflux) and its handle.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    answer::{Answer, Response},
    auth::Credentials,
    connections::Connections,
    imitate::Catalog,
    point::Point,
    request::Request,
    server::Server,
    store::Store,
};

/// The default of `max-body-size` in 1.6.7, in bytes.
const DEFAULT_MAX_BODY_SIZE: usize = 25_000_000;

/// A function that responds to writes.
pub(super) type Decide = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) requests: Vec<Request>,
    /// Number of writes among the requests.
    pub(super) writes: usize,
    pub(super) next: VecDeque<Answer>,
    pub(super) default_answer: DefaultAnswer,
    pub(super) credentials: Credentials,
    pub(super) max_body_size: usize,
    /// The imitated server; `None` for the default.
    pub(super) server: Option<Server>,
    /// Whether the storage accepts no writes.
    pub(super) is_read_only: bool,
    /// The tables of InfluxDB 3.
    pub(super) catalog: Catalog,
    /// Retention policies whose writes are refused.
    pub(super) missing_policies: HashSet<String>,
    pub(super) stopping: bool,
    /// Panics of the server's own threads.
    pub(super) panics: Vec<String>,
    /// Number of calls of `release`.
    releases: u64,
    /// Number of requests that were recorded and removed.
    cleared: usize,
    pub(super) connections: Connections,
}

impl Default for State {
    fn default() -> Self {
        Self {
            store: Store::default(),
            requests: Vec::new(),
            writes: 0,
            next: VecDeque::new(),
            default_answer: DefaultAnswer::Always(Answer::accept()),
            credentials: Credentials::default(),
            max_body_size: DEFAULT_MAX_BODY_SIZE,
            server: None,
            is_read_only: false,
            catalog: Catalog::default(),
            missing_policies: HashSet::new(),
            stopping: false,
            panics: Vec::new(),
            releases: 0,
            cleared: 0,
            connections: Connections::default(),
        }
    }
}

/// Responds while no answer is queued.
#[derive(Clone)]
pub(super) enum DefaultAnswer {
    Always(Answer),
    Decide(Decide),
}

impl fmt::Debug for DefaultAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(answer) => f.debug_tuple("Always").field(answer).finish(),
            Self::Decide(_) => f.write_str("Decide(..)"),
        }
    }
}

/// Identifies a recorded request, and the release that ends its stall.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestId {
    /// Number of requests recorded before, including removed ones.
    number: usize,
    releases: u64,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes the state and wakes waiting threads.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `condition` holds. Returns `false` after `timeout`.
    pub(super) fn wait(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&State) -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        let waited = self
            .changed
            .wait_while_for(&mut state, |state| !condition(state), timeout);
        // The condition may have become true just at the timeout.
        !waited.timed_out() || condition(&state)
    }

    /// Waits for the release of a request. Returns `false` if the server stops.
    pub(super) fn wait_for_release(&self, id: RequestId) -> bool {
        let mut state = self.state.lock();
        let held = |state: &mut State| !state.stopping && state.releases == id.releases;
        self.changed.wait_while(&mut state, held);
        !state.stopping
    }

    /// Pauses for `time`. Returns `false` if the server stops.
    pub(super) fn pause(&self, time: Duration) -> bool {
        !self.wait(time, |state| state.stopping)
    }
}

impl State {
    pub(super) fn release(&mut self) {
        self.releases += 1;
    }

    /// The response to the next write.
    pub(super) fn take_answer(&mut self) -> DefaultAnswer {
        match self.next.pop_front() {
            Some(answer) => DefaultAnswer::Always(answer),
            None => self.default_answer.clone(),
        }
    }

    /// The next answer, if it doesn't wait for a request.
    pub(super) fn take_hang_up(&mut self) -> Option<Answer> {
        let hang_up = |answer: &Answer| answer.response == Response::HangUp;
        match (self.next.front(), &self.default_answer) {
            (Some(answer), _) if hang_up(answer) => self.next.pop_front(),
            (None, DefaultAnswer::Always(answer)) if hang_up(answer) => Some(answer.clone()),
            _ => None,
        }
    }

    pub(super) fn record(&mut self, request: Request) -> RequestId {
        let number = self.cleared + self.requests.len();
        self.writes += usize::from(request.is_write());
        self.requests.push(request);
        RequestId {
            number,
            releases: self.releases,
        }
    }

    /// The recorded request, unless it was removed.
    pub(super) fn recorded(&mut self, id: RequestId) -> Option<&mut Request> {
        self.requests.get_mut(id.number.checked_sub(self.cleared)?)
    }

    /// Removes and returns the lines that arrived; also removes points and requests.
    pub(super) fn take(&mut self) -> BTreeMap<String, Vec<Arc<Point>>> {
        self.forget_requests();
        self.store.take()
    }

    /// Removes points, types and requests.
    pub(super) fn clear(&mut self) {
        self.store.clear();
        self.catalog = Catalog::default();
        self.forget_requests();
    }

    fn forget_requests(&mut self) {
        self.cleared += self.requests.len();
        self.requests.clear();
        self.writes = 0;
    }
}
