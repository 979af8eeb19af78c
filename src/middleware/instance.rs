use std::{
    cell::{Cell, OnceCell},
    rc::Rc,
};

use actix_web::{
    HttpRequest,
    dev::{ResourceMap, ServiceRequest},
    http::Uri,
};

use super::{
    line::RequestLine,
    options::Options,
    point::Point,
    route::{Route, Routes},
};
use crate::{Influx, logging};

/// What all requests of one wrapped service share. Each worker thread has its own.
#[derive(Debug)]
pub(super) struct Instance {
    influx: Influx,
    pub(super) options: Options,
    /// The program's resources.
    map: OnceCell<ResourceMap>,
    routes: Routes,
    has_told: Cell<bool>,
}

impl Instance {
    pub(super) fn new(influx: Influx, options: Options) -> Self {
        Self {
            influx,
            options,
            map: OnceCell::new(),
            routes: Routes::default(),
            has_told: Cell::new(false),
        }
    }

    /// Keeps the program's routes from the first request that is seen: see
    /// [`route_by_path`](Self::route_by_path).
    pub(super) fn learn_routes(&self, request: &ServiceRequest) {
        self.map.get_or_init(|| request.resource_map().clone());
    }

    /// The route of the resource for a path, by the path alone. The request itself
    /// knows better, because it went by the guards: this is for when it is gone, with a future
    /// that was dropped or an `Err`. (A clone of it can't be kept: actix-web's router insists on
    /// being the only owner.)
    pub(super) fn route_by_path(&self, uri: &Uri, method: &'static str) -> Rc<Route> {
        let Some(map) = self.map.get() else {
            return self.routes.of(None, method, || None);
        };
        let pattern = map.match_pattern(uri.path());
        let name = || map.match_name(uri.path());
        self.routes.of(pattern.as_deref(), method, name)
    }

    /// The route of the resource that answered a request.
    pub(super) fn route_of(&self, request: &HttpRequest, method: &'static str) -> Rc<Route> {
        // The one allocation that a request costs here: actix-web makes this text each time.
        let pattern = request.match_pattern();
        let name = || request.match_name();
        self.routes.of(pattern.as_deref(), method, name)
    }

    /// Records a request that is over.
    ///
    /// Its response must not suffer if that can't be done. The loss is counted by the pipeline,
    /// which tells too if its buffer is full. What only this place can tell is that a
    /// handler has added what InfluxDB does not take: once, since it comes with every request.
    pub(super) fn record(&self, point: Point) {
        let options = &self.options;
        if !point.is_included(options) {
            return;
        }
        let recorded = match point.is_plain(options) {
            true => self.influx.record_source(RequestLine {
                point: &point,
                options,
            }),
            false => self.influx.record(point.into_measurement(options)),
        };
        if let Err(error) = recorded
            && error.is_invalid()
            && !self.has_told.replace(true)
        {
            logging::error!("requests are not recorded because of what was added to them: {error}");
        }
    }
}
