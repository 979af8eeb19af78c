//! The `influxdb` crate.

use std::{convert::Infallible, hint::black_box};

use anyhow::Result;
use influxdb::{Client, InfluxDbWriteable as _, Query as _, Timestamp, WriteQuery};

use super::asynchronous::Peer;
use crate::data::{
    DATABASE, NAME, Point,
    key::Key,
    shape::{Fields, Shape, Tags, Value},
};

pub struct Influxdb(Client);

impl Peer for Influxdb {
    type Built = WriteQuery;

    async fn connect(server: &str) -> Result<Self> {
        Ok(Self(Client::new(server, DATABASE)))
    }

    #[inline(always)]
    fn build<S: Shape>(point: &Point<'_>, stamp: u64) -> Result<WriteQuery> {
        let query = Timestamp::Nanoseconds(stamp.into()).try_into_query(NAME)?;
        let Ok(query) = S::write(point, query);
        Ok(query)
    }

    async fn send(&self, batch: Vec<WriteQuery>) -> Result<()> {
        self.0.query(batch).await?;
        Ok(())
    }

    fn encode(batch: Vec<WriteQuery>) -> Result<()> {
        black_box(batch.build()?);
        Ok(())
    }
}

impl Tags for WriteQuery {
    type Error = Infallible;

    #[inline(always)]
    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Infallible> {
        Ok(self.add_tag(key.name, value))
    }
}

impl Fields for WriteQuery {
    type Error = Infallible;

    #[inline(always)]
    fn float(self, key: Key, value: f64) -> Result<Self, Infallible> {
        Ok(self.add_field(key.name, value))
    }

    #[inline(always)]
    fn integer(self, key: Key, value: i64) -> Result<Self, Infallible> {
        Ok(self.add_field(key.name, value))
    }
}
