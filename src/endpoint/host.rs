//! What is known of each host that connections go to.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use super::route::Route;

/// One host and port. A failure ages it: then all connections that were made before are not used
/// again, because what is wrong with one of them (the other end has gone without a word) is likely
/// to be wrong with all. So they cost one timeout together, and not one each.
#[derive(Debug)]
pub(super) struct Host {
    /// As it stands in the URL: `localhost:8086`, or the path of a socket.
    pub(super) name: String,
    route: RefCell<Route>,
    age: Cell<u64>,
    /// What an exchange may take at most. The same for all, as far as anybody knows.
    limit: Cell<Duration>,
}

impl Host {
    pub(super) fn new(name: &str, route: Route) -> Self {
        Self {
            name: name.to_owned(),
            route: RefCell::new(route),
            age: Cell::new(0),
            limit: Cell::new(Duration::from_secs(10)),
        }
    }

    pub(super) fn age(&self) -> u64 {
        self.age.get()
    }

    pub(super) fn route(&self) -> Route {
        self.route.borrow().clone()
    }

    /// Connections that were made on another way, or with other certificates, are not used again.
    fn set_route(&self, route: &Route) {
        if *self.route.borrow() != *route {
            *self.route.borrow_mut() = route.clone();
            self.retire_connections();
        }
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

/// All hosts, each under its authority: as many as there were base URLs.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Rc<RefCell<HashMap<String, Rc<Host>>>>);

impl Hosts {
    /// The host behind an authority, which is reached on that way from now on.
    pub(super) fn reached_by(&self, authority: &str, name: &str, route: &Route) -> Rc<Host> {
        let mut hosts = self.0.borrow_mut();
        if let Some(host) = hosts.get(authority) {
            host.set_route(route);
            return Rc::clone(host);
        }
        let host = Rc::new(Host::new(name, route.clone()));
        hosts.insert(authority.to_owned(), Rc::clone(&host));
        host
    }

    /// `None` before anything was sent there.
    pub(super) fn get(&self, authority: &str) -> Option<Rc<Host>> {
        self.0.borrow().get(authority).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::route::Kind, *};

    #[test]
    fn connections_are_retired_when_the_way_changes_and_only_then() {
        let hosts = Hosts::default();
        let host = hosts.reached_by("h:1", "h:1", &Route::tcp());
        hosts.reached_by("h:1", "h:1", &Route::tcp());
        assert_eq!(host.age(), 0);
        let proxy = crate::Config::default().proxy("http://p").resolved_proxy();
        let route = Route {
            kind: Kind::Tcp,
            proxy: proxy.unwrap().map(Into::into),
        };
        hosts.reached_by("h:1", "h:1", &route);
        assert_eq!((host.age(), host.route()), (1, route));
    }
}
