//! This crate, by `Influx::record`; and what all ways into it have in common.

use std::{convert::Infallible, time::Duration};

use actix::System;
use actix_influxdb::{Config, Influx, Measurement};
use anyhow::{Result, bail};

use super::Subject;
use crate::{
    data::{
        BATCH, DATABASE, NAME, Point, Points,
        key::Key,
        shape::{Fields, Shape, Tags, Value},
    },
    workload::Workload,
};

pub struct Ours(Pipeline);

impl Subject for Ours {
    fn new<S: Shape>(server: Option<&str>, workload: &Workload, _: &Points) -> Result<Self> {
        Pipeline::start(server, workload).map(Self)
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        Ok(self.0.influx.record(measurement::<S>(DATABASE, point))?)
    }

    /// It sends by itself.
    fn end_batch(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, points: usize) -> Result<()> {
        self.0.finish(points)
    }
}

#[inline(always)]
pub fn measurement<S: Shape>(database: &'static str, point: &Point<'_>) -> Measurement {
    let Ok(measurement) = S::write(point, Measurement::new(database, NAME));
    measurement
}

impl Tags for Measurement {
    type Error = Infallible;

    #[inline(always)]
    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Infallible> {
        Ok(Measurement::tag(self, key.name, value))
    }
}

impl Fields for Measurement {
    type Error = Infallible;

    #[inline(always)]
    fn float(self, key: Key, value: f64) -> Result<Self, Infallible> {
        Ok(self.field(key.name, value))
    }

    #[inline(always)]
    fn integer(self, key: Key, value: i64) -> Result<Self, Infallible> {
        Ok(self.field(key.name, value))
    }
}

/// A pipeline with limits so high that nothing is dropped, and everything else as by default.
pub struct Pipeline {
    pub influx: Influx,
    delivers: bool,
}

/// Long enough for the slowest machine.
const TIMEOUT: Duration = Duration::from_secs(300);

/// More than there ever are.
const MANY: usize = 100_000_000;

impl Pipeline {
    /// Without a server it never delivers, because so many never wait, nor for so long.
    pub fn start(server: Option<&str>, workload: &Workload) -> Result<Self> {
        let config = Config::v1(server.unwrap_or("http://127.0.0.1:9"))
            .max_buffer_size(MANY)
            .max_buffer_bytes(64 << 30)
            .warn_threshold(MANY);
        let config = match workload.guard {
            true => config,
            false => config.max_tag_values(0),
        };
        let delivers = server.is_some();
        let config = match delivers {
            true => config.trigger_size(BATCH).max_batch_size(BATCH),
            false => config
                .trigger_size(MANY)
                .interval(Duration::from_secs(86_400)),
        };
        let influx = Influx::start(config)?;
        Ok(Self { influx, delivers })
    }

    /// Delivers what is left, and makes sure that the ledger has every point: as written, or as
    /// pending where nothing is delivered.
    pub fn finish(&self, points: usize) -> Result<()> {
        let points = points as u64;
        if self.delivers {
            System::new().block_on(self.influx.flush(TIMEOUT));
        }
        let stats = self.influx.stats();
        let settled = match self.delivers {
            true => stats.written,
            false => stats.pending,
        };
        if !stats.balanced() || stats.recorded != points || settled != points {
            bail!("{points} points, but {stats} (dropped: {})", stats.dropped);
        }
        Ok(())
    }
}
