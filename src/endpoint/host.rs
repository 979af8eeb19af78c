//! What is known of each host that connections go to.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

/// One host and port. A failure ages it: then all connections that were made before are not used
/// again, because what is wrong with one of them (the other end has gone without a word) is likely
/// to be wrong with all. So they cost one timeout together, and not one each.
#[derive(Debug)]
pub(super) struct Host {
    /// As it stands in the URL: `localhost:8086`.
    pub(super) name: String,
    age: Cell<u64>,
    /// What an exchange may take at most. The same for all, as far as anybody knows.
    limit: Cell<Duration>,
}

impl Host {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            age: Cell::new(0),
            limit: Cell::new(Duration::from_secs(10)),
        }
    }

    pub(super) fn age(&self) -> u64 {
        self.age.get()
    }

    /// No connection that was made before is used again.
    pub(super) fn retire_connections(&self) {
        self.age.set(self.age.get() + 1);
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit.get()
    }

    pub(super) fn set_limit(&self, limit: Duration) {
        self.limit.set(limit);
    }
}

/// All hosts, each under its name: as many as there were base URLs.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Rc<RefCell<HashMap<String, Rc<Host>>>>);

impl Hosts {
    pub(super) fn get(&self, name: &str) -> Rc<Host> {
        let mut hosts = self.0.borrow_mut();
        if let Some(host) = hosts.get(name) {
            return Rc::clone(host);
        }
        let host = Rc::new(Host::new(name));
        hosts.insert(name.to_owned(), Rc::clone(&host));
        host
    }
}
