//! This crate, by `Series` that the program keeps.

use std::convert::Infallible;

use actix_influxdb::Series;
use anyhow::Result;

use super::{Subject, ours::Pipeline};
use crate::{
    data::{
        DATABASE, NAME, Point, Points,
        key::Key,
        shape::{Fields, Shape, Tags, Value},
    },
    workload::Workload,
};

pub struct Kept {
    pipeline: Pipeline,
    series: Vec<Series>,
}

impl Subject for Kept {
    fn new<S: Shape>(server: Option<&str>, workload: &Workload, points: &Points) -> Result<Self> {
        let pipeline = Pipeline::start(server, workload)?;
        let mut series = Vec::new();
        points.try_for_each_series(|point| {
            let Ok(builder) = S::tags(point, pipeline.influx.series(DATABASE, NAME));
            series.push(builder.build()?);
            Ok(())
        })?;
        Ok(Self { pipeline, series })
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        let Ok(point) = S::fields(point, self.series[point.series].point());
        Ok(point.record()?)
    }

    /// It sends by itself.
    fn end_batch(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, points: usize) -> Result<()> {
        self.pipeline.finish(points)
    }
}

impl Tags for actix_influxdb::SeriesBuilder {
    type Error = Infallible;

    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Infallible> {
        Ok(self.tag(key.name, value))
    }
}

impl Fields for actix_influxdb::Point<'_> {
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
