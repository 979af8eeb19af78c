use std::cell::OnceCell;

use actix_web::{
    dev::{ResourceMap, ServiceRequest},
    http::Uri,
};

use super::options::Options;
use crate::Influx;

/// What all requests of one wrapped service share. Each worker thread has its own.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) influx: Influx,
    pub(super) options: Options,
    routes: OnceCell<ResourceMap>,
}

impl Instance {
    pub(super) fn new(influx: Influx, options: Options) -> Self {
        Self {
            influx,
            options,
            routes: OnceCell::new(),
        }
    }

    /// Keeps the program's routes from the first request that is seen: see
    /// [`endpoint_of`](Self::endpoint_of).
    pub(super) fn learn_routes(&self, request: &ServiceRequest) {
        self.routes.get_or_init(|| request.resource_map().clone());
    }

    /// The pattern and name of the resource for a path, by the path alone. The request itself
    /// knows better, because it went by the guards: this is for when it is gone, with a future
    /// that was dropped or an `Err`. (A clone of it can't be kept: actix-web's router insists on
    /// being the only owner.)
    pub(super) fn endpoint_of(&self, uri: &Uri) -> (Option<String>, Option<String>) {
        let Some(routes) = self.routes.get() else {
            return (None, None);
        };
        let pattern = routes.match_pattern(uri.path());
        (pattern, routes.match_name(uri.path()).map(str::to_owned))
    }
}
