use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use actix_web::{
    HttpRequest,
    dev::{ResourceMap, ServiceRequest, Url},
    http::Uri,
};
use foldhash::fast::RandomState;

use super::{
    request_measurement::Sighting,
    rewriting::Rewriting,
    route::{Route, Routes},
};

/// Finds the route of a request that is over.
#[derive(Debug, Default)]
pub(super) struct Routing {
    resources: OnceCell<Resources>,
    routes: Routes,
    /// By the address of the name of its resource, which lives as long as `resources`.
    by_name: RefCell<HashMap<usize, Rc<Route>, RandomState>>,
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
    address: usize,
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
                address: std::ptr::from_ref(map).addr(),
            }
        });
    }

    /// The route of the resource that answered a request, which came with `uri`.
    pub(super) fn of_answered(
        &self,
        request: &HttpRequest,
        uri: &Uri,
        method: &'static str,
    ) -> Rc<Route> {
        let mut route = self.of_resource(request, method);
        // actix-web looks by the path as it came, and its router by what is encoded in it.
        let decoded = request.match_info().get_ref().path();
        if route.is_unmatched() && decoded != request.path() {
            route = self.of_path(request.resource_map(), decoded, method);
        }
        let (before, after) = (uri.path(), request.path());
        let is_untouched = before.as_ptr() == after.as_ptr() && before.len() == after.len();
        if !is_untouched || route.is_unmatched() {
            self.rewriting.borrow_mut().learn(before, after);
        }
        route
    }

    /// By its name, if it has one: actix-web makes the text of a pattern anew each time, and lends
    /// that of a name. But where there is no name, it looks for one by all patterns.
    fn of_resource(&self, request: &HttpRequest, method: &'static str) -> Rc<Route> {
        let is_known = |resources: &Resources| {
            std::ptr::from_ref(request.resource_map()).addr() == resources.address
        };
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
        let mut by_name = self.by_name.borrow_mut();
        let new = || match request.match_pattern() {
            Some(pattern) => self.routes.named(&pattern, name),
            None => self.unmatched(),
        };
        Rc::clone(by_name.entry(name.as_ptr().addr()).or_insert_with(new))
    }

    /// The route of a request that came with `uri` and did not come back, because its future was
    /// dropped or is an `Err`. (A clone of it can't be kept: actix-web's router insists on being the
    /// only owner.)
    ///
    /// It is the one that a handler which asked for the measurement was found by, or else what the
    /// path leads to, by the path alone: guards can't be asked any more.
    pub(super) fn of_gone(
        &self,
        uri: &Uri,
        seen: Option<Sighting>,
        method: &'static str,
    ) -> Rc<Route> {
        let Some(Resources { map, .. }) = self.resources.get() else {
            return self.unmatched();
        };
        let Sighting { uri, pattern } = seen.unwrap_or_else(|| Sighting {
            uri: uri.clone(),
            pattern: None,
        });
        // As the router reads it, without what is encoded in vain.
        let url = Url::new(uri);
        if let Some(pattern) = pattern {
            let is_first = map.match_pattern(url.path()).as_deref() == Some(&pattern);
            let name = || map.match_name(url.path()).filter(|_| is_first);
            return self.routes.of(Some(&pattern), method, name);
        }
        let rewriting = self.rewriting.borrow();
        let mut routes = rewriting
            .candidates(url.path())
            .map(|path| self.of_path(map, &path, method));
        let matched = routes.find(|route| !route.is_unmatched());
        matched.unwrap_or_else(|| self.unmatched())
    }

    fn of_path(&self, map: &ResourceMap, path: &str, method: &'static str) -> Rc<Route> {
        let pattern = map.match_pattern(path);
        self.routes
            .of(pattern.as_deref(), method, || map.match_name(path))
    }

    fn unmatched(&self) -> Rc<Route> {
        self.routes.of(None, "", || None)
    }
}
