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

/// A middleware that records one measurement per request, exactly once, however it ends.
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
#[derive(Clone, Debug)]
pub struct InfluxMetrics {
    influx: Influx,
    pub(super) options: Arc<Options>,
}

impl InfluxMetrics {
    /// The measurement's name, unless [`measurement`](Self::measurement) gives it another.
    pub const DEFAULT_MEASUREMENT: &'static str = "http_request";

    /// Records the requests of what it wraps into `database`.
    pub fn new(influx: &Influx, database: impl Into<Database>) -> Self {
        let options = Options {
            database: database.into(),
            measurement: Cow::Borrowed(Self::DEFAULT_MEASUREMENT),
        };
        Self {
            influx: influx.clone(),
            options: Arc::new(options),
        }
    }

    /// The measurement's name.
    #[must_use]
    pub fn measurement(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.options).measurement = name.into();
        self
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
