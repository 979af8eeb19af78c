use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{Error, body::MessageBody, dev::ServiceResponse};
use pin_project_lite::pin_project;

use super::{body::MetricsBody, open::OpenRequest, pooled::PooledRecord};

pin_project! {
    /// The future of [`MetricsService`](super::service::MetricsService).
    #[derive(Debug)]
    pub struct MetricsFuture<F> {
        // Dropped before the record, so that its drop still counts.
        #[pin]
        future: F,
        record: PooledRecord,
        // For an excluded request, whose handler may still ask for its measurement.
        unrecorded: Option<OpenRequest>,
    }
}

impl<F> MetricsFuture<F> {
    pub(super) fn new(future: F, record: PooledRecord, unrecorded: Option<OpenRequest>) -> Self {
        Self {
            future,
            record,
            unrecorded,
        }
    }
}

impl<F, B> Future for MetricsFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<MetricsBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.record.run(|| this.future.poll(cx)));
        let mut record = std::mem::replace(this.record, PooledRecord::none());
        this.unrecorded.take();
        match result {
            Ok(response) => {
                let (request, response) = response.into_parts();
                let (response, body) = response.into_parts();
                if let Some(record) = record.get() {
                    record.answered(&request, &response, body.size());
                }
                let response = response.set_body(MetricsBody::new(body, record));
                Poll::Ready(Ok(ServiceResponse::new(request, response)))
            }
            Err(error) => {
                if record.get().is_some() {
                    // The server's response to the error, whose status may differ from
                    // `status_code`.
                    let answer = || {
                        let response = error.error_response();
                        (response.status(), response.body().size())
                    };
                    let (status, size) = record.run(answer);
                    if let Some(record) = record.get() {
                        record.failed(status, size);
                    }
                }
                Poll::Ready(Err(error))
            }
        }
    }
}
