//! Finds the lines that a refusal names.
//!
//! It owns no batch: [`Isolate`] lends it one, and what it finds goes back through the message's
//! [`Reply`], also if this actor dies. What is to be sent again takes its turn in the buffer
//! actor's queues, so an isolation survives everything that a batch survives.

use actix::{Actor, Context, Handler, Message};

use super::{budget::Budget, buffer::Isolated, reply::Reply};
use crate::{
    batch::Lines,
    delivery::{isolation::named, verdict::Refusal},
};

/// Find out which of these lines are bad. The answer goes to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Isolate {
    pub(crate) lines: Lines,
    pub(crate) refusal: Refusal,
    pub(crate) reply: Reply<Isolated>,
}

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
        let found = named(&lines, &refusal);
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
