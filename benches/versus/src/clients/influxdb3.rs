//! influxdb3-client, InfluxData's own. Without gzip, as it advises for fast networks.

use std::{convert::Infallible, hint::black_box};

use anyhow::Result;
use influxdb3_client::{Client, ClientConfig, Point as Built, WriteInput as _, WriteOptions};

use super::asynchronous::Peer;
use crate::data::{
    DATABASE, NAME, Point,
    key::Key,
    shape::{Fields, Shape, Tags, Value},
};

pub struct Influxdb3(Client);

impl Peer for Influxdb3 {
    type Built = Built;

    async fn connect(server: &str) -> Result<Self> {
        let config = ClientConfig::builder().host(server).database(DATABASE);
        let config = config.write_options(options()).build()?;
        Ok(Self(Client::new(config).await?))
    }

    #[inline(always)]
    fn build<S: Shape>(point: &Point<'_>, stamp: u64) -> Result<Built> {
        let Ok(built) = S::write(point, Built::new(NAME));
        Ok(built.timestamp_nanos(stamp as i64))
    }

    async fn send(&self, batch: Vec<Built>) -> Result<()> {
        self.0.write(batch).await?;
        Ok(())
    }

    fn encode(batch: Vec<Built>) -> Result<()> {
        for body in batch.into_lp_batches(&options()) {
            black_box(body?);
        }
        Ok(())
    }
}

fn options() -> WriteOptions {
    WriteOptions {
        gzip_threshold: None,
        ..WriteOptions::default()
    }
}

impl Tags for Built {
    type Error = Infallible;

    #[inline(always)]
    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Infallible> {
        Ok(Built::tag(self, key.name, value))
    }
}

impl Fields for Built {
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
