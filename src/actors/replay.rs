//! Finds the lines that a refusal names.
//!
//! The replay actor owns no batch: [`Isolate`] brings one, and the result goes back through the
//! message's [`Reply`](super::reply::Reply), also if this actor dies. Lines to be sent again wait
//! in the buffer actor's queues, so an isolation survives whatever a batch survives.

use actix::{Actor, Context, Handler};

use super::{
    budget::Budget,
    messages::internal::{Isolate, Isolated},
};
use crate::delivery::isolation::named_lines;

#[derive(Default)]
pub(crate) struct ReplayActor {
    budget: Budget,
}

impl ReplayActor {
    fn isolate(&self, message: Isolate) {
        let Isolate {
            lines,
            refusal,
            reply,
        } = message;
        let found = named_lines(&lines, &refusal);
        reply.send(|lost| Isolated {
            found: Some((found, refusal)),
            ..lost
        });
    }
}

impl Actor for ReplayActor {
    type Context = Context<Self>;
}

impl Handler<Isolate> for ReplayActor {
    type Result = ();

    fn handle(&mut self, message: Isolate, context: &mut Self::Context) {
        self.budget.spend(context);
        self.isolate(message);
    }
}
