use std::rc::Rc;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, forward_ready},
};

use super::{
    body::MetricsBody, future::MetricsFuture, instance::Instance, open::OpenRequest,
    pooled::PooledRecord, record::Record,
};

/// The service made by [`InfluxMetrics`](super::InfluxMetrics).
#[derive(Debug)]
pub struct MetricsService<S> {
    service: S,
    instance: Rc<Instance>,
}

impl<S> MetricsService<S> {
    pub(super) fn new(service: S, instance: Instance) -> Self {
        let instance = Rc::new(instance);
        Self { service, instance }
    }
}

impl<S, B> Service<ServiceRequest> for MetricsService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<MetricsBody<B>>;
    type Error = Error;
    type Future = MetricsFuture<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let open = OpenRequest::new(&request);
        let options = &self.instance.options;
        let (mut record, unrecorded) = match options.includes(request.path(), fastrand::f64) {
            true => (
                PooledRecord::new(Record::begin(&self.instance, &request, open)),
                None,
            ),
            false => (PooledRecord::none(), Some(open)),
        };
        let future = record.run(|| self.service.call(request));
        MetricsFuture::new(future, record, unrecorded)
    }
}
