//! What the threads of a [`FakeInflux`](super::FakeInflux) and its handle share.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    answer::{Answer, What},
    auth::Credentials,
    connections::Connections,
    imitate::Catalog,
    point::Point,
    request::Request,
    server::Server,
    store::Store,
};

/// 1.6.7's default of `max-body-size`, in bytes.
const DEFAULT_MAX_BODY_SIZE: usize = 25_000_000;

/// A function that decides on each write.
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
    /// How many of the requests are writes.
    pub(super) writes: usize,
    pub(super) next: VecDeque<Answer>,
    pub(super) otherwise: Otherwise,
    pub(super) credentials: Credentials,
    pub(super) max_body_size: usize,
    /// As which server all requests are answered; `None`: as described in the module.
    pub(super) server: Option<Server>,
    /// Does the storage take no writes?
    pub(super) is_read_only: bool,
    /// What InfluxDB 3 knows of its tables.
    pub(super) catalog: Catalog,
    /// Retention policies that writes are refused to.
    pub(super) missing_policies: HashSet<String>,
    pub(super) stopping: bool,
    /// What the server's own threads panicked with.
    pub(super) panics: Vec<String>,
    /// How often what stalls was released.
    releases: u64,
    /// How many requests were recorded and forgotten.
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
            otherwise: Otherwise::Always(Answer::accept()),
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

/// What answers when no answer is queued.
#[derive(Clone)]
pub(super) enum Otherwise {
    Always(Answer),
    Decide(Decide),
}

impl fmt::Debug for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(answer) => f.debug_tuple("Always").field(answer).finish(),
            Self::Decide(_) => f.write_str("Decide(..)"),
        }
    }
}

/// Where a request is in the records, and which release frees it if it stalls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// How many requests were recorded before it, cleared ones included.
    number: usize,
    releases: u64,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes the state and wakes those who wait for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `condition` holds; false if `timeout` was over first.
    pub(super) fn wait(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&State) -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        let waited = self
            .changed
            .wait_while_for(&mut state, |state| !condition(state), timeout);
        // It may have come true with the last of the time.
        !waited.timed_out() || condition(&state)
    }

    /// Waits until what `ticket` stands for is released; false if the server stops.
    pub(super) fn wait_for_release(&self, ticket: Ticket) -> bool {
        let mut state = self.state.lock();
        let held = |state: &mut State| !state.stopping && state.releases == ticket.releases;
        self.changed.wait_while(&mut state, held);
        !state.stopping
    }

    /// Pauses for `time`; false if the server stops.
    pub(super) fn pause(&self, time: Duration) -> bool {
        !self.wait(time, |state| state.stopping)
    }
}

impl State {
    pub(super) fn release(&mut self) {
        self.releases += 1;
    }

    /// What the next write is answered with.
    pub(super) fn take_answer(&mut self) -> Otherwise {
        match self.next.pop_front() {
            Some(answer) => Otherwise::Always(answer),
            None => self.otherwise.clone(),
        }
    }

    /// The next answer, if it is not to wait for a request.
    pub(super) fn take_hang_up(&mut self) -> Option<Answer> {
        let hang_up = |answer: &Answer| answer.what == What::HangUp;
        match (self.next.front(), &self.otherwise) {
            (Some(answer), _) if hang_up(answer) => self.next.pop_front(),
            (None, Otherwise::Always(answer)) if hang_up(answer) => Some(answer.clone()),
            _ => None,
        }
    }

    pub(super) fn record(&mut self, request: Request) -> Ticket {
        let number = self.cleared + self.requests.len();
        self.writes += usize::from(request.is_write());
        self.requests.push(request);
        Ticket {
            number,
            releases: self.releases,
        }
    }

    /// The record, unless it was cleared since.
    pub(super) fn recorded(&mut self, ticket: Ticket) -> Option<&mut Request> {
        self.requests
            .get_mut(ticket.number.checked_sub(self.cleared)?)
    }

    /// Takes out the lines that arrived, and forgets points and requests.
    pub(super) fn take(&mut self) -> BTreeMap<String, Vec<Arc<Point>>> {
        self.forget_requests();
        self.store.take()
    }

    /// Forgets points, types and requests.
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
