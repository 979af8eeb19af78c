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
    request_measurement::Sighting,
    rewriting::Rewriting,
    route::{Route, Routes},
    target::Target,
};

/// Finds the route of a request that is over.
#[derive(Debug, Default)]
pub(super) struct Routing {
    resources: OnceCell<Resources>,
    routes: Routes,
    /// By the address of the name of its resource, which lives as long as `resources`.
    by_name: RefCell<ByAddress<Rc<Route>>>,
    /// For so many requests no name is asked for first.
    names_pause: Cell<u32>,
    rewriting: RefCell<Rewriting>,
}

/// A program's resources.
#[derive(Debug)]
struct Resources {
    /// Owns all that are in the program's own, so that those stay where they are.
    map: ResourceMap,
    /// Of the program's own, which its resources keep from being used again.
    address: NonZeroUsize,
}

/// A look for a name in vain costs more than that many of the texts it is to save.
const NAMES_PAUSE: u32 = 64;

impl Routing {
    /// Keeps the program's resources from the first request that is seen: see
    /// [`of_gone`](Self::of_gone).
    pub(super) fn learn_resources(&self, request: &ServiceRequest) {
        self.resources.get_or_init(|| {
            let map = request.resource_map();
            Resources {
                map: map.clone(),
                address: address::of(map),
            }
        });
    }

    /// The route of the resource that answered a request, which came for `target`.
    pub(super) fn of_answered(
        &self,
        request: &HttpRequest,
        target: &Target,
        method: &'static str,
    ) -> Rc<Route> {
        let mut route = self.of_resource(request, method);
        // actix-web looks by the path as it came, and its router by what is encoded in it.
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

    /// By its name, if it has one: actix-web makes the text of a pattern anew each time, and lends
    /// that of a name. But where there is no name, it looks for one by all patterns.
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

    /// The route of a request that came for `target` and did not come back, because its future was
    /// dropped or is an `Err`. (A clone of it can't be kept: actix-web's router insists on being the
    /// only owner.)
    ///
    /// It is the one that a handler which asked for the measurement was found by, or else what the
    /// path leads to, by the path alone: guards can't be asked any more.
    pub(super) fn of_gone(&self, target: &Target, seen: Option<Sighting>) -> Rc<Route> {
        let Some(Resources { map, .. }) = self.resources.get() else {
            return self.routes.unmatched();
        };
        let Sighting { target, pattern } = seen.unwrap_or_else(|| Sighting {
            target: target.clone(),
            pattern: None,
        });
        let path = target.into_routed_path();
        if let Some(pattern) = pattern {
            let is_first = map.match_pattern(&path).as_deref() == Some(&pattern);
            let name = map.match_name(&path).filter(|_| is_first);
            return self.routes.likeliest(&pattern, name);
        }
        let rewriting = self.rewriting.borrow();
        let mut paths = rewriting.candidates(&path);
        let matched = paths.find_map(|path| self.of_path(map, &path));
        matched.unwrap_or_else(|| self.routes.unmatched())
    }

    /// The first one that fits, by the path alone.
    fn of_path(&self, map: &ResourceMap, path: &str) -> Option<Rc<Route>> {
        let pattern = map.match_pattern(path)?;
        Some(self.routes.likeliest(&pattern, map.match_name(path)))
    }
}
