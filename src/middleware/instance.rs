use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use super::{
    finished::FinishedRequest, options::Options, request_measurement::RequestMeasurement,
    route::Route, routing::Routing, target::Target,
};
use crate::{
    Influx, logging,
    printable::{LIMIT, printable},
};

/// What all requests of one wrapped service share. Each worker thread has its own.
#[derive(Debug)]
pub(super) struct Instance {
    influx: Influx,
    pub(super) options: Options,
    pub(super) routing: Routing,
    has_told: Cell<bool>,
    has_told_of_panic: Cell<bool>,
}

impl Instance {
    pub(super) fn new(influx: Influx, options: Options) -> Self {
        Self {
            influx,
            options,
            routing: Routing::default(),
            has_told: Cell::new(false),
            has_told_of_panic: Cell::new(false),
        }
    }

    #[cfg(feature = "testing")]
    pub(super) fn counted(&self) -> super::counted::Counted {
        super::counted::Counted::new(self.influx.open_requests())
    }

    /// The route of a request that came for `target` and has no response.
    pub(super) fn route_of_gone(
        &self,
        target: &Target,
        additions: &Option<RequestMeasurement>,
    ) -> Rc<Route> {
        let seen = additions.as_ref().and_then(|it| it.take_sighting());
        self.routing.of_gone(target, seen)
    }

    /// Calls the program's closure: if it panics, the response is what it would have been, and the
    /// measurement has what was added until then. That is told once, since it may come with every
    /// request.
    pub(super) fn contain(&self, customize: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(customize)) {
            // Its drop may panic too.
            std::mem::forget(payload);
            if !self.has_told_of_panic.replace(true) {
                logging::error!(
                    "the closure given to InfluxMetrics::customize panicked: the measurement lacks \
                     what it had yet to add (told once for each worker)"
                );
            }
        }
    }

    /// Records a request that is over.
    ///
    /// Its response must not suffer if that can't be done. The loss is counted by the pipeline,
    /// which tells too if its buffer is full. What only this place can tell is that a
    /// handler has added what InfluxDB does not take: once, since it comes with every request.
    pub(super) fn record(&self, request: FinishedRequest) {
        let options = &self.options;
        if !request.is_included(options) {
            return;
        }
        if let Err(error) = request.record(options, &self.influx)
            && error.is_invalid()
            && !self.has_told.replace(true)
        {
            let error = error.to_string();
            let error = printable(&error, LIMIT);
            logging::error!("requests are not recorded because of what was added to them: {error}");
        }
    }
}
