//! questdb-rs over HTTP, with names that are checked once, before the first point.

use std::{hint::black_box, sync::Arc};

use anyhow::{Context as _, Result};
use questdb::ingress::{Buffer, ColumnName, ProtocolVersion, Sender, TableName, TimestampNanos};

use super::{Subject, questdb::connect};
use crate::data::{NAME, Point, Points};

pub struct QuestdbChecked {
    sender: Option<Sender>,
    buffer: Buffer,
    names: Names,
}

impl Subject for QuestdbChecked {
    fn connected(url: &str) -> Result<Self> {
        let sender = connect(url)?;
        Ok(Self {
            buffer: sender.new_buffer(),
            sender: Some(sender),
            names: Names::new()?,
        })
    }

    fn offline() -> Result<Self> {
        Ok(Self {
            buffer: Buffer::new(ProtocolVersion::V1),
            sender: None,
            names: Names::new()?,
        })
    }

    fn encode(&mut self, points: &Arc<Points>) -> Result<()> {
        for mut batch in points.batches() {
            batch.try_for_each(|point| self.names.push(&mut self.buffer, &point))?;
            black_box(&self.buffer);
            self.buffer.clear();
        }
        Ok(())
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        let sender = self.sender.as_mut().context("no connection")?;
        for mut batch in points.batches() {
            batch.try_for_each(|point| self.names.push(&mut self.buffer, &point))?;
            sender.flush(&mut self.buffer)?;
        }
        Ok(())
    }
}

struct Names {
    table: TableName<'static>,
    host: ColumnName<'static>,
    region: ColumnName<'static>,
    service: ColumnName<'static>,
    endpoint: ColumnName<'static>,
    method: ColumnName<'static>,
    status: ColumnName<'static>,
    duration: ColumnName<'static>,
    bytes: ColumnName<'static>,
}

impl Names {
    fn new() -> Result<Self> {
        Ok(Self {
            table: TableName::new(NAME)?,
            host: ColumnName::new("host")?,
            region: ColumnName::new("region")?,
            service: ColumnName::new("service")?,
            endpoint: ColumnName::new("endpoint")?,
            method: ColumnName::new("method")?,
            status: ColumnName::new("status")?,
            duration: ColumnName::new("duration")?,
            bytes: ColumnName::new("bytes")?,
        })
    }

    #[inline]
    fn push(&self, buffer: &mut Buffer, point: &Point) -> Result<()> {
        buffer
            .table(self.table)?
            .symbol(self.host, point.host)?
            .symbol(self.region, point.region)?
            .symbol(self.service, point.service)?
            .symbol(self.endpoint, point.endpoint)?
            .symbol(self.method, point.method)?
            .symbol(self.status, point.status)?
            .column_f64(self.duration, point.duration)?
            .column_i64(self.bytes, point.bytes)?
            .at(TimestampNanos::now())?;
        Ok(())
    }
}
