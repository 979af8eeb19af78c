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
/// | | `handler` | the resource's name, if it has one, like those made by `#[get("…")]` |
/// | | `status_code` | 499 if the client closed the connection before the response |
/// | | `outcome` | see below |
/// | fields | `duration` | seconds from the arrival of the request to the end of the body |
/// | | `time_to_first_byte` | seconds to the head of the response, if there was one |
/// | | `content_length` | bytes of body passed to the connection, if there was a head |
/// | | `remote_ip` | the client's address: see [`remote_ip`](Self::remote_ip) |
/// | | `correlation_id` | see [`correlation_id`](Self::correlation_id) |
/// | | `weight` | number of requests that the measurement stands for, if [sampled](Self::sample) |
///
/// and the [base tags](crate::Config::base_tags). The timestamp is the request's arrival. Clients
/// can't choose the value of any tag, unless an option allows it.
///
/// | `outcome` | |
/// |---|---|
/// | `ok` | The whole response was passed to the connection, and its status is below 500. |
/// | `error` | The status is 500 or above, or the body failed or was shorter than announced. |
/// | `aborted` | The request or the body was dropped before its end: the client went away, or the server was stopped. |
/// | `panicked` | The service or its body panicked. Before the head, `status_code` is 500. |
///
/// Resources that share a pattern and a method, distinguished by guards, should all have names or
/// none: after a request to one without a name, the `handler` of the others is left out too.
///
/// Errors of clients (4xx) are `ok`: the service did its work, and `status_code` distinguishes them.
/// So a 401 is the same whether a handler returns it as a response or an `Err`, or a middleware
/// does.
///
/// A response without content (to `HEAD`; 1xx, 204, 304; an empty body) ends with its head, so the
/// upgrade to a WebSocket is recorded with the duration of its handshake.
///
/// # Clients that go away
///
/// actix-web detects a client that resets its connection, and one to which it can't write. A client
/// that closes the connection normally looks like one that has sent all and waits for the response
/// (a half-closed connection). So by default its handler runs to the end, and the request is `ok`;
/// a stream continues until a write fails. If the server disallows half-closed connections, such a
/// request is `aborted` at once (499, if before the head), and its handler dropped:
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
/// A client that closes only its sending side then gets no response, unless that is ready at once.
/// With HTTP/2, a stream that its client cancels is detected when the head is sent.
///
/// # Where to wrap
///
/// Wrap this middleware last, which is outermost: it doesn't see what middlewares further out do.
/// (Such a one may drop the body to send another, which looks like an abort.)
///
/// A scope or a resource can be wrapped too. If several of these middlewares wrap a request, each
/// records it, with its own database and name; a [`RequestMeasurement`](crate::RequestMeasurement)
/// is that of the innermost.
///
/// # The endpoint of requests without a response
///
/// A request that was dropped, panicked, or was refused by a middleware with an `Err` no longer
/// exists when it is recorded. Its endpoint is
///
/// 1. the handler's, if that has taken a [`RequestMeasurement`](crate::RequestMeasurement);
/// 2. else that of the request's path when its measurement was last requested
///    ([`MeasuredRequest`](crate::MeasuredRequest)), or at its arrival. If guards choose between
///    resources with that path, the first one counts.
///
/// Other middlewares may rewrite paths before the router. Wrap them outside of this one, by calling
/// `wrap` for them afterwards, and the endpoint is exact. For inner ones, `NormalizePath` is
/// assumed, in each of its modes, until a request shows that paths stay as they are; replaced
/// prefixes are learned from requests with a response. A middleware that rewrites paths in another
/// way can ask for the measurement afterwards.
///
/// # Memory per request
///
/// Until the response: path and query, and a mark in the request's extensions, which tells it from
/// a later request at the same address. (If a middleware clears the extensions, handlers get no
/// `RequestMeasurement` any more.) Until the end: the address, at most 128 bytes of text; the
/// header with the correlation id; and what the program adds to the measurement.
///
/// # Invalid options
///
/// The builder's methods panic on an invalid option, at the line that sets it: options are usually
/// constants in the program's code. A program that takes an option from its configuration checks it
/// before.
///
/// # Errors
///
/// Clients see no difference: if the buffer is full or delivery has stopped, the response is
/// unchanged, and the loss is counted in [`Stats`](crate::Stats).
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
