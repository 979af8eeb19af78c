//! State of each host that connections go to.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use super::route::Route;

/// A host and port. After a failure its generation changes, and older connections are not used
/// again: what is wrong with one (the other end has gone silently) is probably wrong with all. So
/// they cost one timeout together.
#[derive(Debug)]
pub(super) struct Host {
    /// As in the URL: `localhost:8086`, or the path of a socket.
    pub(super) name: String,
    route: RefCell<Route>,
    generation: Cell<u64>,
    /// Maximum time of a request.
    limit: Cell<Duration>,
}

impl Host {
    pub(super) fn new(name: &str, route: Route) -> Self {
        Self {
            name: name.to_owned(),
            route: RefCell::new(route),
            generation: Cell::new(0),
            limit: Cell::new(Duration::from_secs(10)),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.get()
    }

    pub(super) fn route(&self) -> Route {
        self.route.borrow().clone()
    }

    /// Changes the route; connections over the old one are not used again.
    fn set_route(&self, route: &Route) {
        if *self.route.borrow() != *route {
            *self.route.borrow_mut() = route.clone();
            self.retire_connections();
        }
    }

    /// Prevents that current connections are used again.
    pub(super) fn retire_connections(&self) {
        self.generation.set(self.generation.get() + 1);
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit.get()
    }

    pub(super) fn set_limit(&self, limit: Duration) {
        self.limit.set(limit);
    }
}

/// The hosts by authority, one per base URL.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Rc<RefCell<HashMap<String, Rc<Host>>>>);

impl Hosts {
    /// The host of an authority; from now on it is reached by `route`.
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

    /// `None` before the first request.
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
        assert_eq!(host.generation(), 0);
        let proxy = crate::Config::default().proxy("http://p").resolved_proxy();
        let route = Route {
            kind: Kind::Tcp,
            proxy: proxy.unwrap().map(Into::into),
        };
        hosts.reached_by("h:1", "h:1", &route);
        assert_eq!((host.generation(), host.route()), (1, route));
    }
}
