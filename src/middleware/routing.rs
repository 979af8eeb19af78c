use std::{
    cell::{Cell, OnceCell, RefCell},
    num::NonZeroUsize,
    rc::Rc,
};

use actix_web::{
    HttpRequest,
    dev::{ResourceMap, ServiceRequest},
};

use super::{
    address::{self, ByAddress},
    request_measurement::LastSeen,
    rewriting::Rewriting,
    route::{Route, Routes},
    target::Target,
};

/// Finds the route of a request that is over.
#[derive(Debug, Default)]
pub(super) struct Routing {
    resources: OnceCell<Resources>,
    routes: Routes,
    /// Keyed by the address of the resource's name, which lives as long as `resources`.
    by_name: RefCell<ByAddress<Rc<Route>>>,
    /// Number of requests for which names are not looked up first.
    names_pause: Cell<u32>,
    rewriting: RefCell<Rewriting>,
}

/// The program's resources.
#[derive(Debug)]
struct Resources {
    /// Shares ownership, so that the program's resources stay at their addresses.
    map: ResourceMap,
    /// Address of the program's own map, which is not reused as long as its resources exist.
    address: NonZeroUsize,
}

/// A failed lookup of a name costs more than this many texts that it would save.
const NAMES_PAUSE: u32 = 64;

impl Routing {
    /// Keeps the program's resources, from the first request: see
    /// [`of_unanswered`](Self::of_unanswered).
    pub(super) fn learn_resources(&self, request: &ServiceRequest) {
        self.resources.get_or_init(|| {
            let map = request.resource_map();
            Resources {
                map: map.clone(),
                address: address::of(map),
            }
        });
    }

    /// The route of the resource that answered a request for `target`.
    pub(super) fn of_answered(
        &self,
        request: &HttpRequest,
        target: &Target,
        method: &'static str,
    ) -> Rc<Route> {
        let mut route = self.of_resource(request, method);
        // actix-web matches the path as it arrived; its router matches the decoded one.
        let decoded = request.match_info().get_ref().path();
        if route.is_unmatched() && decoded != request.path() {
            route = self
                .of_path(request.resource_map(), decoded)
                .unwrap_or(route);
        }
        if !target.is_of(request.uri()) || route.is_unmatched() {
            let mut rewriting = self.rewriting.borrow_mut();
            rewriting.learn(target.path(), request.path());
        }
        route
    }

    /// The route by the resource's name, if it has one: actix-web allocates the text of a pattern
    /// each time, but not that of a name. Without a name, the lookup goes through all patterns.
    fn of_resource(&self, request: &HttpRequest, method: &'static str) -> Rc<Route> {
        let is_known =
            |resources: &Resources| address::of(request.resource_map()) == resources.address;
        let pause = self.names_pause.get();
        if pause == 0 && self.resources.get().is_some_and(is_known) {
            match request.match_name() {
                Some(name) => return self.of_name(name, request),
                None => self.names_pause.set(NAMES_PAUSE),
            }
        }
        let pattern = request.match_pattern();
        let name = || request.match_name();
        let route = self.routes.of(pattern.as_deref(), method, name);
        self.names_pause.set(match route.is_named() {
            true => pause.saturating_sub(1),
            false => NAMES_PAUSE,
        });
        route
    }

    fn of_name(&self, name: &str, request: &HttpRequest) -> Rc<Route> {
        let address = address::of(name);
        if let Some(known) = self.by_name.borrow().get(&address) {
            return Rc::clone(known);
        }
        let route = match request.match_pattern() {
            Some(pattern) => self.routes.named(&pattern, name),
            None => self.routes.unmatched(),
        };
        let mut by_name = self.by_name.borrow_mut();
        by_name.insert(address, Rc::clone(&route));
        route
    }

    /// The route of a request for `target` without a response, because its future was dropped or
    /// returned an `Err`. (A clone of the request can't be kept: actix-web's router requires that
    /// it is the only owner.)
    ///
    /// The route of the handler, if that requested the measurement; else the one that matches the
    /// path, regardless of guards.
    pub(super) fn of_unanswered(&self, target: &Target, seen: Option<LastSeen>) -> Rc<Route> {
        let Some(Resources { map, .. }) = self.resources.get() else {
            return self.routes.unmatched();
        };
        let LastSeen { target, pattern } = seen.unwrap_or_else(|| LastSeen {
            target: target.clone(),
            pattern: None,
        });
        let path = target.into_routed_path();
        if let Some(pattern) = pattern {
            let is_first = map.match_pattern(&path).as_deref() == Some(&pattern);
            let name = map.match_name(&path).filter(|_| is_first);
            return self.routes.most_likely(&pattern, name);
        }
        let rewriting = self.rewriting.borrow();
        let mut paths = rewriting.candidates(&path);
        let matched = paths.find_map(|path| self.of_path(map, &path));
        matched.unwrap_or_else(|| self.routes.unmatched())
    }

    /// The first route that matches the path, regardless of guards.
    fn of_path(&self, map: &ResourceMap, path: &str) -> Option<Rc<Route>> {
        let pattern = map.match_pattern(path)?;
        Some(self.routes.most_likely(&pattern, map.match_name(path)))
    }
}
