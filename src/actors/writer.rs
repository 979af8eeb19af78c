//! POSTs batches, one at a time.
//!
//! A writer owns no batch, only its connections. [`Write`] comes from the buffer actor; the verdict
//! goes back through the message's [`Reply`](super::reply::Reply), also if this actor dies.

use std::time::{Instant, SystemTime};

use actix::{Actor, AsyncContext, Context, Handler, WrapFuture};

use super::messages::internal::{Returned, Write};
use crate::{
    delivery::verdict::verdict,
    endpoint::Http,
    logging,
    printable::{LIMIT, printable},
};

pub(crate) struct WriterActor {
    http: Http,
}

impl WriterActor {
    pub(crate) fn new(http: Http) -> Self {
        Self { http }
    }
}

impl Actor for WriterActor {
    type Context = Context<Self>;
}

impl Handler<Write> for WriterActor {
    type Result = ();

    fn handle(&mut self, write: Write, context: &mut Self::Context) {
        context.spawn(post(self.http.clone(), write).into_actor(self));
    }
}

async fn post(http: Http, write: Write) {
    let Write {
        endpoint,
        database,
        payload,
        timeout,
        reply,
    } = write;
    let began = Instant::now();
    let (outcome, identification) = http.post(&endpoint, &database, payload, timeout).await;
    let took = began.elapsed();
    let name = database.to_string();
    logging::debug!(
        "POST of a batch for {} to {endpoint}: {outcome}",
        printable(&name, LIMIT)
    );
    let is_unusual = outcome.status().is_some_and(|status| status != 204);
    let verdict = verdict(outcome, SystemTime::now());
    reply.send(|lost| Returned {
        verdict,
        is_unusual,
        took,
        identification,
        ..lost
    });
}
