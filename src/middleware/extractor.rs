use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, ResponseError,
    dev::{Payload, RequestHead, ServiceRequest},
    guard::GuardContext,
};

use super::{open, request_measurement::RequestMeasurement};

/// The answer to a handler that asks for a [`RequestMeasurement`] which nobody records: no
/// [`InfluxMetrics`](crate::InfluxMetrics) wraps its route. Status 500.
///
/// A handler that is to work without takes an `Option<RequestMeasurement>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[display(
    "the handler asks for a RequestMeasurement, but no InfluxMetrics wraps its route: \
     add .wrap(InfluxMetrics::new(..)), or ask for an Option<RequestMeasurement>"
)]
#[non_exhaustive]
pub struct NotMeasured;

impl ResponseError for NotMeasured {}

impl FromRequest for RequestMeasurement {
    type Error = NotMeasured;
    type Future = Ready<Result<Self, NotMeasured>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let measurement = request.measurement();
        if let Some(measurement) = &measurement {
            measurement.matched(request.match_pattern());
        }
        ready(measurement.ok_or(NotMeasured))
    }
}

/// A request that an [`InfluxMetrics`](crate::InfluxMetrics) may be recording: gives other
/// middlewares, guards and functions that have a request the measurement that handlers
/// get as an extractor.
///
/// ```
/// use actix_influxdb::MeasuredRequest;
/// use actix_web::{Error, body::MessageBody, dev, middleware::Next};
///
/// /// A middleware that is wrapped by `InfluxMetrics`.
/// async fn authenticate(
///     request: dev::ServiceRequest,
///     next: Next<impl MessageBody>,
/// ) -> Result<dev::ServiceResponse<impl MessageBody>, Error> {
///     if let Some(measurement) = request.measurement() {
///         measurement.set_tag("auth", "token");
///     }
///     next.call(request).await
/// }
/// ```
pub trait MeasuredRequest: sealed::HasHead {
    /// The request's measurement, from when the innermost middleware around this place gets the
    /// request until it gets the response. None if there is no such middleware.
    ///
    /// The path that the request has at this moment is noted, for a request that has no response: so
    /// a middleware that rewrites paths can ask for the measurement afterwards, with nothing to add
    /// to it.
    fn measurement(&self) -> Option<RequestMeasurement> {
        let head = self.request_head();
        let measurement = open::find(head)?;
        measurement.seen_at(&head.uri);
        Some(measurement)
    }
}

impl MeasuredRequest for HttpRequest {}
impl MeasuredRequest for ServiceRequest {}
impl MeasuredRequest for GuardContext<'_> {}

mod sealed {
    use super::*;

    pub trait HasHead {
        fn request_head(&self) -> &RequestHead;
    }

    impl HasHead for HttpRequest {
        fn request_head(&self) -> &RequestHead {
            self.head()
        }
    }

    impl HasHead for ServiceRequest {
        fn request_head(&self) -> &RequestHead {
            self.head()
        }
    }

    impl HasHead for GuardContext<'_> {
        fn request_head(&self) -> &RequestHead {
            self.head()
        }
    }
}
