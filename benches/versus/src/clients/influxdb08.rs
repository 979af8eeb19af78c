//! The `influxdb` crate.

use std::{
    hint::black_box,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use influxdb::{Client, InfluxDbWriteable as _, Query as _, Timestamp, WriteQuery};
use tokio::runtime::{Builder, Runtime};

use super::Subject;
use crate::data::{DATABASE, NAME, Point, Points};

pub struct Influxdb {
    runtime: Runtime,
    client: Option<Client>,
}

impl Subject for Influxdb {
    fn connected(url: &str) -> Result<Self> {
        Ok(Self {
            client: Some(Client::new(url, DATABASE)),
            ..Self::offline()?
        })
    }

    /// It has one core: threads that take turns on it would only slow it down.
    fn offline() -> Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            client: None,
        })
    }

    fn encode(&mut self, points: &Arc<Points>) -> Result<()> {
        for batch in points.batches() {
            black_box(queries(batch)?.build()?);
        }
        Ok(())
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        let client = self.client.as_ref().context("no connection")?;
        self.runtime.block_on(async {
            for batch in points.batches() {
                client.query(queries(batch)?).await?;
            }
            Ok(())
        })
    }
}

fn queries(batch: impl Iterator<Item = Point>) -> Result<Vec<WriteQuery>> {
    batch.map(|point| query(&point)).collect()
}

#[inline]
fn query(point: &Point) -> Result<WriteQuery> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let query = Timestamp::Nanoseconds(now.as_nanos())
        .try_into_query(NAME)?
        .add_tag("host", point.host)
        .add_tag("region", point.region)
        .add_tag("service", point.service)
        .add_tag("endpoint", point.endpoint)
        .add_tag("method", point.method)
        .add_tag("status", point.status)
        .add_field("duration", point.duration)
        .add_field("bytes", point.bytes);
    Ok(query)
}
