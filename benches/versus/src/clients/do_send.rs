//! This crate, by `do_send` to its actor, as another actor of the program does it.

use anyhow::{Result, bail};

use super::{
    Subject,
    ours::{Pipeline, measurement},
};
use actix::Addr;
use actix_influxdb::BufferActor;

use crate::{
    data::{DATABASE, Point, Points, shape::Shape},
    workload::Workload,
};

pub struct DoSend {
    pipeline: Pipeline,
    influx: Addr<BufferActor>,
}

impl Subject for DoSend {
    fn new<S: Shape>(server: Option<&str>, workload: &Workload, _: &Points) -> Result<Self> {
        if server.is_none() {
            bail!("what an actor sends is encoded by another one: there is no encoding alone");
        }
        let pipeline = Pipeline::start(server, workload)?;
        let influx = pipeline.influx.addr();
        Ok(Self { pipeline, influx })
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        self.influx.do_send(measurement::<S>(DATABASE, point));
        Ok(())
    }

    /// It sends by itself.
    fn end_batch(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, points: usize) -> Result<()> {
        // What was sent before this is recorded before this is answered.
        self.pipeline.finish(points)
    }
}
