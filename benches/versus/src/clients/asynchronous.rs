//! What both asynchronous clients have in common: a runtime, and the points of a batch.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use super::Subject;
use crate::{
    data::{Point, Points, shape::Shape},
    workload::Workload,
};

/// One of the two.
pub trait Peer: Sized {
    /// A point of its own kind.
    type Built;

    async fn connect(server: &str) -> Result<Self>;

    /// With this stamp, in nanoseconds since 1970.
    fn build<S: Shape>(point: &Point<'_>, stamp: u64) -> Result<Self::Built>;

    async fn send(&self, batch: Vec<Self::Built>) -> Result<()>;

    /// Encodes a batch, and sends nothing.
    fn encode(batch: Vec<Self::Built>) -> Result<()>;
}

pub struct Asynchronous<P: Peer> {
    runtime: Runtime,
    /// None without a server.
    peer: Option<P>,
    batch: Vec<P::Built>,
}

impl<P: Peer> Subject for Asynchronous<P> {
    /// It has one core: threads that take turns on it would only slow it down.
    fn new<S: Shape>(server: Option<&str>, _: &Workload, _: &Points) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let peer = server.map(|server| runtime.block_on(P::connect(server)));
        Ok(Self {
            peer: peer.transpose()?,
            runtime,
            batch: Vec::new(),
        })
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        self.batch
            .push(P::build::<S>(point, now.as_nanos() as u64)?);
        Ok(())
    }

    fn end_batch(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        match &self.peer {
            Some(peer) => self.runtime.block_on(peer.send(batch)),
            None => P::encode(batch),
        }
    }

    fn finish(&mut self, _: usize) -> Result<()> {
        Ok(())
    }
}
