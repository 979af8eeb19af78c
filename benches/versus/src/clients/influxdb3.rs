//! influxdb3-client, InfluxData's own. Without gzip, as it advises for fast networks.

use std::{
    hint::black_box,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use influxdb3_client::{Client, ClientConfig, Point as Line, WriteInput as _, WriteOptions};
use tokio::runtime::{Builder, Runtime};

use super::Subject;
use crate::data::{DATABASE, NAME, Point, Points};

pub struct Influxdb3 {
    runtime: Runtime,
    client: Option<Client>,
}

impl Subject for Influxdb3 {
    fn connected(url: &str) -> Result<Self> {
        let Self { runtime, .. } = Self::offline()?;
        let config = ClientConfig::builder().host(url).database(DATABASE);
        let config = config.write_options(options()).build()?;
        let client = Some(runtime.block_on(Client::new(config))?);
        Ok(Self { runtime, client })
    }

    /// It has one core: threads that take turns on it would only slow it down.
    fn offline() -> Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            client: None,
        })
    }

    fn encode(&mut self, points: &Arc<Points>) -> Result<()> {
        let options = options();
        for batch in points.batches() {
            let lines: Vec<Line> = batch.map(|point| line(&point)).collect();
            for body in lines.into_lp_batches(&options) {
                black_box(body?);
            }
        }
        Ok(())
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        let client = self.client.as_ref().context("no connection")?;
        self.runtime.block_on(async {
            for batch in points.batches() {
                let lines: Vec<Line> = batch.map(|point| line(&point)).collect();
                client.write(lines).await?;
            }
            Ok(())
        })
    }
}

fn options() -> WriteOptions {
    WriteOptions {
        gzip_threshold: None,
        ..WriteOptions::default()
    }
}

#[inline]
fn line(point: &Point) -> Line {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let stamp = now.map_or(0, |since| since.as_nanos() as i64);
    Line::new(NAME)
        .tag("host", point.host)
        .tag("region", point.region)
        .tag("service", point.service)
        .tag("endpoint", point.endpoint)
        .tag("method", point.method)
        .tag("status", point.status)
        .field("duration", point.duration)
        .field("bytes", point.bytes)
        .timestamp_nanos(stamp)
}
