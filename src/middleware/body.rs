use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use pin_project_lite::pin_project;

use super::record::Record;

pin_project! {
    /// A response's body whose bytes are counted, and whose end is the end of the request.
    #[derive(Debug)]
    pub struct MetricsBody<B> {
        // Dropped before the record: what it does then still counts.
        #[pin]
        body: B,
        record: Option<Record>,
    }
}

impl<B> MetricsBody<B> {
    pub(super) fn new(body: B, record: Option<Record>) -> Self {
        let record = record.filter(|record| !record.is_over());
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
        let polled = ready!(Record::watch(this.record, || this.body.poll_next(cx)));
        if let Some(record) = this.record {
            match &polled {
                Some(Ok(chunk)) => record.sent(chunk.len()),
                Some(Err(_)) => record.broke(),
                None => record.ended(),
            }
            this.record.take_if(|record| record.is_over());
        }
        Poll::Ready(polled)
    }
}
