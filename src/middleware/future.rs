use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{Error, body::MessageBody, dev::ServiceResponse};
use pin_project_lite::pin_project;

use super::{body::MetricsBody, record::Record};

pin_project! {
    /// The response to come of [`MetricsService`](super::service::MetricsService).
    #[derive(Debug)]
    pub struct MetricsFuture<F> {
        // Dropped before the record: what the service does then still counts.
        #[pin]
        future: F,
        record: Option<Record>,
    }
}

impl<F> MetricsFuture<F> {
    pub(super) fn new(future: F, record: Option<Record>) -> Self {
        Self { future, record }
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
        let result = ready!(Record::watch(this.record, || this.future.poll(cx)));
        let mut record = this.record.take();
        match result {
            Ok(response) => {
                if let Some(record) = &mut record {
                    let size = response.response().body().size();
                    record.answered(response.request(), response.status(), size);
                }
                let response = response.map_body(|_, body| MetricsBody::new(body, record));
                Poll::Ready(Ok(response))
            }
            Err(error) => {
                if let Some(record) = &mut record {
                    // As the server will make it: its status need not be that of `status_code`.
                    let response = error.error_response();
                    record.failed(response.status(), response.body().size());
                }
                Poll::Ready(Err(error))
            }
        }
    }
}
