//! questdb-rs over HTTP, with names as strings, and with names that are checked once, before the
//! first point. It speaks its protocol version 1, which is InfluxDB's line protocol: so all clients
//! send the same text.

use std::hint::black_box;

use anyhow::Result;
use questdb::ingress::{Buffer, ColumnName, ProtocolVersion, Sender, TableName, TimestampNanos};

use super::Subject;
use crate::{
    data::{
        NAME, Point, Points,
        key::{KEYS, Key},
        shape::{Fields, Shape, Tags, Value},
    },
    workload::Workload,
};

pub struct Questdb<N> {
    sender: Option<Sender>,
    buffer: Buffer,
    names: N,
}

impl<N: Names> Subject for Questdb<N> {
    /// The version is given, so that the sink isn't asked for it.
    fn new<S: Shape>(server: Option<&str>, _: &Workload, _: &Points) -> Result<Self> {
        let sender = server.map(|server| {
            let address = server.trim_start_matches("http://");
            Sender::from_conf(format!("http::addr={address};protocol_version=1;"))
        });
        Ok(Self {
            sender: sender.transpose()?,
            buffer: Buffer::new(ProtocolVersion::V1),
            names: N::new()?,
        })
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        let (buffer, names) = (&mut self.buffer, &self.names);
        names.table(buffer)?;
        let line = S::write(point, Line { buffer, names })?;
        Ok(line.buffer.at(TimestampNanos::now())?)
    }

    fn end_batch(&mut self) -> Result<()> {
        match &mut self.sender {
            Some(sender) => sender.flush(&mut self.buffer)?,
            None => {
                black_box(&self.buffer);
                self.buffer.clear();
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: usize) -> Result<()> {
        Ok(())
    }
}

/// How the program has its names.
pub trait Names: Sized {
    fn new() -> Result<Self>;

    fn table(&self, buffer: &mut Buffer) -> questdb::Result<()>;

    fn column(&self, key: Key) -> questdb::Result<ColumnName<'static>>;
}

/// As strings, which are checked for each point, as its buffer does it with strings.
pub struct Plain;

impl Names for Plain {
    fn new() -> Result<Self> {
        Ok(Self)
    }

    #[inline(always)]
    fn table(&self, buffer: &mut Buffer) -> questdb::Result<()> {
        buffer.table(NAME).map(drop)
    }

    #[inline(always)]
    fn column(&self, key: Key) -> questdb::Result<ColumnName<'static>> {
        ColumnName::new(key.name)
    }
}

/// As what they are once they are checked.
pub struct Checked {
    table: TableName<'static>,
    columns: [ColumnName<'static>; KEYS.len()],
}

impl Names for Checked {
    fn new() -> Result<Self> {
        let column = |key: Key| ColumnName::new(key.name).expect("all names are allowed");
        Ok(Self {
            table: TableName::new(NAME)?,
            columns: KEYS.map(column),
        })
    }

    #[inline(always)]
    fn table(&self, buffer: &mut Buffer) -> questdb::Result<()> {
        buffer.table(self.table).map(drop)
    }

    #[inline(always)]
    fn column(&self, key: Key) -> questdb::Result<ColumnName<'static>> {
        Ok(self.columns[key.place])
    }
}

/// A line that is being written.
struct Line<'a, N> {
    buffer: &'a mut Buffer,
    names: &'a N,
}

impl<N: Names> Tags for Line<'_, N> {
    type Error = questdb::Error;

    #[inline(always)]
    fn tag<V: Value>(self, key: Key, value: V) -> questdb::Result<Self> {
        self.buffer.symbol(self.names.column(key)?, value)?;
        Ok(self)
    }
}

impl<N: Names> Fields for Line<'_, N> {
    type Error = questdb::Error;

    #[inline(always)]
    fn float(self, key: Key, value: f64) -> questdb::Result<Self> {
        self.buffer.column_f64(self.names.column(key)?, value)?;
        Ok(self)
    }

    #[inline(always)]
    fn integer(self, key: Key, value: i64) -> questdb::Result<Self> {
        self.buffer.column_i64(self.names.column(key)?, value)?;
        Ok(self)
    }
}
