//! questdb-rs over HTTP, with names as strings. It speaks its protocol version 1, which is
//! InfluxDB's line protocol: so all clients send the same text.

use std::{hint::black_box, sync::Arc};

use anyhow::{Context as _, Result};
use questdb::ingress::{Buffer, ProtocolVersion, Sender, TimestampNanos};

use super::Subject;
use crate::data::{NAME, Point, Points};

pub struct Questdb {
    sender: Option<Sender>,
    buffer: Buffer,
}

impl Subject for Questdb {
    fn connected(url: &str) -> Result<Self> {
        let sender = connect(url)?;
        Ok(Self {
            buffer: sender.new_buffer(),
            sender: Some(sender),
        })
    }

    fn offline() -> Result<Self> {
        Ok(Self {
            buffer: Buffer::new(ProtocolVersion::V1),
            sender: None,
        })
    }

    fn encode(&mut self, points: &Arc<Points>) -> Result<()> {
        for mut batch in points.batches() {
            batch.try_for_each(|point| push(&mut self.buffer, &point))?;
            black_box(&self.buffer);
            self.buffer.clear();
        }
        Ok(())
    }

    fn send(&mut self, points: &Arc<Points>) -> Result<()> {
        let sender = self.sender.as_mut().context("no connection")?;
        for mut batch in points.batches() {
            batch.try_for_each(|point| push(&mut self.buffer, &point))?;
            sender.flush(&mut self.buffer)?;
        }
        Ok(())
    }
}

/// The version is given, so that the sink isn't asked for it.
pub(super) fn connect(url: &str) -> Result<Sender> {
    let address = url.trim_start_matches("http://");
    let settings = format!("http::addr={address};protocol_version=1;");
    Ok(Sender::from_conf(settings)?)
}

#[inline]
fn push(buffer: &mut Buffer, point: &Point) -> Result<()> {
    buffer
        .table(NAME)?
        .symbol("host", point.host)?
        .symbol("region", point.region)?
        .symbol("service", point.service)?
        .symbol("endpoint", point.endpoint)?
        .symbol("method", point.method)?
        .symbol("status", point.status)?
        .column_f64("duration", point.duration)?
        .column_i64("bytes", point.bytes)?
        .at(TimestampNanos::now())?;
    Ok(())
}
