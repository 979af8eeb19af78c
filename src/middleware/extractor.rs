use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, ResponseError,
    dev::{Payload, RequestHead, ServiceRequest},
    guard::GuardContext,
};

use super::{open, request_measurement::RequestMeasurement};

/// Error of the extractor [`RequestMeasurement`] if no [`InfluxMetrics`](crate::InfluxMetrics)
/// wraps the handler's route. Becomes a response with status 500.
///
/// A handler that should work without the middleware takes an `Option`:
///
/// ```
/// use actix_influxdb::RequestMeasurement;
///
/// async fn show(measurement: Option<RequestMeasurement>) -> &'static str {
///     if let Some(measurement) = measurement {
///         measurement.set_tag("tier", "gold");
///     }
///     "shown"
/// }
/// # let _ = show;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[display(
    "the handler extracts a RequestMeasurement, but no InfluxMetrics wraps its route: add \
     .wrap(InfluxMetrics::new(..)), or extract an Option<RequestMeasurement>"
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

/// Gives access to a request's measurement outside of handlers: in other middlewares, guards and
/// functions that have a request.
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
    /// Returns the measurement of the innermost [`InfluxMetrics`](crate::InfluxMetrics) around the
    /// caller that has this request and not yet its response; `None` if there is none.
    ///
    /// Also notes the request's current path, which determines the endpoint if the request gets no
    /// response. A middleware that rewrites paths can call this afterwards, even without anything
    /// to add.
    fn measurement(&self) -> Option<RequestMeasurement> {
        let head = self.request_head();
        let measurement = open::find(head)?;
        measurement.note_target(&head.uri);
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
