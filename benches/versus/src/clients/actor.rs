//! This crate, by `do_send` from an actor.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, System};
use actix_influxdb::{BufferActor, Config, Influx};
use anyhow::{Result, bail};

use super::{Subject, influx};
use crate::data::{DATABASE, Points};

pub struct FromActor(Influx);

impl Subject for FromActor {
    fn connected(url: &str) -> Result<Self> {
        influx::start(Config::v1(url)).map(Self)
    }

    fn offline() -> Result<Self> {
        bail!("what an actor sends is encoded by another one: there is no encoding alone")
    }

    fn encode(&mut self, _: &Arc<Points>) -> Result<()> {
        Self::offline().map(drop)
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        System::new().block_on(async {
            let producer = Producer {
                influx: self.0.addr(),
                points: Arc::clone(points),
            };
            producer.start().send(Produce).await?;
            influx::deliver_all(&self.0, points.len()).await
        })
    }
}

/// An actor of the program's.
struct Producer {
    influx: Addr<BufferActor>,
    points: Arc<Points>,
}

impl Actor for Producer {
    type Context = Context<Self>;
}

/// Sends all points.
struct Produce;

impl Message for Produce {
    type Result = ();
}

impl Handler<Produce> for Producer {
    type Result = ();

    fn handle(&mut self, _: Produce, _: &mut Context<Self>) {
        for batch in self.points.batches() {
            for point in batch {
                self.influx.do_send(influx::measurement(DATABASE, &point));
            }
        }
    }
}
