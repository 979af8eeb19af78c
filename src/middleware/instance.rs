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

/// State shared by all requests of a wrapped service; one per worker thread.
#[derive(Debug)]
pub(super) struct Instance {
    influx: Influx,
    pub(super) options: Options,
    pub(super) routing: Routing,
    has_logged_invalid: Cell<bool>,
    has_logged_panic: Cell<bool>,
}

impl Instance {
    pub(super) fn new(influx: Influx, options: Options) -> Self {
        Self {
            influx,
            options,
            routing: Routing::default(),
            has_logged_invalid: Cell::new(false),
            has_logged_panic: Cell::new(false),
        }
    }

    #[cfg(feature = "testing")]
    pub(super) fn counted(&self) -> super::counted::Counted {
        super::counted::Counted::new(self.influx.open_requests())
    }

    /// The route of a request for `target` that has no response.
    pub(super) fn route_of_unanswered(
        &self,
        target: &Target,
        additions: &Option<RequestMeasurement>,
    ) -> Rc<Route> {
        let seen = additions.as_ref().and_then(|it| it.take_last_seen());
        self.routing.of_unanswered(target, seen)
    }

    /// Calls the program's closure. If it panics, the response is unaffected, and the measurement
    /// keeps what was added until then. Logged once, as it may happen with every request.
    pub(super) fn call_customize(&self, customize: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(customize)) {
            // Dropping it could panic too.
            std::mem::forget(payload);
            if !self.has_logged_panic.replace(true) {
                logging::error!(
                    "the closure given to InfluxMetrics::customize panicked: the measurement may \
                     be incomplete (logged once per worker)"
                );
            }
        }
    }

    /// Records a request that is over.
    ///
    /// Errors don't affect the response. The pipeline counts losses, and logs a full buffer. Only
    /// invalid additions by a handler are logged here: once, as they come with every request.
    pub(super) fn record(&self, request: FinishedRequest) {
        let options = &self.options;
        if !request.is_included(options) {
            return;
        }
        if let Err(error) = request.record(options, &self.influx)
            && error.is_invalid()
            && !self.has_logged_invalid.replace(true)
        {
            let error = error.to_string();
            let error = printable(&error, LIMIT);
            logging::error!(
                "requests are not recorded because of their added tags or fields: {error}"
            );
        }
    }
}
