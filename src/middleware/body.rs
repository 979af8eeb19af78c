use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use pin_project_lite::pin_project;

use super::pooled::PooledRecord;

pin_project! {
    /// A response's body that counts its bytes; its end is the end of the request.
    #[derive(Debug)]
    pub struct MetricsBody<B> {
        // Dropped before the record, so that its drop still counts.
        #[pin]
        body: B,
        record: PooledRecord,
    }
}

impl<B> MetricsBody<B> {
    pub(super) fn new(body: B, mut record: PooledRecord) -> Self {
        // Recorded with the head, if there is no content: the body may live on, as that of an
        // upgraded connection does.
        if record.get().is_some_and(|record| record.is_over()) {
            record = PooledRecord::none();
        }
        Self { body, record }
    }
}

impl<B: MessageBody> MessageBody for MetricsBody<B> {
    type Error = B::Error;

    #[inline]
    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let polled = ready!(this.record.run(|| this.body.poll_next(cx)));
        if let Some(record) = this.record.get() {
            match &polled {
                Some(Ok(chunk)) => record.sent(chunk.len()),
                Some(Err(_)) => record.body_failed(),
                None => record.body_ended(),
            }
        }
        Poll::Ready(polled)
    }
}
