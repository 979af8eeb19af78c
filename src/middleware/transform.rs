use std::{
    borrow::Cow,
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};

use super::{body::MetricsBody, instance::Instance, options::Options, service::MetricsService};
use crate::{Database, Influx};

/// A middleware that records one measurement for each request, exactly once, however the request ends.
///
/// ```no_run
/// use actix_influxdb::{Config, Influx, InfluxMetrics};
/// use actix_web::{App, HttpServer, web};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let influx = Influx::start(Config::from_env()?)?;
/// let metrics = InfluxMetrics::new(&influx, "example").measurement("my-service");
/// let app = move || {
///     App::new()
///         .route("/users/{id}", web::get().to(async || "a user"))
///         .wrap(metrics.clone())
/// };
/// HttpServer::new(app).bind(("127.0.0.1", 8080))?.run().await?;
/// # Ok(())
/// # }
/// ```
///
/// # What is recorded
///
/// | | | |
/// |---|---|---|
/// | tags | `method` | one of the nine standard ones, `OTHER` for any other word |
/// | | `endpoint` | the pattern that matched, `/users/{id}`; `/` for a service mounted at the root; `unmatched` if none did |
/// | | `handler` | the resource's name, if it has one, as those made by `#[get("…")]` do |
/// | | `status_code` | 499 if the client went before there was one |
/// | | `outcome` | see below |
/// | fields | `duration` | seconds from the arrival of the request to the end of the body |
/// | | `time_to_first_byte` | seconds to the head of the response, if there was one |
/// | | `content_length` | bytes of body that were handed to the connection, if there was a head |
/// | | `remote_ip` | the client's address: see [`remote_ip`](Self::remote_ip) |
/// | | `correlation_id` | that of the request: see [`correlation_id`](Self::correlation_id) |
/// | | `weight` | number of requests that the measurement stands for, if [sampled](Self::sample) |
///
/// and the [base tags](crate::Config::base_tags). The timestamp is the request's arrival. No tag
/// takes a value that a client can choose, unless an option says so.
///
/// | `outcome` | |
/// |---|---|
/// | `ok` | The whole response was handed to the connection, and its status is below 500. |
/// | `error` | The status is 500 or above, or the body failed or was shorter than announced. |
/// | `aborted` | The request or the body was dropped before its end: the client went away, or the server was stopped. |
/// | `panicked` | The service panicked, or its body. If that was before there was a head, `status_code` is 500. |
///
/// Resources that share a pattern and a method, and that guards tell apart, should all have names or
/// none: after a request to one without a name, the `handler` of the others is left out too.
///
/// Errors of clients (4xx) are `ok`: the service did its work. They are told apart by
/// `status_code`. So a 401 is the same whether a handler answers with it or returns it as an
/// `Err`, or a middleware does.
///
/// A response without content (to `HEAD`; 1xx, 204, 304; an empty body) is over with its head, so
/// that the upgrade to a WebSocket is recorded with the duration of its handshake.
///
/// # Clients that go away
///
/// actix-web notices a client that resets its connection, and one to which it can't write. A client
/// that closes the connection normally looks to it like one that has sent all it will and waits
/// for its answer (a half-closed connection). So by default its handler goes on to the end, and
/// the request is `ok`; a stream goes on until a write fails. Tell the server that this is not
/// allowed, and such a request is `aborted` at once (499, if there was no head), its handler
/// dropped:
///
/// ```no_run
/// # use actix_web::{App, HttpServer};
/// # async fn run() -> std::io::Result<()> {
/// HttpServer::new(App::new)
///     .h1_allow_half_closed(false)
/// #   .bind(("127.0.0.1", 8080))?.run().await
/// # }
/// ```
///
/// A client that closes its direction only, and reads on, then gets no answer, unless that is
/// ready at once. With HTTP/2, a stream that its client cancels is noticed when the head is
/// sent.
///
/// # Where to wrap
///
/// Wrap it last, which is outermost: what a middleware further out does, it does not see. (That
/// one may even drop the body, to send another, which looks like an abort.)
///
/// A scope or a resource can be wrapped too. A request that passes several of these middlewares is
/// recorded by each, by design, be it into different databases or under different names; each
/// counts for itself, and a [`RequestMeasurement`](crate::RequestMeasurement) is that of the
/// innermost.
///
/// # The endpoint of requests that have no response
///
/// A request that was dropped, that panicked, or that a middleware refused with an `Err`, is gone
/// when it is recorded. Its endpoint is
///
/// 1. that of the handler, if this has taken a [`RequestMeasurement`](crate::RequestMeasurement);
/// 2. else what the path leads to that the request had when somebody last asked for its measurement
///    ([`MeasuredRequest`](crate::MeasuredRequest)), or when it arrived. By the path alone: if
///    guards choose between resources of one path, it is the first.
///
/// Middlewares may rewrite paths on the way to the router. Wrap them outside of this one, by
/// calling `wrap` for them afterwards, and nothing has to be guessed. For one that is inside,
/// `NormalizePath` is expected from the start, in each of its modes, until a request shows that
/// paths stay as they are; prefixes that are replaced are learned from requests that come back. A
/// middleware that does something else to a path can ask for the measurement when it has done so.
///
/// # What is kept of a request
///
/// Until its response is there: its path and query, and a mark among its extensions, which tells
/// it from a later one in the same memory. (A middleware that clears the extensions takes the
/// mark, and handlers get no `RequestMeasurement` any more.) Until its end: the address, 128 bytes
/// of text at most, the header with the correlation id as the connection has read it, and what is
/// added to its measurement, which is as much as the program adds.
///
/// # Invalid options
///
/// The methods that build the middleware panic on an invalid option, at the line that sets it: the
/// options of a middleware stand in the program's code, and a chain of methods ends in
/// [`wrap`](actix_web::App::wrap). A program that takes an option from its configuration checks it
/// before.
///
/// # What can go wrong
///
/// Clients see no difference: if the buffer is full or delivery has stopped, the response is unchanged,
/// and the loss is counted in [`Stats`](crate::Stats).
#[derive(Clone, Debug)]
pub struct InfluxMetrics {
    pub(super) influx: Influx,
    pub(super) options: Arc<Options>,
}

impl InfluxMetrics {
    /// Default name of the measurement: see [`measurement`](Self::measurement).
    pub const DEFAULT_MEASUREMENT: &'static str = "http_request";

    /// Creates a middleware that records requests into `database`.
    ///
    /// # Panics
    ///
    /// If the database's name is empty.
    #[track_caller]
    pub fn new(influx: &Influx, database: impl Into<Database>) -> Self {
        let name = Cow::Borrowed(Self::DEFAULT_MEASUREMENT);
        let metrics = Self {
            influx: influx.clone(),
            options: Arc::new(Options::new(database.into(), name)),
        };
        metrics.checked()
    }
}

impl<S, B> Transform<S, ServiceRequest> for InfluxMetrics
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<MetricsBody<B>>;
    type Error = Error;
    type Transform = MetricsService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let instance = Instance::new(self.influx.clone(), Options::clone(&self.options));
        ready(Ok(MetricsService::new(service, instance)))
    }
}
