//! The limits: what the fastest straightforward loops do. One thread, one buffer that is reused, one
//! blocking socket.

use std::{
    convert::Infallible,
    hint::black_box,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

use self::socket::Socket;
use super::Subject;
use crate::{
    data::{
        NAME, Point, Points,
        key::Key,
        shape::{Fields, Shape, Tags, Value},
    },
    workload::Workload,
};

mod socket;

/// The limit of `record`: scans every tag value of every point for what has to be escaped.
pub struct Escaped(Batch);

/// The limit of `Series`: the parts of all series are prepared, and only copied.
pub struct Prepared {
    batch: Batch,
    series: Vec<Box<[u8]>>,
}

impl Subject for Escaped {
    fn new<S: Shape>(server: Option<&str>, _: &Workload, _: &Points) -> Result<Self> {
        Batch::new(server).map(Self)
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        push_series::<S>(&mut self.0.body, point);
        self.0.push_rest::<S>(point);
        Ok(())
    }

    fn end_batch(&mut self) -> Result<()> {
        self.0.end()
    }

    fn finish(&mut self, _: usize) -> Result<()> {
        Ok(())
    }
}

impl Subject for Prepared {
    fn new<S: Shape>(server: Option<&str>, _: &Workload, points: &Points) -> Result<Self> {
        let mut series = Vec::new();
        points.try_for_each_series(|point| {
            let mut part = Vec::new();
            push_series::<S>(&mut part, point);
            series.push(part.into());
            Ok(())
        })?;
        let batch = Batch::new(server)?;
        Ok(Self { batch, series })
    }

    #[inline(always)]
    fn push<S: Shape>(&mut self, point: &Point<'_>) -> Result<()> {
        let part = &self.series[point.series];
        self.batch.body.extend_from_slice(part);
        self.batch.push_rest::<S>(point);
        Ok(())
    }

    fn end_batch(&mut self) -> Result<()> {
        self.batch.end()
    }

    fn finish(&mut self, _: usize) -> Result<()> {
        Ok(())
    }
}

/// The lines until they are sent.
struct Batch {
    body: Vec<u8>,
    socket: Option<Socket>,
}

impl Batch {
    fn new(server: Option<&str>) -> Result<Self> {
        Ok(Self {
            body: Vec::with_capacity(2 << 20),
            socket: server.map(Socket::connect).transpose()?,
        })
    }

    /// All of a line after its series.
    #[inline(always)]
    fn push_rest<S: Shape>(&mut self, point: &Point<'_>) {
        let body = &mut self.body;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let stamp = now.map_or(0, |since| since.as_nanos() as u64);
        let is_first = true;
        let Ok(_) = S::fields(point, Line { body, is_first });
        body.push(b' ');
        body.extend_from_slice(itoa::Buffer::new().format(stamp).as_bytes());
        body.push(b'\n');
    }

    fn end(&mut self) -> Result<()> {
        match &mut self.socket {
            Some(socket) => socket.post(&self.body)?,
            None => _ = black_box(&self.body),
        }
        self.body.clear();
        Ok(())
    }
}

#[inline(always)]
fn push_series<S: Shape>(body: &mut Vec<u8>, point: &Point<'_>) {
    body.extend_from_slice(NAME.as_bytes());
    let is_first = false;
    let Ok(_) = S::tags(point, Line { body, is_first });
}

/// A line that is being written.
struct Line<'a> {
    body: &'a mut Vec<u8>,
    /// Is the next field the first?
    is_first: bool,
}

impl Tags for Line<'_> {
    type Error = Infallible;

    /// The keys are this program's own, and written as they are to be; the values may be anything.
    #[inline(always)]
    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Infallible> {
        self.body.extend_from_slice(key.after_comma.as_bytes());
        push_escaped(self.body, value.as_ref());
        Ok(self)
    }
}

impl Fields for Line<'_> {
    type Error = Infallible;

    #[inline(always)]
    fn float(self, key: Key, value: f64) -> Result<Self, Infallible> {
        let line = self.field(key);
        let mut digits = ryu::Buffer::new();
        line.body.extend_from_slice(digits.format(value).as_bytes());
        Ok(line)
    }

    #[inline(always)]
    fn integer(self, key: Key, value: i64) -> Result<Self, Infallible> {
        let line = self.field(key);
        let mut digits = itoa::Buffer::new();
        line.body.extend_from_slice(digits.format(value).as_bytes());
        line.body.push(b'i');
        Ok(line)
    }
}

impl Line<'_> {
    #[inline(always)]
    fn field(self, key: Key) -> Self {
        let written = match self.is_first {
            true => key.after_blank,
            false => key.after_comma,
        };
        self.body.extend_from_slice(written.as_bytes());
        let is_first = false;
        Self { is_first, ..self }
    }
}

/// Most strings hold nothing to escape, and are copied as they are.
fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let special = |byte: &u8| matches!(byte, b',' | b'=' | b' ' | b'\\' | b'\n' | b'\r' | b'\t');
    let bytes = text.as_bytes();
    if !bytes.iter().any(special) {
        return out.extend_from_slice(bytes);
    }
    for byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b',' | b'=' | b' ' => out.extend_from_slice(&[b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
}
