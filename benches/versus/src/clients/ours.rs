//! This crate, by `Influx::record`.

use std::sync::Arc;

use actix::System;
use actix_influxdb::{Config, Influx};
use anyhow::{Result, bail};

use super::{Subject, influx};
use crate::data::{DATABASE, Points};

pub struct Ours(Influx);

impl Subject for Ours {
    fn connected(url: &str) -> Result<Self> {
        influx::start(Config::v1(url)).map(Self)
    }

    fn offline() -> Result<Self> {
        influx::start_offline().map(Self)
    }

    fn encode(&mut self, points: &Arc<Points>) -> Result<()> {
        self.record(points)?;
        let (stats, expected) = (self.0.stats(), points.len() as u64);
        if !stats.balanced() || stats.pending != expected {
            bail!("{expected} points, but {stats}");
        }
        Ok(())
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        self.record(points)?;
        System::new().block_on(influx::deliver_all(&self.0, points.len()))
    }
}

impl Ours {
    fn record(&self, points: &Points) -> Result<()> {
        for batch in points.batches() {
            for point in batch {
                self.0.record(influx::measurement(DATABASE, &point))?;
            }
        }
        Ok(())
    }
}
