//! The messages of the buffer actor; each handler calls one method.
//!
//! | message | from | answer | on failure |
//! |---|---|---|---|
//! | [`Flush`], [`Shutdown`] | the handle | a report, in time | says what is undelivered |
//! | the same [in order](InOrder) | the ingest actor | the same | the same |
//! | [`Ping`], [`Update`], [`Subscribe`] | the ingest actor, the handle | see there | see there |
//! | [`Wake`] | recording threads | none | the next one makes up for it |
//! | [`Returned`] | writers | none | a writer that dies returns the batch unsent |
//! | [`Isolated`] | the replay actor | none | if the actor dies, the batch is sent again |
//! | [`DiskDone`] | the disk actor | none | if the actor dies, the folder is opened again |

use std::sync::Arc;

use actix::{Handler, ResponseFuture};

use super::BufferActor;
use crate::{
    ConfigError, FlushReport, PingError, ServerInfo, ShutdownReport,
    actors::messages::{
        Flush, Ping, Shutdown, Subscribe, Update,
        internal::{
            Created, DiskDone, End, FailBack, FilesRead, InOrder, Isolated, Pinged, Reconfigure,
            Returned, Wake,
        },
    },
};

impl Handler<Subscribe> for BufferActor {
    type Result = ();

    fn handle(&mut self, Subscribe(recipient): Subscribe, context: &mut Self::Context) {
        self.budget.spend(context);
        self.subscribers.add(recipient);
    }
}

impl Handler<Flush> for BufferActor {
    type Result = ResponseFuture<FlushReport>;

    fn handle(&mut self, Flush { timeout }: Flush, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        self.flush_after_ingest(timeout, context)
    }
}

impl Handler<InOrder<Flush>> for BufferActor {
    type Result = ResponseFuture<FlushReport>;

    fn handle(
        &mut self,
        InOrder(flush): InOrder<Flush>,
        context: &mut Self::Context,
    ) -> Self::Result {
        self.budget.spend(context);
        let (report, shared) = (self.flush(flush.timeout, context), Arc::clone(&self.shared));
        Box::pin(async move { report.await.unwrap_or_else(|_| shared.not_flushed()) })
    }
}

impl Handler<Shutdown> for BufferActor {
    type Result = ResponseFuture<ShutdownReport>;

    fn handle(
        &mut self,
        Shutdown { timeout }: Shutdown,
        context: &mut Self::Context,
    ) -> Self::Result {
        self.budget.spend(context);
        self.shut_down_after_ingest(timeout, context)
    }
}

impl Handler<InOrder<Shutdown>> for BufferActor {
    type Result = ResponseFuture<ShutdownReport>;

    fn handle(
        &mut self,
        InOrder(shutdown): InOrder<Shutdown>,
        context: &mut Self::Context,
    ) -> Self::Result {
        self.budget.spend(context);
        let (report, shared) = (
            self.shut_down(shutdown.timeout, context),
            Arc::clone(&self.shared),
        );
        Box::pin(async move { report.await.unwrap_or_else(|_| shared.not_shut_down()) })
    }
}

impl Handler<Ping> for BufferActor {
    type Result = ResponseFuture<Result<ServerInfo, PingError>>;

    fn handle(&mut self, _: Ping, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        let (http, endpoint) = (
            self.http.clone(),
            self.endpoints[self.dispatcher.breakers().current()].clone(),
        );
        let timeout = self.config.request_timeout;
        Box::pin(async move { http.ping(&endpoint, timeout).await })
    }
}

impl Handler<Update> for BufferActor {
    type Result = ResponseFuture<Result<(), ConfigError>>;

    fn handle(&mut self, update: Update, context: &mut Self::Context) -> Self::Result {
        self.budget.spend(context);
        self.update(update, context)
    }
}

impl Handler<Reconfigure> for BufferActor {
    type Result = ();

    fn handle(&mut self, _: Reconfigure, context: &mut Self::Context) {
        self.budget.spend(context);
        self.reconfigure(context);
    }
}

impl Handler<FailBack> for BufferActor {
    type Result = ();

    fn handle(&mut self, back: FailBack, context: &mut Self::Context) {
        self.budget.spend(context);
        self.fail_back(back, context);
    }
}

impl Handler<FilesRead> for BufferActor {
    type Result = ();

    fn handle(&mut self, read: FilesRead, context: &mut Self::Context) {
        self.budget.spend(context);
        self.files_read(read, context);
    }
}

impl Handler<Wake> for BufferActor {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        self.budget.spend(context);
        self.drain_if_due(context);
    }
}

impl Handler<Returned> for BufferActor {
    type Result = ();

    fn handle(&mut self, returned: Returned, context: &mut Self::Context) {
        self.budget.spend(context);
        self.returned(returned, context);
    }
}

impl Handler<Isolated> for BufferActor {
    type Result = ();

    fn handle(&mut self, isolated: Isolated, context: &mut Self::Context) {
        self.budget.spend(context);
        self.isolated(isolated, context);
    }
}

impl Handler<DiskDone> for BufferActor {
    type Result = ();

    fn handle(&mut self, done: DiskDone, context: &mut Self::Context) {
        self.budget.spend(context);
        self.disk_done(done, context);
    }
}

impl Handler<Created> for BufferActor {
    type Result = ();

    fn handle(&mut self, created: Created, context: &mut Self::Context) {
        self.budget.spend(context);
        self.created(created, context);
    }
}

impl Handler<Pinged> for BufferActor {
    type Result = ();

    fn handle(&mut self, pinged: Pinged, _: &mut Self::Context) {
        self.pinged(pinged);
    }
}

impl Handler<End> for BufferActor {
    type Result = ();

    fn handle(&mut self, _: End, context: &mut Self::Context) {
        self.end(context);
    }
}
